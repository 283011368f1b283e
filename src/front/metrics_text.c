#include "front/metrics_text.h"

#include <assert.h>

static const char *type_name(enum metric_type type)
{
	static const char *const names[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};

	assert(type <= METRIC_HISTOGRAM);
	return names[type];
}

static void put(struct buf *out, const char *text)
{
	buf_add(out, span_of(text));
}

void metrics_family(struct buf *out, const char *name, enum metric_type type, const char *help)
{
	put(out, "# HELP ");
	put(out, name);
	buf_add_char(out, ' ');
	put(out, help);
	put(out, "\n# TYPE ");
	put(out, name);
	buf_add_char(out, ' ');
	put(out, type_name(type));
	buf_add_char(out, '\n');
}

/* Backslash, quote and line feed are all that the format escapes. */
static void put_value(struct buf *out, struct span value)
{
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];
		if (c == '\n')
			put(out, "\\n");
		else if (c == '\\' || c == '"')
			buf_add(out, (struct span){ (const char[]){ '\\', c }, 2 });
		else
			buf_add_char(out, c);
	}
}

static void put_label(struct buf *out, bool *first, const char *name, struct span value)
{
	if (!span_is_set(value))
		return;
	buf_add_char(out, *first ? '{' : ',');
	*first = false;
	put(out, name);
	put(out, "=\"");
	put_value(out, value);
	buf_add_char(out, '"');
}

/* The name, with a suffix, and the labels; `le` is one more of them. */
static void put_series(struct buf *out, const char *name, const char *suffix, const struct metric_label *labels,
        unsigned n, struct span le)
{
	bool first = true;

	put(out, name);
	put(out, suffix);
	for (unsigned i = 0; i < n; i++)
		put_label(out, &first, labels[i].name, labels[i].value);
	put_label(out, &first, "le", le);
	put(out, first ? " " : "} ");
}

/* With as many digits behind the point as it takes. */
static void put_seconds(struct buf *out, int64_t ms)
{
	uint64_t all = (uint64_t)(ms < 0 ? -ms : ms), rest = all % 1000;
	const char digits[] = { '.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10), (char)('0' + rest % 10) };
	size_t n = rest == 0 ? 0 : rest % 100 == 0 ? 2 : rest % 10 == 0 ? 3 : 4;

	if (ms < 0)
		buf_add_char(out, '-');
	buf_add_u64(out, all / 1000);
	buf_add(out, (struct span){ digits, n });
}

void metrics_sample(struct buf *out, const char *name, const struct metric_label *labels, unsigned n, uint64_t value)
{
	put_series(out, name, "", labels, n, SPAN_NONE);
	buf_add_u64(out, value);
	buf_add_char(out, '\n');
}

void metrics_seconds(struct buf *out, const char *name, const struct metric_label *labels, unsigned n, int64_t ms)
{
	put_series(out, name, "", labels, n, SPAN_NONE);
	put_seconds(out, ms);
	buf_add_char(out, '\n');
}

static void put_bucket(struct buf *out, const char *name, const struct metric_label *labels, unsigned n, struct span le,
        uint64_t within)
{
	put_series(out, name, "_bucket", labels, n, le);
	buf_add_u64(out, within);
	buf_add_char(out, '\n');
}

void metrics_histogram(
        struct buf *out, const char *name, const struct metric_label *labels, unsigned n, const struct histogram *h)
{
	struct buf le = { 0 };
	uint64_t within = 0;

	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		buf_reset(&le);
		put_seconds(&le, histogram_bounds_ms[i]);
		put_bucket(out, name, labels, n, buf_span(&le), within += h->at[i]);
	}
	buf_free(&le);
	within += h->at[HISTOGRAM_BOUNDS];
	put_bucket(out, name, labels, n, SPAN("+Inf"), within);
	put_series(out, name, "_sum", labels, n, SPAN_NONE);
	put_seconds(out, h->sum_ms);
	buf_add_char(out, '\n');
	put_series(out, name, "_count", labels, n, SPAN_NONE);
	buf_add_u64(out, within);
	buf_add_char(out, '\n');
}
