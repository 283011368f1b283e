/*
 * Small answers that every endpoint gives, with the headers that all have in common: CORS for an allowed origin (that
 * it is allowed was checked before any endpoint is asked).
 */
#ifndef SLUICE_FRONT_RESPOND_H
#define SLUICE_FRONT_RESPOND_H

#include "net/http_server.h"

#define TYPE_JSON "application/json"
#define RESPOND_HEADERS_MAX 10

/* A growing list of headers, none beyond the bound. Values are borrowed until the answer is written. */
struct headers {
	struct http_header at[RESPOND_HEADERS_MAX];
	unsigned n;
};

void headers_add(struct headers *h, const char *name, struct span value);

/* For an allowed origin; nothing for one that is not set. */
void headers_add_cors(struct headers *h, struct span origin);

/* Content of a type; the body may be empty (then without a type). */
void respond(struct http_exchange *ex, const struct http_request *req, int status, const char *type, struct span body);

/* The same with one more header, unless its value is not set. */
void respond_with(struct http_exchange *ex, const struct http_request *req, int status, const char *type,
        struct span body, struct http_header extra);

/* 405 with Allow. */
void respond_not_allowed(struct http_exchange *ex, const struct http_request *req, struct span allow);

/* OPTIONS: a CORS preflight, or just Allow. */
void respond_options(struct http_exchange *ex, const struct http_request *req, struct span allow);

#endif
