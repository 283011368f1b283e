/*
 * What /status tells of the gateway at this moment: as JSON for programs, and as a page for people (status_page.h),
 * both made of the same struct. Of calls and sessions it holds so many only; nothing in it is a secret (no tokens, no
 * arguments, no addresses), but names of tools and clients are whatever others have written.
 */
#ifndef SLUICE_FRONT_STATUS_H
#define SLUICE_FRONT_STATUS_H

#include "front/probes.h"

#define STATUS_ROWS_MAX 100 /* of calls in flight, and of sessions */

struct status {
	const char *version, *health; /* health: see probes_health */
	msec_t uptime_ms;
	bool ready;
	struct gateway_state state;
	struct lifecycle_view life;
	const struct ledger_counts *counts;
	uint64_t late_connections;
	struct server_view *servers;
	struct call_view *calls;       /* the oldest first */
	struct session_view *sessions; /* those that were used last first */
	size_t server_count, call_count, session_count;
};

/* Valid until the next turn of the loop. */
void status_look(struct status *s, const struct probes *p, uint64_t late_connections);
void status_clear(struct status *s);

void status_put_json(const struct status *s, struct buf *out);

/* Whether the client is a browser: it names HTML among what it takes, and not JSON. */
bool status_wants_page(const struct request_head *head);

/* Sums over the ends of a server's calls. */
uint64_t status_ended(const struct server_counts *c);

#endif
