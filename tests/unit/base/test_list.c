#include "unit.h"

#include "base/list.h"

struct item {
	int number;
	struct list node;
};

static struct item items[] = { { 1, { 0 } }, { 2, { 0 } }, { 3, { 0 } } };

static void fill(struct list *head)
{
	list_init(head);
	for (size_t i = 0; i < 3; i++) {
		items[i].node = (struct list){ 0 }; /* the head of the test before is gone */
		list_append(head, &items[i].node);
	}
}

static int digits_of(const struct list *head)
{
	int digits = 0;

	list_each (node, head)
		digits = digits * 10 + list_entry(node, struct item, node)->number;
	return digits;
}

static void test_order_is_that_of_appending(void **state)
{
	struct list head;

	(void)state;
	list_init(&head);
	assert_true(list_is_empty(&head));
	assert_null(list_first(&head));
	assert_null(list_take_first(&head));
	fill(&head);
	assert_int_equal(digits_of(&head), 123);
	assert_ptr_equal(list_first(&head), &items[0].node);
	assert_ptr_equal(list_take_first(&head), &items[0].node);
	assert_int_equal(digits_of(&head), 23);
}

static void test_taking_out_is_safe_twice(void **state)
{
	struct list head;
	struct item zeroed = { 0 };

	(void)state;
	fill(&head);
	assert_true(list_is_linked(&items[1].node));
	list_unlink(&items[1].node);
	assert_false(list_is_linked(&items[1].node));
	list_unlink(&items[1].node);
	list_unlink(&zeroed.node);
	assert_int_equal(digits_of(&head), 13);
}

static void test_a_walk_survives_taking_out_where_it_is(void **state)
{
	struct list head;
	int seen = 0;

	(void)state;
	fill(&head);
	list_each (node, &head) {
		seen++;
		list_unlink(node);
	}
	assert_int_equal(seen, 3);
	assert_true(list_is_empty(&head));
}

static void test_moving_all_leaves_an_empty_list(void **state)
{
	struct list from, to;

	(void)state;
	fill(&from);
	list_move_all(&from, &to);
	assert_true(list_is_empty(&from));
	assert_int_equal(digits_of(&to), 123);
	list_unlink(&items[0].node);
	list_unlink(&items[2].node);
	assert_int_equal(digits_of(&to), 2);
	list_move_all(&from, &to); /* nothing */
	assert_true(list_is_empty(&to));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_is_that_of_appending),
		cmocka_unit_test(test_taking_out_is_safe_twice),
		cmocka_unit_test(test_a_walk_survives_taking_out_where_it_is),
		cmocka_unit_test(test_moving_all_leaves_an_empty_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
