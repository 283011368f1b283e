/*
 * /drain on the admin port (interface.md, section 3): POST, or GET with the header `Sluice-Drain: 1`, which the kubelet
 * can set in an httpGet hook and a web page cannot. The query has hook=1, wait=1, timeout=DURATION or cancel=1. What
 * they mean is in gateway/lifecycle.h; the kubelet's hook comes from the node's address, so for that the admin port has
 * to listen beyond loopback, which wants --insecure.
 *
 * The answer is an object: `phase`, `drained`, `in_flight`, `since_ms` (how long lame-duck has lasted) and, once a
 * signal or a hook has begun it, `budget_left_ms` (until we are gone). Its status is 200, or 409 for a cancel that
 * comes after a signal. With wait=1 it comes when lame-duck is over (or would be, if a signal had come) and nothing is
 * in flight, or when time is up; the process does not wait for those who wait.
 */
#ifndef SLUICE_FRONT_DRAIN_H
#define SLUICE_FRONT_DRAIN_H

#include "front/probes.h"

bool drain_is_path(struct span path);
void drain_request(const struct probes *p, struct http_exchange *ex, const struct http_request *req);

#endif
