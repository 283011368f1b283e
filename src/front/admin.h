/*
 * The operator's window, on the admin port: /status (JSON) and /metrics (Prometheus text), beside the probes.
 */
#ifndef SLUICE_FRONT_ADMIN_H
#define SLUICE_FRONT_ADMIN_H

#include "front/probes.h"

bool admin_is_path(struct span path);

/* `late_connections`: of the main port, for the metrics. */
void admin_request(
        const struct probes *p, uint64_t late_connections, struct http_exchange *ex, const struct http_request *req);

#endif
