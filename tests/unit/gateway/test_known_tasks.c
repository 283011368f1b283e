#include "unit.h"

#include <stdio.h>

#include "gateway/known_tasks.h"

static const struct task_place shared = { { "a", 1 }, 0 }, own = { { "a", 1 }, 7 }, other = { { "b", 1 }, 0 };
static const mono_t now = { 1000 };

static void add(struct known_tasks *k, const struct task_place *place, const char *id, void *owner, uint64_t number,
        const char *token)
{
	known_tasks_add(k, place, span_of(id), owner, MONO_NEVER, number, token != NULL ? span_of(token) : SPAN_NONE);
}

static void test_a_task_is_found_by_its_id_and_by_the_number_of_its_progress(void **state)
{
	struct known_tasks k;
	int one, two, three;

	(void)state;
	known_tasks_init(&k);
	add(&k, &shared, "t", &one, 5, "\"p\"");
	add(&k, &own, "t", &two, 5, "6");
	add(&k, &other, "t", &three, 5, NULL);
	assert_ptr_equal(known_tasks_find(&k, &shared, SPAN("t"), now)->owner, &one);
	assert_ptr_equal(known_tasks_find(&k, &own, SPAN("t"), now)->owner, &two);
	assert_ptr_equal(known_tasks_find(&k, &other, SPAN("t"), now)->owner, &three);
	assert_null(known_tasks_find(&k, &shared, SPAN("u"), now));
	assert_span(known_tasks_find_number(&k, &shared, 5, now)->token, "\"p\"");
	assert_span(known_tasks_find_number(&k, &own, 5, now)->token, "6");
	assert_null(known_tasks_find_number(&k, &other, 5, now));
	assert_null(known_tasks_find_number(&k, &shared, 6, now));
	known_tasks_forget(&k, &one);
	assert_null(known_tasks_find(&k, &shared, SPAN("t"), now));
	assert_null(known_tasks_find_number(&k, &shared, 5, now));
	assert_non_null(known_tasks_find(&k, &own, SPAN("t"), now));
	known_tasks_clear(&k);
}

static void test_its_progress_ends_before_it_is_forgotten(void **state)
{
	struct known_tasks k;
	int one;

	(void)state;
	known_tasks_init(&k);
	known_tasks_add(&k, &shared, SPAN("t"), &one, mono_add(now, 50), 1, SPAN("1"));
	known_tasks_end_progress(&k, known_tasks_find(&k, &shared, SPAN("t"), now));
	assert_null(known_tasks_find_number(&k, &shared, 1, now));
	assert_non_null(known_tasks_find(&k, &shared, SPAN("t"), mono_add(now, 49)));
	assert_null(known_tasks_find(&k, &shared, SPAN("t"), mono_add(now, 50)));
	known_tasks_add(&k, &shared, SPAN("t"), &one, mono_add(now, 50), 1, SPAN("1"));
	assert_null(known_tasks_find_number(&k, &shared, 1, mono_add(now, 50)));
	assert_null(known_tasks_find(&k, &shared, SPAN("t"), now)); /* it is gone */
	known_tasks_clear(&k);
}

static void test_ids_and_numbers_are_used_again_by_another_process(void **state)
{
	struct known_tasks k;
	int one, two;

	(void)state;
	known_tasks_init(&k);
	add(&k, &own, "t", &one, 1, "1");
	add(&k, &own, "u", &one, 2, "2");
	add(&k, &own, "u", &two, 1, "3");
	assert_span(known_tasks_find_number(&k, &own, 1, now)->token, "3");
	assert_null(known_tasks_find_number(&k, &own, 2, now));
	assert_ptr_equal(known_tasks_find(&k, &own, SPAN("t"), now)->owner, &one);
	assert_ptr_equal(known_tasks_find(&k, &own, SPAN("u"), now)->owner, &two);
	known_tasks_clear(&k);
}

static void test_who_counts_from_the_beginning_again_tells_nobody_of_old_progress(void **state)
{
	struct known_tasks k;
	int one;

	(void)state;
	known_tasks_init(&k);
	add(&k, &own, "t", &one, 1, "1");
	known_tasks_renumbered(&k, span_cut(own.server, own.server.n - 1)); /* of another name */
	assert_non_null(known_tasks_find_number(&k, &own, 1, now));
	known_tasks_renumbered(&k, own.server);
	assert_null(known_tasks_find_number(&k, &own, 1, now));
	assert_non_null(known_tasks_find(&k, &own, SPAN("t"), now));
	known_tasks_clear(&k);
}

static void test_the_oldest_is_forgotten_and_long_texts_are_not_kept(void **state)
{
	static char text[KNOWN_TASK_TEXT_MAX + 1];
	const struct span longest = { text, KNOWN_TASK_TEXT_MAX }, too_long = { text, sizeof(text) };
	struct known_tasks k;
	char id[16];
	int one;

	(void)state;
	memset(text, 'x', sizeof(text));
	known_tasks_init(&k);
	for (unsigned i = 0; i < KNOWN_TASKS_MAX + 1; i++) {
		snprintf(id, sizeof(id), "%u", i);
		add(&k, &shared, id, &one, i, "1");
	}
	assert_null(known_tasks_find(&k, &shared, SPAN("0"), now));
	assert_null(known_tasks_find_number(&k, &shared, 0, now));
	assert_non_null(known_tasks_find(&k, &shared, SPAN("1"), now));
	known_tasks_add(&k, &other, too_long, &one, MONO_NEVER, 1, SPAN("1"));
	assert_null(known_tasks_find_number(&k, &other, 1, now));
	known_tasks_add(&k, &other, longest, &one, MONO_NEVER, 1, too_long);
	assert_non_null(known_tasks_find(&k, &other, longest, now));
	assert_null(known_tasks_find_number(&k, &other, 1, now));
	known_tasks_clear(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_task_is_found_by_its_id_and_by_the_number_of_its_progress),
		cmocka_unit_test(test_its_progress_ends_before_it_is_forgotten),
		cmocka_unit_test(test_ids_and_numbers_are_used_again_by_another_process),
		cmocka_unit_test(test_who_counts_from_the_beginning_again_tells_nobody_of_old_progress),
		cmocka_unit_test(test_the_oldest_is_forgotten_and_long_texts_are_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
