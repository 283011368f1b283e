#include "gateway/budget.h"

#include <assert.h>
#include <stdio.h>

#include "base/duration.h"

#define DURATION_MOST_MS ((msec_t)1 << 31) /* products of two of them fit */
#define BAR_COLUMNS 30

static msec_t least(msec_t a, msec_t b)
{
	return a < b ? a : b;
}

static msec_t rest(msec_t whole, msec_t spent)
{
	return whole - least(spent, whole);
}

static bool in_range(msec_t ms)
{
	return ms >= 0 && ms <= DURATION_MOST_MS;
}

/* Between the signal and SIGKILL. */
static msec_t grace_left(const struct lifecycle_conf *conf, const struct budget_start *start)
{
	msec_t taken = start->hook ? mono_diff(start->signal, start->t0) : conf->pre_stop_ms;
	msec_t left = rest(conf->grace_ms, taken);

	return taken > 0 && left < KUBELET_LEAST_MS ? KUBELET_LEAST_MS : left;
}

struct budget budget_from(const struct lifecycle_conf *conf, msec_t longest_eof_ms, msec_t longest_term_ms,
        const struct budget_start *start)
{
	assert(in_range(conf->grace_ms) && in_range(conf->pre_stop_ms) && in_range(conf->margin_ms));
	assert(in_range(longest_eof_ms) && in_range(longest_term_ms));
	assert(start->t0.ms <= start->signal.ms && start->lame_duck.ms <= start->signal.ms);

	msec_t grace = grace_left(conf, start);
	msec_t margin = least(conf->margin_ms, grace / 4);
	msec_t end = grace - margin;
	msec_t stopping_wanted = longest_eof_ms + longest_term_ms + STOP_SLACK_MS;
	msec_t stopping = least(stopping_wanted, end / 2);
	msec_t stop = end - stopping;
	msec_t spent = mono_diff(start->signal, start->lame_duck);
	msec_t lame_duck_end = least(rest(conf->lame_duck_max_ms, spent), stop);
	mono_t at = start->signal;

	return (struct budget){
		.t0 = start->t0,
		.lame_duck_min = mono_add(at, least(rest(conf->lame_duck_min_ms, spent), lame_duck_end)),
		.lame_duck_end = mono_add(at, lame_duck_end),
		.stop = mono_add(at, stop),
		.end = mono_add(at, end),
		.backstop = mono_add(at, grace - margin / 2),
		.killed = mono_add(at, grace),
		.stop_eof_ms = longest_eof_ms * stopping / stopping_wanted,
		.stop_term_ms = longest_term_ms * stopping / stopping_wanted,
		.clipped = (margin < conf->margin_ms ? CLIP_MARGIN : 0u) |
		           (stopping < stopping_wanted ? CLIP_STOP : 0u) |
		           (stop < rest(conf->lame_duck_max_ms, spent) ? CLIP_LAME_DUCK : 0u) |
		           (conf->grace_ms - conf->pre_stop_ms < grace && !start->hook ? CLIP_PRE_STOP : 0u),
	};
}

struct budget budget_at(const struct lifecycle_conf *conf, msec_t longest_eof_ms, msec_t longest_term_ms, mono_t t0)
{
	return budget_from(conf, longest_eof_ms, longest_term_ms,
	        &(struct budget_start){ .t0 = t0, .signal = t0, .lame_duck = t0 });
}

msec_t budget_backstop_ms(const struct lifecycle_conf *conf)
{
	struct budget b = budget_at(conf, 0, 0, (mono_t){ 0 });

	return mono_diff(b.backstop, b.t0);
}

/* clang-format off */
static const struct clip {
	enum budget_clip clip;
	const char *sentence;
} clips[] = {
	{ CLIP_MARGIN,    "lifecycle.margin is cut to a quarter of the grace period" },
	{ CLIP_STOP,      "the servers' stop times do not fit the grace period and are scaled down" },
	{ CLIP_LAME_DUCK, "lifecycle.lameDuck.max does not fit the grace period and ends when the servers must be stopped" },
	{ CLIP_PRE_STOP,  "lifecycle.preStop takes the grace period up: there are the 2 s that the kubelet gives in any case" },
};
/* clang-format on */

#define CLIP_COUNT (sizeof(clips) / sizeof(clips[0]))

const char *budget_clip_sentence(enum budget_clip clip)
{
	size_t i = 0;

	while (i < CLIP_COUNT && clips[i].clip != clip)
		i++;
	assert(i < CLIP_COUNT);
	return clips[i].sentence;
}

static struct seconds_text since_t0(const struct budget *b, mono_t at)
{
	return seconds_text(mono_diff(at, b->t0));
}

static size_t bar_column(const struct budget *b, mono_t at)
{
	msec_t whole = mono_diff(b->killed, b->t0);

	return whole > 0 ? (size_t)(mono_diff(at, b->t0) * BAR_COLUMNS / whole) : 0;
}

static void print_phase(const struct budget *b, const char *name, mono_t from, mono_t until, struct buf *out)
{
	size_t first = bar_column(b, from), past = bar_column(b, until);

	buf_printf(out, "  %-18s%10s%10s%10s   |", name, since_t0(b, from).text, since_t0(b, until).text,
	        seconds_text(mono_diff(b->killed, from)).text);
	for (size_t column = 0; column < BAR_COLUMNS; column++)
		buf_add_char(out, column >= first && column < past ? '#' : ' ');
	buf_add(out, SPAN("|\n"));
}

static void print_rules(const struct budget *b, const struct lifecycle_conf *conf, struct buf *out)
{
	buf_printf(out, "  Lame-duck ends after %s if no request came for %s, at the latest after %s.\n",
	        since_t0(b, b->lame_duck_min).text, seconds_text(conf->lame_duck_quiet_ms).text,
	        since_t0(b, b->lame_duck_end).text);
	buf_printf(out, "  Draining ends with the last call; at %s calls older than %s are cut.\n",
	        since_t0(b, b->stop).text, seconds_text(mono_diff(b->stop, b->lame_duck_end)).text);
	if (b->stop_eof_ms + b->stop_term_ms > 0) /* or there is none */
		buf_printf(out,
		        "  A server has at most %s after the end of its stdin and %s after SIGTERM, then SIGKILL.\n",
		        seconds_text(b->stop_eof_ms).text, seconds_text(b->stop_term_ms).text);
	buf_printf(out,
	        "  Should the process hang, it ends itself by force at %s; the kubelet's SIGKILL comes at %s.\n",
	        since_t0(b, b->backstop).text, since_t0(b, b->killed).text);
}

void budget_print(const struct budget *b, const struct lifecycle_conf *conf, struct buf *out)
{
	buf_printf(out, "Shutdown plan: %s from SIGTERM to SIGKILL", since_t0(b, b->killed).text);
	if (conf->pre_stop_ms > 0)
		buf_printf(out, " (gracePeriod %s, preStop takes %s of it)", seconds_text(conf->grace_ms).text,
		        seconds_text(least(conf->pre_stop_ms, conf->grace_ms)).text);
	buf_printf(out, "\n\n  %-18s%10s%10s%10s   |%-15s%15s|\n", "phase", "start", "bound", "left", "SIGTERM",
	        "SIGKILL");
	print_phase(b, "lame_duck", b->t0, b->lame_duck_end, out);
	print_phase(b, "draining", b->lame_duck_end, b->stop, out);
	print_phase(b, "stopping_backends", b->stop, b->end, out);
	print_phase(b, "exiting", b->end, b->backstop, out);
	buf_add_char(out, '\n');
	print_rules(b, conf, out);
	for (size_t i = 0; i < CLIP_COUNT; i++)
		if (b->clipped & clips[i].clip)
			buf_printf(out, "  warning: %s\n", clips[i].sentence);
}
