#include "backend/stderr_log.h"

#include <stdio.h>

void stderr_log_init(struct stderr_log *s, const struct logger *log, mono_t now)
{
	s->log = log;
	s->last[0] = '\0';
	lines_init(&s->lines, STDERR_LINE_MAX);
	rate_init(&s->rate, STDERR_LINES_PER_S, now);
}

void stderr_log_clear(struct stderr_log *s)
{
	lines_clear(&s->lines);
}

static void tell_suppressed(struct stderr_log *s)
{
	uint64_t n = rate_take_suppressed(&s->rate);

	if (n > 0)
		log_warn(s->log, "backend_stderr_dropped", "the server writes too much to its stderr",
		        F_INT("lines", n));
}

static void put(struct stderr_log *s, const struct line *line, mono_t now)
{
	if (line->text.n > 0)
		snprintf(s->last, sizeof(s->last), "%.*s", SPAN_ARG(line->text));
	if (!rate_allows(&s->rate, now))
		return;
	tell_suppressed(s);
	if (line->size > line->text.n)
		log_info(s->log, "backend_stderr", "the server says", F_SPAN("line", line->text),
		        F_INT("bytes", line->size));
	else
		log_info(s->log, "backend_stderr", "the server says", F_SPAN("line", line->text));
}

void stderr_log_feed(struct stderr_log *s, struct span bytes, mono_t now)
{
	struct line line;

	while (lines_next(&s->lines, &bytes, &line) != LINES_MORE)
		put(s, &line, now);
}

void stderr_log_end(struct stderr_log *s, mono_t now)
{
	struct line line;

	if (lines_end(&s->lines, &line) != LINES_MORE)
		put(s, &line, now);
	tell_suppressed(s);
}
