#include "unit.h"

#include "backend/pending.h"

/* A call, and what it was told. */
struct noted {
	struct backend_call call;
	int ends;
	enum end_reason why;
	enum outcome outcome;
};

static void note_end(struct backend_call *call, enum end_reason why, enum outcome outcome, const struct message *answer)
{
	struct noted *n = list_entry(call, struct noted, call);

	assert_null(answer);
	n->ends++;
	n->why = why;
	n->outcome = outcome;
}

static const struct backend_sink sink = { .ended = note_end };

static void test_calls_are_found_by_their_numbers_until_they_leave(void **state)
{
	struct noted a = { .call.sink = &sink }, b = { .call.sink = &sink };
	struct sched sched;
	struct pending p;

	(void)state;
	sched_init(&sched, (mono_t){ 0 });
	pending_init(&p, &sched);
	pending_add(&p, &a.call);
	pending_next_id(&p);
	pending_add(&p, &b.call);
	assert_ptr_equal(pending_find(&p, 1), &a.call);
	assert_null(pending_find(&p, 2));
	assert_ptr_equal(pending_find(&p, 3), &b.call);
	assert_int_equal(pending_count(&p), 2);
	pending_forget(&p, &a.call);
	assert_null(pending_find(&p, 1));
	assert_false(pending_is_in_flight(&a.call));
	pending_forget(&p, &b.call);
	pending_clear(&p);
	sched_clear(&sched);
}

static void test_ends_that_are_due_are_told_by_a_post_unless_they_are_forgotten(void **state)
{
	struct noted a = { .call.sink = &sink }, b = { .call.sink = &sink };
	struct sched sched;
	struct pending p;

	(void)state;
	sched_init(&sched, (mono_t){ 0 });
	pending_init(&p, &sched);
	pending_end_later(&p, &a.call, END_OVERLOADED, OUTCOME_NOT_SENT);
	pending_end_later(&p, &b.call, END_BACKEND_EXITED, OUTCOME_UNKNOWN);
	assert_int_equal(a.ends + b.ends, 0);
	pending_forget(&p, &b.call);
	assert_int_equal(b.call.outcome, OUTCOME_UNKNOWN);
	sched_run_posts(&sched);
	assert_int_equal(a.ends, 1);
	assert_int_equal(a.why, END_OVERLOADED);
	assert_int_equal(a.outcome, OUTCOME_NOT_SENT);
	assert_int_equal(b.ends, 0);
	pending_clear(&p);
	sched_clear(&sched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_are_found_by_their_numbers_until_they_leave),
		cmocka_unit_test(test_ends_that_are_due_are_told_by_a_post_unless_they_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
