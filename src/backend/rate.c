#include "backend/rate.h"

void rate_init(struct rate *r, unsigned per_s, mono_t now)
{
	*r = (struct rate){ .per_s = per_s, .credit_ms = 1000, .filled = now };
}

bool rate_allows(struct rate *r, mono_t now)
{
	msec_t price = 1000 / r->per_s;

	r->credit_ms += mono_diff(now, r->filled);
	r->filled = now;
	if (r->credit_ms > 1000)
		r->credit_ms = 1000;
	if (r->credit_ms < price) {
		r->suppressed++;
		return false;
	}
	r->credit_ms -= price;
	return true;
}

uint64_t rate_take_suppressed(struct rate *r)
{
	uint64_t n = r->suppressed;

	r->suppressed = 0;
	return n;
}
