/*
 * The text format of Prometheus (text/plain; version=0.0.4): families, samples, histograms, into a buffer. Names and
 * helps are ours; label values may be anybody's, and are escaped. Pure.
 *
 *	metrics_family(&out, "sluice_sessions", METRIC_GAUGE, "Client sessions in memory.");
 *	metrics_sample(&out, "sluice_sessions", NULL, 0, 12);
 */
#ifndef SLUICE_FRONT_METRICS_TEXT_H
#define SLUICE_FRONT_METRICS_TEXT_H

#include "base/buf.h"
#include "base/histogram.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_label {
	const char *name;
	struct span value; /* not set: the label is left out */
};

/* HELP and TYPE; all samples of the family follow it, before the next one begins. */
void metrics_family(struct buf *out, const char *name, enum metric_type type, const char *help);

void metrics_sample(struct buf *out, const char *name, const struct metric_label *labels, unsigned n, uint64_t value);

/* A duration or a point in time, in seconds. */
void metrics_seconds(struct buf *out, const char *name, const struct metric_label *labels, unsigned n, int64_t ms);

/* Cumulative buckets, sum and count, in seconds. */
void metrics_histogram(
        struct buf *out, const char *name, const struct metric_label *labels, unsigned n, const struct histogram *h);

#endif
