/*
 * What `sluice doctor` has found out about one server, as text for people and as JSON for programs; and what follows
 * from it for the clients of each era. Pure.
 */
#ifndef SLUICE_CLI_DIAGNOSIS_H
#define SLUICE_CLI_DIAGNOSIS_H

#include "backend/backend.h"

struct diagnosis {
	const struct backend_conf *conf;
	const char *transport;             /* NULL: not known */
	const struct backend_hello *hello; /* NULL: it never said any */
	const char *fault;                 /* why it is not up; NULL: it is */
	msec_t ready_ms;                   /* from the start to the end of its first lists */
	size_t counts[LIST_KINDS];
	int64_t answer_us[3]; /* the quickest, the median, the slowest; 0: none came */
};

void diagnosis_put_json(const struct diagnosis *d, struct buf *out);
void diagnosis_put_text(const struct diagnosis *d, unsigned width, bool colour, struct buf *out);

/* Sentences about what clients of one era get from it; each is handed to `tell`. */
void diagnosis_outlook(
        const struct diagnosis *d, bool modern_clients, void (*tell)(void *arg, const char *sentence), void *arg);

#endif
