/*
 * The operator's window, on the admin port: /status (JSON, or a page for a browser) and /metrics (Prometheus text),
 * beside the probes.
 */
#ifndef SLUICE_FRONT_ADMIN_H
#define SLUICE_FRONT_ADMIN_H

#include "front/metrics.h"

bool admin_is_path(struct span path);

void admin_request(const struct metrics_source *from, struct http_exchange *ex, const struct http_request *req);

#endif
