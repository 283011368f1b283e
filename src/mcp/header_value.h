/*
 * Text as the value of an HTTP header, as MCP 2026-07-28 writes it in Mcp-Name and Mcp-Param-*: as it is where that is
 * safe, else =?base64?...?= around the base64 of its UTF-8. Pure.
 */
#ifndef SLUICE_MCP_HEADER_VALUE_H
#define SLUICE_MCP_HEADER_VALUE_H

#include "base/buf.h"

/* `text` is UTF-8; anything may stand in it. */
void header_value_encode(struct span text, struct buf *out);

/*
 * The text of a value as it was received, without the white space around it. False for one that no sender may write:
 * base64 that is not strict or not of UTF-8, and bytes that are neither visible ASCII nor space nor tab.
 */
bool header_value_decode(struct span value, struct buf *out);

#endif
