/*
 * The operator's window, on the admin port: /status (JSON) and /metrics (Prometheus text), beside the probes.
 */
#ifndef SLUICE_FRONT_ADMIN_H
#define SLUICE_FRONT_ADMIN_H

#include "front/probes.h"

bool admin_is_path(struct span path);
void admin_request(const struct probes *p, struct http_exchange *ex, const struct http_request *req);

#endif
