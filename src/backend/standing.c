#include "backend/standing.h"

#include <stdarg.h>
#include <stdio.h>

void standing_init(struct standing *s, struct backend *b, const struct life *life, struct sched *sched,
        const struct logger *log, bool (*ends_are_due)(const struct backend *b))
{
	*s = (struct standing){
		.backend = b,
		.life = life,
		.sched = sched,
		.log = log,
		.ends_are_due = ends_are_due,
		.told = life_shown(life->state),
	};
}

void standing_clear(struct standing *s)
{
	post_cancel(&s->post);
}

void standing_explain(struct standing *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(s->why, sizeof(s->why), format, ap);
	va_end(ap);
}

static void tell(void *arg)
{
	struct standing *s = arg;
	enum backend_state now = life_shown(s->life->state);
	const char *why = life_why(s->life, s->why);

	if (s->ends_are_due(s->backend)) {
		standing_tell(s);
		return;
	}
	if (now == s->told && s->life->failures == s->told_failures && !s->anyway)
		return;
	log_info(s->log, "backend_state", "the server's state changed", F_STR("from", backend_state_name(s->told)),
	        F_STR("to", backend_state_name(now)), F_STR("why", why), F_INT("failures", s->life->failures));
	s->told = now;
	s->told_failures = s->life->failures;
	s->anyway = false;
	s->backend->events->state(s->backend->arg, now, why, s->life->failures);
}

void standing_tell(struct standing *s)
{
	post_set(s->sched, &s->post, tell, s);
}

void standing_tell_anyway(struct standing *s)
{
	s->anyway = true;
	standing_tell(s);
}

/* One that is asked to stop may never have been started: it is told all the same. */
void standing_changed(struct standing *s, enum life_state from, enum life_event event)
{
	log_debug(s->log, "backend_life", "a step of the server's life", F_STR("from", life_state_name(from)),
	        F_STR("on", life_event_name(event)), F_STR("to", life_state_name(s->life->state)));
	s->anyway |= s->life->state == LIFE_ENDED;
	standing_tell(s);
}
