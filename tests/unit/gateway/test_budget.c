#include "unit.h"

#include <string.h>

#include "gateway/budget.h"

#define T0 1000000

/* clang-format off */
#define CONF(grace, pre_stop, duck_min, duck_max, margin)                                                   \
	{ .grace_ms = (grace), .pre_stop_ms = (pre_stop), .lame_duck_min_ms = (duck_min),                   \
	  .lame_duck_quiet_ms = 2000, .lame_duck_max_ms = (duck_max), .margin_ms = (margin) }

/* the first row is what interface.md says when nothing is configured */
static const struct example {
	const char *name;
	struct lifecycle_conf conf;
	msec_t eof, term; /* of the server that takes longest */
	struct { msec_t duck_min, duck_end, stop, end, backstop, killed; } at; /* after T0 */
	msec_t cap_eof, cap_term;
	unsigned clipped;
} examples[] = {
	{ "the defaults", CONF(30000, 0, 5000, 10000, 2000), 2000, 2000,
		{ 5000, 10000, 23500, 28000, 29000, 30000 }, 2000, 2000, 0 },
	{ "preStop takes 10 s of 30", CONF(30000, 10000, 5000, 10000, 2000), 2000, 2000,
		{ 5000, 10000, 13500, 18000, 19000, 20000 }, 2000, 2000, 0 },
	{ "no servers: 500 ms to sweep", CONF(30000, 0, 5000, 10000, 2000), 0, 0,
		{ 5000, 10000, 27500, 28000, 29000, 30000 }, 0, 0, 0 },
	{ "5 s of grace", CONF(5000, 0, 5000, 10000, 2000), 2000, 2000,
		{ 1875, 1875, 1875, 3750, 4375, 5000 }, 833, 833, CLIP_MARGIN | CLIP_STOP | CLIP_LAME_DUCK },
	{ "1 s of grace", CONF(1000, 0, 5000, 10000, 2000), 2000, 2000,
		{ 375, 375, 375, 750, 875, 1000 }, 166, 166, CLIP_MARGIN | CLIP_STOP | CLIP_LAME_DUCK },
	{ "no grace at all", CONF(0, 0, 5000, 10000, 2000), 2000, 2000,
		{ 0, 0, 0, 0, 0, 0 }, 0, 0, CLIP_MARGIN | CLIP_STOP | CLIP_LAME_DUCK },
	{ "no grace, and nothing that would need it", CONF(0, 0, 0, 0, 0), 0, 0,
		{ 0, 0, 0, 0, 0, 0 }, 0, 0, CLIP_STOP },
	{ "preStop takes all of it: the kubelet still gives 2 s", CONF(30000, 30000, 5000, 10000, 2000), 2000, 2000,
		{ 750, 750, 750, 1500, 1750, 2000 }, 333, 333, CLIP_MARGIN | CLIP_STOP | CLIP_LAME_DUCK | CLIP_PRE_STOP },
	{ "preStop takes more than all of it", CONF(30000, 90000, 5000, 10000, 2000), 2000, 2000,
		{ 750, 750, 750, 1500, 1750, 2000 }, 333, 333, CLIP_MARGIN | CLIP_STOP | CLIP_LAME_DUCK | CLIP_PRE_STOP },
	{ "preStop leaves a second of it", CONF(30000, 29000, 0, 0, 0), 0, 0,
		{ 0, 0, 1500, 2000, 2000, 2000 }, 0, 0, CLIP_PRE_STOP },
	{ "huge stop times get half", CONF(30000, 0, 5000, 10000, 2000), 600000, 300000,
		{ 5000, 10000, 14000, 28000, 29000, 30000 }, 9328, 4664, CLIP_STOP },
	{ "only SIGTERM helps: eof 0", CONF(30000, 0, 5000, 10000, 2000), 0, 10000,
		{ 5000, 10000, 17500, 28000, 29000, 30000 }, 0, 10000, 0 },
	{ "margin is at most a quarter", CONF(30000, 0, 5000, 10000, 20000), 2000, 2000,
		{ 5000, 10000, 18000, 22500, 26250, 30000 }, 2000, 2000, CLIP_MARGIN },
	{ "no margin", CONF(30000, 0, 5000, 10000, 0), 2000, 2000,
		{ 5000, 10000, 25500, 30000, 30000, 30000 }, 2000, 2000, 0 },
	{ "lameDuck.max longer than the rest", CONF(30000, 0, 5000, 60000, 2000), 2000, 2000,
		{ 5000, 23500, 23500, 28000, 29000, 30000 }, 2000, 2000, CLIP_LAME_DUCK },
	{ "lameDuck.min longer than max", CONF(30000, 0, 20000, 10000, 2000), 2000, 2000,
		{ 10000, 10000, 23500, 28000, 29000, 30000 }, 2000, 2000, 0 },
	{ "no lame-duck", CONF(60000, 0, 0, 0, 2000), 2000, 2000,
		{ 0, 0, 53500, 58000, 59000, 60000 }, 2000, 2000, 0 },
	{ "an hour", CONF(3600000, 0, 5000, 60000, 2000), 30000, 30000,
		{ 5000, 60000, 3537500, 3598000, 3599000, 3600000 }, 30000, 30000, 0 },
};
/* clang-format on */

#define EXAMPLES (sizeof(examples) / sizeof(examples[0]))

static struct budget budget_of(const struct example *x)
{
	return budget_at(&x->conf, x->eof, x->term, (mono_t){ T0 });
}

static void check(const struct example *x, const char *what, int64_t got, int64_t wanted)
{
	if (got != wanted)
		fail_msg("%s: %s is %lld, wanted %lld", x->name, what, (long long)got, (long long)wanted);
}

static void test_the_worked_examples_come_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < EXAMPLES; i++) {
		const struct example *x = &examples[i];
		struct budget b = budget_of(x);
		check(x, "t0", b.t0.ms, T0);
		check(x, "lame_duck_min", b.lame_duck_min.ms - T0, x->at.duck_min);
		check(x, "lame_duck_end", b.lame_duck_end.ms - T0, x->at.duck_end);
		check(x, "stop", b.stop.ms - T0, x->at.stop);
		check(x, "end", b.end.ms - T0, x->at.end);
		check(x, "backstop", b.backstop.ms - T0, x->at.backstop);
		check(x, "killed", b.killed.ms - T0, x->at.killed);
		check(x, "stop_eof_ms", b.stop_eof_ms, x->cap_eof);
		check(x, "stop_term_ms", b.stop_term_ms, x->cap_term);
		check(x, "clipped", b.clipped, x->clipped);
	}
}

/* A drain before the signal; all points after the beginning of the drain. */
static const struct drained {
	const char *name;
	struct lifecycle_conf conf;
	msec_t signal; /* how long after it */
	bool hook;
	struct {
		msec_t duck_min, duck_end, stop, end, killed;
	} at;
	msec_t cap_eof;
} drained[] = {
	{ "a drain is lame-duck already", CONF(30000, 0, 5000, 10000, 2000), 3000, false,
	        { 5000, 10000, 26500, 31000, 33000 }, 2000 },
	{ "a long drain leaves no lame-duck to wait for", CONF(30000, 0, 5000, 10000, 2000), 3600000, false,
	        { 3600000, 3600000, 3623500, 3628000, 3630000 }, 2000 },
	{ "a hook: the grace period began with it", CONF(30000, 0, 5000, 10000, 2000), 8000, true,
	        { 8000, 10000, 23500, 28000, 30000 }, 2000 },
	{ "... and preStop is not taken off again", CONF(30000, 10000, 5000, 10000, 2000), 8000, true,
	        { 8000, 10000, 23500, 28000, 30000 }, 2000 },
	{ "a hook that leaves 4 s: a quarter and half of those", CONF(30000, 0, 5000, 10000, 2000), 26000, true,
	        { 26000, 26000, 27500, 29000, 30000 }, 666 },
	{ "a hook that took all: the kubelet still gives 2 s", CONF(30000, 0, 5000, 10000, 2000), 31000, true,
	        { 31000, 31000, 31750, 32500, 33000 }, 333 },
};

static void test_a_drain_before_the_signal_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(drained) / sizeof(drained[0]); i++) {
		const struct drained *x = &drained[i];
		const struct example named = { .name = x->name };
		struct budget_start start = {
			.t0 = { T0 }, .signal = { T0 + x->signal }, .lame_duck = { T0 }, .hook = x->hook
		};
		if (!x->hook)
			start.t0 = start.signal;
		struct budget b = budget_from(&x->conf, 2000, 2000, &start);
		check(&named, "t0", b.t0.ms, start.t0.ms);
		check(&named, "lame_duck_min", b.lame_duck_min.ms - T0, x->at.duck_min);
		check(&named, "lame_duck_end", b.lame_duck_end.ms - T0, x->at.duck_end);
		check(&named, "stop", b.stop.ms - T0, x->at.stop);
		check(&named, "end", b.end.ms - T0, x->at.end);
		check(&named, "killed", b.killed.ms - T0, x->at.killed);
		check(&named, "stop_eof_ms", b.stop_eof_ms, x->cap_eof);
	}
}

static void check_order(const struct budget *b)
{
	const mono_t points[] = { b->t0, b->lame_duck_min, b->lame_duck_end, b->stop, b->end, b->backstop, b->killed };

	for (size_t i = 1; i < sizeof(points) / sizeof(points[0]); i++)
		assert_true(points[i - 1].ms <= points[i].ms);
	assert_true(b->stop_eof_ms + b->stop_term_ms <= mono_diff(b->end, b->stop));
}

static void test_the_phases_never_cross_whatever_is_configured(void **state)
{
	static const msec_t sizes[] = { 0, 1, 3, 499, 500, 1000, 2000, 4999, 30000, 86400000, (msec_t)1 << 31 };
	size_t n = sizeof(sizes) / sizeof(sizes[0]);

	(void)state;
	for (size_t i = 0; i < n * n * n * n; i++) {
		struct lifecycle_conf conf = {
			.grace_ms = sizes[i % n],
			.pre_stop_ms = sizes[i / n % n],
			.margin_ms = sizes[i / n / n % n],
			.lame_duck_max_ms = sizes[i / n / n / n % n],
			.lame_duck_min_ms = 5000,
		};
		for (size_t j = 0; j < n; j++) {
			struct budget b = budget_at(&conf, sizes[j], sizes[n - 1 - j], (mono_t){ T0 });
			check_order(&b);
		}
	}
}

static void print(const struct example *x, struct buf *out)
{
	struct budget b = budget_of(x);

	budget_print(&b, &x->conf, out);
	buf_add_char(out, '\0');
}

static void test_the_plan_names_each_phase_with_its_start_its_bound_and_what_is_left(void **state)
{
	static const char *const lines[] = {
		"Shutdown plan: 30 s from SIGTERM to SIGKILL\n",
		"  lame_duck                0 s      10 s      30 s   |##########                    |\n",
		"  draining                10 s    23.5 s      20 s   |          #############       |\n",
		"  stopping_backends     23.5 s      28 s     6.5 s   |                       #####  |\n",
		"  exiting                 28 s      29 s       2 s   |                            # |\n",
		"at 23.5 s calls older than 13.5 s are cut",
	};
	struct buf out = { 0 };

	(void)state;
	print(&examples[0], &out);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!span_has(buf_span(&out), lines[i]))
			fail_msg("\"%s\" is not in:\n%s", lines[i], buf_span(&out).p);
	assert_false(span_has(buf_span(&out), "warning"));
	buf_free(&out);
}

static void test_the_plan_warns_of_each_setting_that_was_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < EXAMPLES; i++) {
		struct buf out = { 0 };
		print(&examples[i], &out);
		for (unsigned clip = CLIP_MARGIN; clip <= CLIP_PRE_STOP; clip <<= 1) {
			bool warned = span_has(buf_span(&out), budget_clip_sentence(clip));
			assert_int_equal(warned, (examples[i].clipped & clip) != 0);
		}
		buf_free(&out);
	}
}

static void test_the_plan_tells_what_prestop_takes(void **state)
{
	struct buf out = { 0 };

	(void)state;
	print(&examples[1], &out);
	assert_true(
	        span_has(buf_span(&out), "20 s from SIGTERM to SIGKILL (gracePeriod 30 s, preStop takes 10 s of it)"));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_worked_examples_come_out),
		cmocka_unit_test(test_a_drain_before_the_signal_counts),
		cmocka_unit_test(test_the_phases_never_cross_whatever_is_configured),
		cmocka_unit_test(test_the_plan_names_each_phase_with_its_start_its_bound_and_what_is_left),
		cmocka_unit_test(test_the_plan_warns_of_each_setting_that_was_cut),
		cmocka_unit_test(test_the_plan_tells_what_prestop_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
