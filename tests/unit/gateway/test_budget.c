#include "unit.h"

#include <string.h>

#include "gateway/budget.h"

#define T0 1000000

/* clang-format off */
#define CONF(grace, pre_stop, duck_min, duck_max, margin)                                                   \
	{ .grace_ms = (grace), .pre_stop_ms = (pre_stop), .lame_duck_min_ms = (duck_min),                   \
	  .lame_duck_quiet_ms = 2000, .lame_duck_max_ms = (duck_max), .margin_ms = (margin) }

struct points {
	msec_t duck_min, duck_end, stop, end, backstop, killed; /* after the signal, which is at T0 */
};

/* the first row is what interface.md says when nothing is configured */
static const struct example {
	const char *name;
	struct lifecycle_conf conf;
	msec_t eof, term; /* of the server that takes longest */
	struct points at;
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
	{ "preStop takes all of it: the kubelet gives 2 s", CONF(30000, 30000, 5000, 10000, 2000), 2000, 2000,
		{ 750, 750, 750, 1500, 1750, 2000 }, 333, 333, CLIP_MARGIN | CLIP_STOP | CLIP_LAME_DUCK | CLIP_PRE_STOP },
	{ "preStop takes more than all of it", CONF(30000, 90000, 5000, 10000, 2000), 2000, 2000,
		{ 750, 750, 750, 1500, 1750, 2000 }, 333, 333, CLIP_MARGIN | CLIP_STOP | CLIP_LAME_DUCK | CLIP_PRE_STOP },
	{ "preStop leaves 1 s, which becomes 2 s", CONF(30000, 29000, 0, 0, 0), 0, 0,
		{ 0, 0, 1500, 2000, 2000, 2000 }, 0, 0, CLIP_PRE_STOP },
	{ "preStop leaves exactly 2 s", CONF(30000, 28000, 0, 0, 0), 0, 0,
		{ 0, 0, 1500, 2000, 2000, 2000 }, 0, 0, 0 },
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

static void check(const char *name, const char *what, int64_t got, int64_t wanted)
{
	if (got != wanted)
		fail_msg("%s: %s is %lld, wanted %lld", name, what, (long long)got, (long long)wanted);
}

static void check_points(const char *name, const struct budget *b, const struct points *at)
{
	check(name, "lame_duck_min", b->lame_duck_min.ms - T0, at->duck_min);
	check(name, "lame_duck_end", b->lame_duck_end.ms - T0, at->duck_end);
	check(name, "stop", b->stop.ms - T0, at->stop);
	check(name, "end", b->end.ms - T0, at->end);
	check(name, "backstop", b->backstop.ms - T0, at->backstop);
	check(name, "killed", b->killed.ms - T0, at->killed);
}

static void test_the_worked_examples_come_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < EXAMPLES; i++) {
		const struct example *x = &examples[i];
		struct budget b = budget_of(x);
		check(x->name, "t0", b.t0.ms, T0);
		check_points(x->name, &b, &x->at);
		check(x->name, "stop_eof_ms", b.stop_eof_ms, x->cap_eof);
		check(x->name, "stop_term_ms", b.stop_term_ms, x->cap_term);
		check(x->name, "clipped", b.clipped, x->clipped);
	}
}

/* clang-format off */
#define NOT_BEFORE (-1)

/* What went before the signal; the servers take 2 s + 2 s. */
static const struct continued {
	const char *name;
	struct lifecycle_conf conf;
	msec_t hook, lame_duck; /* so long before the signal, or NOT_BEFORE */
	struct points at;
} continuations[] = {
	{ "3 s of lame-duck count towards min and max", CONF(30000, 0, 5000, 10000, 2000), NOT_BEFORE, 3000,
		{ 2000, 7000, 23500, 28000, 29000, 30000 } },
	{ "all of lame-duck was spent", CONF(30000, 0, 5000, 10000, 2000), NOT_BEFORE, 10000,
		{ 0, 0, 23500, 28000, 29000, 30000 } },
	{ "an hour of lame-duck", CONF(30000, 0, 5000, 10000, 2000), NOT_BEFORE, 3600000,
		{ 0, 0, 23500, 28000, 29000, 30000 } },
	{ "a hook that took nothing", CONF(30000, 0, 5000, 10000, 2000), 0, 0,
		{ 5000, 10000, 23500, 28000, 29000, 30000 } },
	{ "a hook of 6 s: SIGKILL is 30 s after the hook", CONF(30000, 0, 5000, 10000, 2000), 6000, 6000,
		{ 0, 4000, 17500, 22000, 23000, 24000 } },
	{ "a hook of 6 s after 8 s of lame-duck", CONF(30000, 0, 5000, 10000, 2000), 6000, 14000,
		{ 0, 0, 17500, 22000, 23000, 24000 } },
	{ "a hook counts by itself: preStop is not subtracted", CONF(30000, 10000, 5000, 10000, 2000), 6000, 6000,
		{ 0, 4000, 17500, 22000, 23000, 24000 } },
	{ "a hook that leaves 6 s: margin is a quarter of them, stopping half", CONF(30000, 0, 5000, 40000, 2000), 24000, 24000,
		{ 0, 2250, 2250, 4500, 5250, 6000 } },
	{ "a hook that leaves 1 s: the kubelet gives 2 s", CONF(30000, 0, 5000, 10000, 2000), 29000, 29000,
		{ 0, 0, 750, 1500, 1750, 2000 } },
	{ "a hook that took all", CONF(30000, 0, 5000, 10000, 2000), 30000, 30000,
		{ 0, 0, 750, 1500, 1750, 2000 } },
	{ "a hook of yesterday", CONF(30000, 0, 5000, 10000, 2000), 86400000, 86400000,
		{ 0, 0, 750, 1500, 1750, 2000 } },
	{ "a grace period of 1 s with a hook is 2 s after the signal", CONF(1000, 0, 0, 0, 0), 500, 500,
		{ 0, 0, 1000, 2000, 2000, 2000 } },
};
/* clang-format on */

static mono_t before_signal(msec_t ms)
{
	return ms == NOT_BEFORE ? MONO_NEVER : (mono_t){ T0 - ms };
}

static void test_what_went_before_the_signal_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(continuations) / sizeof(*continuations); i++) {
		const struct continued *x = &continuations[i];
		const struct budget_start start = {
			.signal = { T0 },
			.hook = before_signal(x->hook),
			.lame_duck = before_signal(x->lame_duck),
		};
		struct budget b = budget_from(&x->conf, 2000, 2000, &start);
		check(x->name, "t0", b.t0.ms, x->hook == NOT_BEFORE ? T0 : T0 - x->hook);
		check_points(x->name, &b, &x->at);
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
			const struct budget_start start = {
				.signal = { T0 },
				.hook = before_signal(sizes[(i + j) % n]),
				.lame_duck = before_signal(sizes[(i + 2 * j) % n]),
			};
			struct budget told = budget_from(&conf, sizes[j], sizes[n - 1 - j], &start);
			struct budget b = budget_at(&conf, sizes[j], sizes[n - 1 - j], (mono_t){ T0 });
			check_order(&b);
			check_order(&told);
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
		if (strstr(buf_span(&out).p, lines[i]) == NULL)
			fail_msg("\"%s\" is not in:\n%s", lines[i], buf_span(&out).p);
	assert_null(strstr(buf_span(&out).p, "warning"));
	buf_free(&out);
}

static void test_the_plan_warns_of_each_setting_that_was_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < EXAMPLES; i++) {
		struct buf out = { 0 };
		print(&examples[i], &out);
		for (unsigned clip = CLIP_MARGIN; clip <= CLIP_PRE_STOP; clip <<= 1) {
			bool warned = strstr(buf_span(&out).p, budget_clip_sentence(clip)) != NULL;
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
	assert_non_null(
	        strstr(buf_span(&out).p, "20 s from SIGTERM to SIGKILL (gracePeriod 30 s, preStop takes 10 s of it)"));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_worked_examples_come_out),
		cmocka_unit_test(test_what_went_before_the_signal_counts),
		cmocka_unit_test(test_the_phases_never_cross_whatever_is_configured),
		cmocka_unit_test(test_the_plan_names_each_phase_with_its_start_its_bound_and_what_is_left),
		cmocka_unit_test(test_the_plan_warns_of_each_setting_that_was_cut),
		cmocka_unit_test(test_the_plan_tells_what_prestop_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
