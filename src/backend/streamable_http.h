/*
 * A server behind a URL: Streamable HTTP of the modern and of the legacy revisions, and HTTP+SSE of 2024-11-05. One
 * object is one session there (or none, where requests stand alone), with all its calls at once, each a POST of its
 * own. Everything of the seam in backend.h; the rules of its life are in life.h, those of the first words in
 * handshake.h. What the sessions of one server share is its site (http_site.h).
 *
 * It never sends what a client has sent as HTTP headers, and no client's credentials.
 */
#ifndef SLUICE_BACKEND_STREAMABLE_HTTP_H
#define SLUICE_BACKEND_STREAMABLE_HTTP_H

#include "backend/http_site.h"

/*
 * `conf` and `events` must outlive it (`configure` gives another). `seed` spreads its tries.
 */
struct backend *streamable_http_new(struct http_sites *sites, const struct backend_conf *conf,
        const struct backend_events *events, void *arg, const struct logger *lg, uint64_t seed);

/* For one client instead of all. Before it is started. */
void streamable_http_dedicate(struct backend *b, const struct backend_for *whom);

/* True when the client's calls need no session here, for the server is a modern one: nothing tells them apart. */
bool streamable_http_stands_alone(const struct backend *b, const struct backend_client *client);

#endif
