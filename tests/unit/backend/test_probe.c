#include "unit.h"

#include "backend/probe.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_every_cell_is_set(void **state)
{
	(void)state;
	for (int s = 0; s < PROBE_STATE_COUNT; s++)
		for (int e = 0; e < PROBE_EVENT_COUNT; e++)
			assert_true(probe_cell((enum probe_state)s, (enum probe_event)e).set);
}

static char letter_of(enum probe_action action)
{
	static const char letters[] = {
		[PROBE_DO_NOTHING] = '.',
		[PROBE_DO_DISCOVER] = 'D',
		[PROBE_DO_INITIALIZE] = 'I',
		[PROBE_DO_ACCEPT] = '+',
		[PROBE_DO_FAIL] = '-',
		[PROBE_DO_ANOTHER] = 'A',
	};

	return letters[action];
}

/* What is done for one process: its first word, then for each event. */
static void run_process(struct probe_known *known, bool old_first, const char *events, char *out)
{
	static const struct {
		char name;
		enum probe_event event;
	} names[] = {
		{ 'm', PROBE_EV_MODERN },
		{ 'n', PROBE_EV_NOT_MODERN },
		{ 'u', PROBE_EV_NAMES_US },
		{ 's', PROBE_EV_SILENT },
		{ 'l', PROBE_EV_LEGACY },
		{ 'x', PROBE_EV_NOT_LEGACY },
		{ 'r', PROBE_EV_REFUSED },
		{ 'e', PROBE_EV_EXIT },
	};
	struct probe_step step = probe_begin(known, old_first);

	*out++ = letter_of(step.action);
	for (; *events != '\0'; events++)
		for (size_t i = 0; i < COUNT(names); i++)
			if (names[i].name == *events) {
				step = probe_on(step.next, names[i].event, known);
				*out++ = letter_of(step.action);
			}
	*out = '\0';
}

static void test_servers_of_all_kinds_are_found_out(void **state)
{
	static const struct {
		const char *what;
		bool old_first;
		struct probe_known before;
		const char *events, *done;
		struct probe_known after;
	} cases[] = {
	/* clang-format off */
#define Y VERDICT_YES
#define N VERDICT_NO
#define O VERDICT_NONE
		{ "modern", false, { O, O, false }, "m", "D+", { Y, O, false } },
		{ "legacy", false, { O, O, false }, "nl", "DI+", { N, Y, false } },
		{ "silent", false, { O, O, false }, "sl", "DI+", { N, Y, false } },
		{ "silent and then it says no", false, { O, O, false }, "snl", "DI.+", { N, Y, false } },
		{ "slow and modern", false, { O, O, false }, "smxm", "DI.D+", { Y, N, false } },
		{ "slow and of both", false, { O, O, false }, "sml", "DI.+", { Y, Y, false } },
		{ "ends", false, { O, O, false }, "e", "DA", { O, O, true } },
		{ "ends, the second process", false, { O, O, true }, "l", "I+", { N, Y, false } },
		{ "ended of something else", false, { O, O, true }, "xm", "ID+", { Y, N, false } },
		{ "slow and ends", false, { O, O, false }, "se", "DIA", { O, O, true } },
		{ "neither", false, { O, O, false }, "nx", "DI-", { O, O, false } },
		{ "refuses", false, { O, O, false }, "nr", "DI-", { O, O, false } },
		{ "does not know what it knows", false, { O, O, false }, "um", "DD+", { Y, N, false } },
		{ "does not know it again", false, { O, O, false }, "un", "DD-", { O, O, false } },
		{ "modern again", false, { Y, O, false }, "m", "D+", { Y, O, false } },
		{ "modern, and slow to start", false, { Y, O, false }, "sm", "D.+", { Y, O, false } },
		{ "modern no more", false, { Y, O, false }, "nl", "DI+", { N, Y, false } },
		{ "modern no more, and ends", false, { Y, O, false }, "e", "DA", { O, O, true } },
		{ "legacy again", false, { N, Y, false }, "l", "I+", { N, Y, false } },
		{ "legacy no more", false, { N, Y, false }, "xm", "ID+", { Y, N, false } },
		{ "legacy, and refuses", false, { N, Y, false }, "r", "I-", { N, Y, false } },
		{ "legacy, and ends", false, { N, Y, false }, "e", "I-", { N, Y, false } },
		{ "for a legacy client, of both", true, { Y, O, false }, "l", "I+", { Y, Y, false } },
		{ "for a legacy client, modern", true, { Y, O, false }, "xm", "ID+", { Y, N, false } },
		{ "for another legacy client", true, { Y, N, false }, "m", "D+", { Y, N, false } },
		{ "an answer when all is over", false, { N, Y, false }, "lm", "I+.", { O, Y, false } },
#undef Y
#undef N
#undef O
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct probe_known known = cases[i].before;
		char done[16];
		run_process(&known, cases[i].old_first, cases[i].events, done);
		if (strcmp(done, cases[i].done) != 0 || known.modern != cases[i].after.modern ||
		        known.legacy != cases[i].after.legacy || known.shy != cases[i].after.shy)
			fail_msg("%s: %s, wanted %s; known %d %d %d", cases[i].what, done, cases[i].done, known.modern,
			        known.legacy, known.shy);
	}
}

static void test_who_was_known_to_answer_and_did_not_is_found_out_anew(void **state)
{
	struct probe_known known = { .modern = VERDICT_YES };

	(void)state;
	probe_timed_out(PROBE_LAST, &known);
	assert_true(known.modern == VERDICT_YES && !known.shy);
	probe_timed_out(PROBE_SURE, &known);
	assert_true(known.modern == VERDICT_NONE && known.shy);
	known = (struct probe_known){ .shy = false };
	probe_timed_out(PROBE_ASKING, &known);
	assert_int_equal(probe_begin(&known, false).action, PROBE_DO_INITIALIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cell_is_set),
		cmocka_unit_test(test_servers_of_all_kinds_are_found_out),
		cmocka_unit_test(test_who_was_known_to_answer_and_did_not_is_found_out_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
