#include "unit.h"

#include <stdio.h>

#include "gateway/subscriptions.h"

static const struct resource_name u = { SPAN("s"), 0, SPAN("u://a"), WANTED_RESOURCE };

static void note(void *arg, struct subscriber *who)
{
	struct subscriber **told = arg;

	while (*told != NULL)
		told++;
	*told = who;
}

static void test_the_first_and_the_last_are_told(void **state)
{
	struct subscriptions s;
	struct subscriber a, b;
	bool first, last;

	(void)state;
	subscriptions_init(&s);
	subscriber_init(&a);
	subscriber_init(&b);
	assert_true(subscriptions_add(&s, &a, &u, &first));
	assert_true(first);
	assert_true(subscriptions_add(&s, &a, &u, &first));
	assert_false(first);
	assert_true(subscriptions_add(&s, &b, &u, &first));
	assert_false(first);
	assert_int_equal(a.count, 1);
	assert_true(subscriptions_have(&s, &u));
	assert_true(subscriptions_remove(&s, &a, &u, &last));
	assert_false(last);
	assert_false(subscriptions_remove(&s, &a, &u, &last));
	assert_true(subscriptions_remove(&s, &b, &u, &last));
	assert_true(last);
	assert_false(subscriptions_have(&s, &u));
	subscriptions_clear(&s);
}

static void leave(struct subscriptions *s, struct subscriber *who)
{
	struct resource_name name;
	bool last;

	while (subscriber_first(who, SPAN_NONE, &name)) {
		struct resource_name same = name;
		assert_true(subscriptions_remove(s, who, &same, &last));
	}
}

static void test_servers_and_sessions_tell_resources_apart(void **state)
{
	const struct resource_name names[] = { u, { SPAN("s"), 7, SPAN("u://a"), WANTED_RESOURCE },
		{ SPAN("t"), 0, SPAN("u://a"), WANTED_RESOURCE }, { SPAN("s"), 0, SPAN("u://a"), WANTED_TASK } };
	struct subscriber *told[4] = { NULL }, who[4];
	struct subscriptions s;
	bool first;

	(void)state;
	subscriptions_init(&s);
	for (int i = 0; i < 4; i++) {
		subscriber_init(&who[i]);
		assert_true(subscriptions_add(&s, &who[i], &names[i], &first));
		assert_true(first);
	}
	subscriptions_update(&s, &names[1], note, told);
	assert_ptr_equal(told[0], &who[1]);
	assert_null(told[1]);
	for (int i = 0; i < 4; i++)
		leave(&s, &who[i]);
	subscriptions_clear(&s);
}

static void test_who_subscribes_to_the_whole_hears_of_its_parts_and_once(void **state)
{
	struct resource_name part = u, whole = u;
	struct subscriber *told[4] = { NULL }, a, b;
	struct subscriptions s;
	bool first;

	(void)state;
	subscriptions_init(&s);
	subscriber_init(&a);
	subscriber_init(&b);
	subscriptions_add(&s, &a, &u, &first);
	part.uri = SPAN("u://a/b#c");
	subscriptions_add(&s, &a, &part, &first);
	whole.uri = SPAN("u://a/");
	subscriptions_add(&s, &b, &whole, &first);
	subscriptions_update(&s, &part, note, told);
	assert_ptr_equal(told[0], &a);
	assert_ptr_equal(told[1], &b);
	assert_null(told[2]);
	told[0] = told[1] = NULL;
	part.uri = SPAN("u://ab");
	subscriptions_update(&s, &part, note, told);
	assert_null(told[0]);
	subscriptions_update(&s, &u, note, told);
	assert_ptr_equal(told[0], &a);
	assert_null(told[1]);
	leave(&s, &a);
	leave(&s, &b);
	subscriptions_clear(&s);
}

static void count(void *arg, const struct resource_name *name)
{
	assert_true(span_eq(name->server, SPAN("s")));
	++*(int *)arg;
}

static void test_there_are_bounds(void **state)
{
	struct resource_name name = u;
	struct subscriptions s;
	struct subscriber a;
	char uri[SUBSCRIPTION_URI_MAX + 1];
	int seen = 0;
	bool first;

	(void)state;
	subscriptions_init(&s);
	subscriber_init(&a);
	memset(uri, '/', sizeof(uri));
	name.uri = (struct span){ uri, sizeof(uri) };
	assert_false(subscriptions_add(&s, &a, &name, &first));
	for (int i = 0; i < SUBSCRIPTIONS_MAX; i++) {
		name.uri.n = (size_t)snprintf(uri, sizeof(uri), "u:%d", i);
		assert_true(subscriptions_add(&s, &a, &name, &first));
	}
	assert_false(subscriptions_add(&s, &a, &u, &first));
	assert_true(subscriptions_add(&s, &a, &name, &first));
	subscriptions_each(&s, SPAN("s"), count, &seen);
	subscriptions_each(&s, SPAN("t"), count, &seen);
	assert_int_equal(seen, SUBSCRIPTIONS_MAX);
	leave(&s, &a);
	subscriptions_clear(&s);
}

static void test_what_the_server_has_said_is_kept_as_long_as_somebody_subscribes(void **state)
{
	struct subscriber who[2];
	struct subscriptions s;
	bool first;

	(void)state;
	subscriptions_init(&s);
	subscriptions_agree(&s, &u, true); /* to nobody */
	assert_int_equal(subscriptions_agreement(&s, &u), AGREEMENT_NONE);
	for (int i = 0; i < 2; i++) {
		subscriber_init(&who[i]);
		assert_true(subscriptions_add(&s, &who[i], &u, &first));
		assert_int_equal(
		        subscription_agreement(list_first(&who[i].all)), i == 0 ? AGREEMENT_NONE : AGREEMENT_YES);
		subscriptions_agree(&s, &u, true);
	}
	leave(&s, &who[0]);
	subscriptions_agree(&s, &u, false);
	assert_int_equal(subscription_agreement(list_first(&who[1].all)), AGREEMENT_NO);
	assert_int_equal(subscriptions_agreement(&s, &u), AGREEMENT_NO);
	leave(&s, &who[1]);
	assert_true(subscriptions_add(&s, &who[0], &u, &first));
	assert_int_equal(subscription_agreement(list_first(&who[0].all)), AGREEMENT_NONE);
	leave(&s, &who[0]);
	subscriptions_clear(&s);
}

static void test_a_task_is_part_of_no_other(void **state)
{
	const struct resource_name task = { SPAN("s"), 0, SPAN("a"), WANTED_TASK },
	                           longer = { SPAN("s"), 0, SPAN("a/b"), WANTED_TASK };
	struct subscriber *told[4] = { NULL }, who;
	struct subscriptions s;
	bool first;

	(void)state;
	subscriptions_init(&s);
	subscriber_init(&who);
	assert_true(subscriptions_add(&s, &who, &task, &first));
	assert_int_equal(subscription_name(list_first(&who.all))->kind, WANTED_TASK);
	subscriptions_update(&s, &longer, note, told);
	assert_null(told[0]);
	subscriptions_update(&s, &task, note, told);
	assert_ptr_equal(told[0], &who);
	leave(&s, &who);
	subscriptions_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_and_the_last_are_told),
		cmocka_unit_test(test_servers_and_sessions_tell_resources_apart),
		cmocka_unit_test(test_who_subscribes_to_the_whole_hears_of_its_parts_and_once),
		cmocka_unit_test(test_there_are_bounds),
		cmocka_unit_test(test_what_the_server_has_said_is_kept_as_long_as_somebody_subscribes),
		cmocka_unit_test(test_a_task_is_part_of_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
