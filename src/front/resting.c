#include "front/resting.h"

#include <stdlib.h>

#include "base/mem.h"

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void resting_begin(struct resting *r, const struct gateway *gw)
{
	struct gateway_state state;

	gateway_state(gw, &state);
	r->parked = state.parked > 0;
	r->busy = mem_alloc((state.in_flight + 1) * sizeof(r->busy[0]));
	r->count = gateway_busy_sessions(gw, r->busy);
	qsort(r->busy, r->count, sizeof(r->busy[0]), compare);
}

bool resting_stays(void *arg, uint64_t owner)
{
	const struct resting *r = arg;

	if (owner == 0)
		return r->parked;
	return owner == RESTING_STAYS || bsearch(&owner, r->busy, r->count, sizeof(owner), compare) != NULL;
}

void resting_end(struct resting *r)
{
	free(r->busy);
}
