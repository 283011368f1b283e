#include "base/histogram.h"

const msec_t histogram_bounds_ms[HISTOGRAM_BOUNDS] = { 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000,
	30000, 60000, 120000, 300000, 600000 };

void histogram_add(struct histogram *h, msec_t took_ms)
{
	msec_t ms = took_ms > 0 ? took_ms : 0;
	unsigned i = 0;

	while (i < HISTOGRAM_BOUNDS && ms > histogram_bounds_ms[i])
		i++;
	h->at[i]++;
	h->sum_ms += ms;
}

uint64_t histogram_count(const struct histogram *h)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
		n += h->at[i];
	return n;
}
