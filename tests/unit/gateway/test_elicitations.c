#include "unit.h"

#include <stdio.h>

#include "gateway/elicitations.h"

static void test_who_was_asked_is_found_by_server_and_id(void **state)
{
	struct elicitations e;
	int one, two;

	(void)state;
	elicitations_init(&e);
	elicitations_add(&e, SPAN("a"), SPAN("1"), &one);
	elicitations_add(&e, SPAN("b"), SPAN("1"), &two);
	assert_ptr_equal(elicitations_find(&e, SPAN("a"), SPAN("1")), &one);
	assert_ptr_equal(elicitations_find(&e, SPAN("b"), SPAN("1")), &two);
	assert_null(elicitations_find(&e, SPAN("b"), SPAN("2")));
	elicitations_add(&e, SPAN("b"), SPAN("1"), &one);
	assert_ptr_equal(elicitations_find(&e, SPAN("b"), SPAN("1")), &one);
	elicitations_forget(&e, &one);
	assert_null(elicitations_find(&e, SPAN("a"), SPAN("1")));
	elicitations_clear(&e);
}

static void test_the_oldest_is_forgotten_for_the_newest(void **state)
{
	struct elicitations e;
	char id[16];
	int one;

	(void)state;
	elicitations_init(&e);
	for (int i = 0; i <= ELICITATIONS_MAX; i++) {
		snprintf(id, sizeof(id), "%d", i);
		elicitations_add(&e, SPAN("a"), span_of(id), &one);
	}
	assert_null(elicitations_find(&e, SPAN("a"), SPAN("0")));
	assert_non_null(elicitations_find(&e, SPAN("a"), SPAN("1")));
	assert_non_null(elicitations_find(&e, SPAN("a"), span_of(id)));
	elicitations_clear(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_was_asked_is_found_by_server_and_id),
		cmocka_unit_test(test_the_oldest_is_forgotten_for_the_newest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
