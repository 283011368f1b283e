/*
 * What an HTTP status without a message of MCP in its body means for a call, and for the health of the server, as a
 * table: whether it was refused before it was looked at, so that it may be asked again, and whether it speaks against
 * the server or only against this one request. Pure.
 */
#ifndef SLUICE_BACKEND_HTTP_STATUS_H
#define SLUICE_BACKEND_HTTP_STATUS_H

#include "base/end_reason.h"

struct http_verdict {
	enum end_reason why;
	enum outcome outcome;
	bool unwell;          /* the server itself, or who stands before it, says that it cannot work */
	const char *sentence; /* "it asks for credentials (401)" without the number */
};

/* For any status from 200 on. */
const struct http_verdict *http_verdict(int status);

/* An HTTP+SSE server of 2024-11-05 may have answered a POST to the address of its stream like that (A4). */
bool http_status_is_no_post(int status);

#endif
