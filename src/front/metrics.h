/*
 * /metrics: all that is counted anywhere in the program, put together when somebody asks. Each module keeps its own
 * counts; this one only reads them, and is the one place where metrics have names. docs/operations.md explains each.
 */
#ifndef SLUICE_FRONT_METRICS_H
#define SLUICE_FRONT_METRICS_H

#include "front/probes.h"
#include "net/http_client.h"

#define PROCESS_ENDS_MAX 4

/* What no front can see: the processes of servers, and the connections to them. */
struct process_facts {
	unsigned processes; /* that run */
	uint64_t started, orphans_reaped;
	struct {
		const char *step; /* of the ladder on which they ended: "eof" */
		const struct histogram *took;
	} ends[PROCESS_ENDS_MAX]; /* the first one: on their own */
	unsigned end_count;
	struct http_client_stats http;
};

/* Where it all comes from. */
struct metrics_source {
	const struct probes *probes;
	const struct http_server *main, *admin; /* NULL: there is none */
	size_t max_connections, max_buffered_bytes, max_in_flight, max_sessions;
	size_t replay_bytes, max_replay_bytes;
	int64_t started_ms; /* by the wall clock */
	void (*facts)(void *arg, struct process_facts *facts);
	void *facts_arg;
};

void metrics_put(const struct metrics_source *from, struct buf *out);

#endif
