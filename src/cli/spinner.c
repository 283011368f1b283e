#include "cli/spinner.h"

#include "cli/terminal.h"
#include "cli/text.h"
#include "config/environment.h"

#define PATIENCE_MS 300
#define FRAME_MS 100
#define SECONDS_FROM_MS 2000 /* how long it has taken is shown from here on */

static void draw(void *arg);

/* Dumb terminals cannot wipe a line. */
static bool can_spin(FILE *to, const char *const *environment)
{
	const char *term = environment_get(environment, SPAN("TERM"));

	return terminal_is(to) && (term == NULL || !span_eq(span_of(term), SPAN("dumb")));
}

void spinner_init(struct spinner *s, struct sched *sched, FILE *to, const char *const *environment)
{
	*s = (struct spinner){
		.to = to,
		.environment = environment,
		.sched = sched,
		.on = can_spin(to, environment),
	};
}

void spinner_start(struct spinner *s, const char *format, ...)
{
	char what[256];
	va_list ap;

	spinner_stop(s);
	if (!s->on)
		return;
	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	text_put_line(&s->what, span_of(what));
	s->since = s->sched->now;
	timer_set_in(s->sched, &s->timer, PATIENCE_MS, draw, s);
}

void spinner_note(struct spinner *s, struct span note)
{
	buf_reset(&s->note);
	if (s->on)
		text_put_line(&s->note, note);
}

static void put_line(const struct spinner *s, struct buf *line)
{
	msec_t took = mono_diff(s->sched->now, s->since);

	buf_printf(line, "%c %.*s", "|/-\\"[s->frame % 4], SPAN_ARG(buf_span(&s->what)));
	if (buf_size(&s->note) > 0)
		buf_printf(line, "  %.*s", SPAN_ARG(buf_span(&s->note)));
	if (took >= SECONDS_FROM_MS)
		buf_printf(line, "  %llds", (long long)(took / 1000));
}

static void draw(void *arg)
{
	struct spinner *s = arg;
	struct buf line = { 0 }, shown = { 0 };

	put_line(s, &line);
	buf_add(&shown, SPAN("\r\033[K"));
	text_put_cut(&shown, buf_span(&line), terminal_width(s->to, s->environment) - 1);
	buf_add_char(&shown, '\r');
	fwrite(buf_span(&shown).p, 1, buf_size(&shown), s->to);
	fflush(s->to);
	buf_free(&line);
	buf_free(&shown);
	s->shown = true;
	s->frame++;
	timer_set_in(s->sched, &s->timer, FRAME_MS, draw, s);
}

void spinner_wipe(struct spinner *s)
{
	if (s->shown)
		fputs("\r\033[K", s->to);
	s->shown = false;
}

void spinner_stop(struct spinner *s)
{
	timer_stop(s->sched, &s->timer);
	spinner_wipe(s);
	buf_free(&s->what);
	buf_free(&s->note);
}
