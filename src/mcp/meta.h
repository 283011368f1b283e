/*
 * The keys of `_meta` that MCP keeps for itself in revision 2026-07-28: what a client says of itself with each request,
 * and to which subscription a notification belongs. Pure; spans point into the message.
 */
#ifndef SLUICE_MCP_META_H
#define SLUICE_MCP_META_H

#include "base/span.h"

#define META_PREFIX "io.modelcontextprotocol/"
#define META_VERSION META_PREFIX "protocolVersion"
#define META_CAPABILITIES META_PREFIX "clientCapabilities"
#define META_CLIENT META_PREFIX "clientInfo"
#define META_LEVEL META_PREFIX "logLevel"
#define META_SUBSCRIPTION META_PREFIX "subscriptionId"
#define META_SERVER META_PREFIX "serverInfo"

/* Values are raw JSON of any type; p == NULL: the key is not there. */
struct request_meta {
	struct span version, capabilities, info, level, subscription;
	bool twice; /* one of them came twice; the first one is kept */
};

/* From the `_meta` of a message that was parsed; one that is not set, or no object, has none of the keys. */
struct request_meta meta_read(struct span meta);

#endif
