#include "base/duration.h"

#include <stdio.h>

/* the longest suffix that fits comes first */
static const struct unit {
	const char *suffix;
	msec_t ms;
} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };

#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

/* Cuts the unit off; seconds without one. */
static msec_t take_unit(struct span *text)
{
	for (size_t i = 0; i < UNIT_COUNT; i++) {
		struct span suffix = span_of(units[i].suffix);
		if (text->n > suffix.n && span_eq(span_skip(*text, text->n - suffix.n), suffix)) {
			text->n -= suffix.n;
			return units[i].ms;
		}
	}
	return 1000;
}

bool duration_parse(struct span text, msec_t *ms)
{
	msec_t unit = take_unit(&text);
	size_t dot = span_find(text, '.');
	uint64_t whole, part = 0, scale = 1;

	if (!span_to_u64(span_cut(text, dot), (uint64_t)(DURATION_MAX_MS / unit), &whole))
		return false;
	if (dot < text.n) {
		struct span digits = span_skip(text, dot + 1);
		if (digits.n > 6 || !span_to_u64(digits, 999999, &part))
			return false;
		for (size_t i = 0; i < digits.n; i++)
			scale *= 10;
	}
	if (part * (uint64_t)unit % scale != 0) /* finer than a millisecond */
		return false;
	*ms = (msec_t)whole * unit + (msec_t)(part * (uint64_t)unit / scale);
	return *ms <= DURATION_MAX_MS;
}

struct duration_text duration_text(msec_t ms)
{
	struct duration_text d;
	size_t i = UNIT_COUNT - 1;

	while (i > 0 && (ms == 0 ? i > 1 : ms % units[i].ms != 0))
		i--;
	snprintf(d.text, sizeof(d.text), "%lld%s", (long long)(ms / units[i].ms), units[i].suffix);
	return d;
}

struct seconds_text seconds_text(msec_t ms)
{
	struct seconds_text t;
	int n = snprintf(t.text, sizeof(t.text), "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));

	while (t.text[n - 1] == '0')
		n--;
	if (t.text[n - 1] == '.')
		n--;
	snprintf(t.text + n, sizeof(t.text) - (size_t)n, " s");
	return t;
}
