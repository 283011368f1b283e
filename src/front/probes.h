/*
 * What an orchestrator asks: /startupz, /livez, /readyz and /health, on every port (interface.md, section 3). Bodies
 * say why. Probes are exempt from the checks of Host and Origin.
 */
#ifndef SLUICE_FRONT_PROBES_H
#define SLUICE_FRONT_PROBES_H

#include "gateway/lifecycle.h"
#include "net/http_server.h"

struct probes {
	struct gateway *gw;
	struct lifecycle *lifecycle;
	struct loop *loop;
	mono_t started;        /* the process */
	const struct log *log; /* NULL: none */
	const char *version;
};

bool probes_is_path(struct span path);

/* By path, or by the User-Agent of the known probers; what counts as quiet in lame-duck ignores these. */
bool probes_is_probe(const struct request_head *head);

void probes_request(const struct probes *p, struct http_exchange *ex, const struct http_request *req);

/* "ok", "degraded", "starting" or "draining" */
const char *probes_health(const struct probes *p);

#endif
