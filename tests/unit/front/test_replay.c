#include "unit.h"

#include <stdio.h>

#include "front/replay.h"

#define SESSION 7
#define STREAM_BYTES_MAX 200 /* of a stream without its events */

struct fixture {
	struct sched sched;
	struct replay *replay;
	uint64_t resumed_at; /* by the port below */
};

static void on_resume(void *arg, struct http_exchange *ex, const struct http_request *req, uint64_t seq)
{
	struct fixture *f = arg;

	assert_true(ex == NULL && req == NULL);
	f->resumed_at = seq;
}

static const struct replay_port port = { .resume = on_resume };

static void begin(struct fixture *f, size_t stream_bytes, size_t total_bytes)
{
	*f = (struct fixture){ 0 };
	sched_init(&f->sched, (mono_t){ 1000 });
	f->replay = replay_new(
	        &(struct replay_conf){ .stream_bytes = stream_bytes, .total_bytes = total_bytes, .time_ms = 500 },
	        &f->sched);
}

static void end(struct fixture *f)
{
	replay_free(&f->replay);
	sched_clear(&f->sched);
}

static struct replay_stream *open_one(struct fixture *f)
{
	return replay_open(f->replay, SESSION, SPAN("1"), &port, f);
}

static struct event_id put(struct replay_stream *s, const char *text, bool last)
{
	struct pieces json = pieces_of(span_of(text));
	struct event_id id;

	assert_true(event_id_parse(replay_put(s, &json, last), &id));
	id.call = SPAN_NONE; /* it points into the keeper's text */
	return id;
}

static void write_down(void *arg, struct span id, const struct pieces *json)
{
	struct buf *out = arg;
	struct event_id parsed;

	assert_true(event_id_parse(id, &parsed));
	assert_span(parsed.call, "MQ");
	buf_printf(out, "%u%s=", (unsigned)parsed.seq, parsed.last ? "e" : "");
	pieces_put(out, json);
	buf_add_char(out, ' ');
}

static void assert_kept(struct replay_stream *s, uint64_t after, const char *wanted)
{
	struct buf out = { 0 };
	bool any = replay_each_after(s, after, write_down, &out);

	assert_span_is(buf_span(&out), span_of(wanted));
	assert_int_equal(any, wanted[0] != '\0');
	buf_free(&out);
}

static void test_what_came_after_an_event_is_told_in_order(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 10000, 10000);
	struct replay_stream *s = open_one(&f);
	assert_false(replay_has_ids(s));
	struct event_id first = put(s, "a", false);
	put(s, "b", false);
	put(s, "c", true);
	assert_true(replay_has_ids(s));
	assert_int_equal(first.seq, 1);
	assert_kept(s, 0, "1=a 2=b 3e=c ");
	assert_kept(s, 1, "2=b 3e=c ");
	assert_kept(s, 3, "");
	assert_kept(s, UINT64_MAX, "");
	replay_drop(&s);
	assert_int_equal(replay_bytes(f.replay), 0);
	end(&f);
}

static void test_a_stream_is_found_by_its_own_session_only(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 10000, 10000);
	struct replay_stream *s = open_one(&f);
	struct event_id id = put(s, "a", false);
	assert_ptr_equal(replay_find(f.replay, SESSION, id.stream), s);
	assert_null(replay_find(f.replay, SESSION + 1, id.stream));
	assert_null(replay_find(f.replay, SESSION, id.stream + 1));
	replay_resume(s, NULL, NULL, 5);
	assert_int_equal(f.resumed_at, 5);
	replay_drop(&s);
	assert_null(replay_find(f.replay, SESSION, id.stream));
	end(&f);
}

static void test_a_finished_stream_is_kept_for_its_time(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 10000, 10000);
	struct replay_stream *s = open_one(&f), *t = open_one(&f);
	struct event_id one = put(s, "a", true), two = put(t, "b", true);
	assert_true(replay_is_live(s));
	replay_finish(&s);
	assert_null(s);
	sched_run_timers(&f.sched, (mono_t){ 1300 });
	replay_finish(&t);
	assert_false(replay_is_live(replay_find(f.replay, SESSION, one.stream)));
	assert_kept(replay_find(f.replay, SESSION, one.stream), 0, "1e=a ");
	sched_run_timers(&f.sched, (mono_t){ 1500 });
	assert_null(replay_find(f.replay, SESSION, one.stream));
	assert_non_null(replay_find(f.replay, SESSION, two.stream));
	sched_run_timers(&f.sched, (mono_t){ 1800 });
	assert_null(replay_find(f.replay, SESSION, two.stream));
	assert_int_equal(replay_bytes(f.replay), 0);
	end(&f);
}

static void test_the_oldest_events_of_a_stream_go_and_the_newest_stays(void **state)
{
	struct fixture f;
	char large[600];

	(void)state;
	begin(&f, 400, 10000);
	struct replay_stream *s = open_one(&f);
	for (int i = 0; i < 100; i++)
		put(s, "0123456789", false);
	assert_true(replay_bytes(f.replay) <= 400 + STREAM_BYTES_MAX);
	memset(large, 'x', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	put(s, large, true);
	assert_true(replay_bytes(f.replay) > 600 && replay_bytes(f.replay) < 800 + STREAM_BYTES_MAX);
	assert_false(replay_each_after(s, 101, NULL, NULL));
	assert_true(replay_each_after(s, 100, NULL, NULL));
	replay_drop(&s);
	end(&f);
}

/* A finished stream of which nothing is left goes too. */
static void test_the_oldest_events_of_all_go_first(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 10000, 500);
	struct replay_stream *s = open_one(&f), *t = open_one(&f);
	struct event_id one = put(s, "a", true);
	replay_finish(&s);
	for (int i = 0; i < 20; i++)
		put(t, "0123456789", false);
	assert_null(replay_find(f.replay, SESSION, one.stream));
	assert_true(replay_bytes(f.replay) <= 500);
	assert_kept(t, 19, "20=0123456789 ");
	replay_drop(&t);
	end(&f);
}

static void test_what_is_larger_than_all_is_not_kept(void **state)
{
	struct fixture f;
	char large[2000];

	(void)state;
	begin(&f, 10000, 1000);
	struct replay_stream *s = open_one(&f);
	put(s, "a", false);
	memset(large, 'x', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(put(s, large, false).seq, 2);
	put(s, "b", false);
	assert_kept(s, 0, "1=a 3=b ");
	replay_drop(&s);
	s = open_one(&f);
	struct event_id id = put(s, large, true);
	replay_finish(&s);
	assert_null(replay_find(f.replay, SESSION, id.stream)); /* nothing is left of it */
	end(&f);
}

static void test_nothing_is_kept_where_that_is_off_or_the_call_has_too_long_an_id(void **state)
{
	struct fixture f;
	char long_id[EVENT_CALL_MAX + 1] = { 0 };

	(void)state;
	begin(&f, 0, 1000);
	assert_null(open_one(&f));
	end(&f);
	begin(&f, 1000, 0);
	assert_null(open_one(&f));
	end(&f);
	begin(&f, 1000, 1000);
	assert_null(replay_open(f.replay, SESSION, (struct span){ long_id, sizeof(long_id) }, &port, &f));
	end(&f);
}

static void test_an_event_without_data_stands_before_all_others(void **state)
{
	struct fixture f;
	struct event_id id;

	(void)state;
	begin(&f, 1000, 1000);
	struct replay_stream *s = replay_open(f.replay, SESSION, SPAN_NONE, &port, &f);
	assert_true(event_id_parse(replay_first_id(s), &id));
	assert_int_equal(id.seq, 0);
	assert_span(id.call, "");
	assert_true(replay_has_ids(s));
	replay_drop(&s);
	replay_drop(&s);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_came_after_an_event_is_told_in_order),
		cmocka_unit_test(test_a_stream_is_found_by_its_own_session_only),
		cmocka_unit_test(test_a_finished_stream_is_kept_for_its_time),
		cmocka_unit_test(test_the_oldest_events_of_a_stream_go_and_the_newest_stays),
		cmocka_unit_test(test_the_oldest_events_of_all_go_first),
		cmocka_unit_test(test_what_is_larger_than_all_is_not_kept),
		cmocka_unit_test(test_nothing_is_kept_where_that_is_off_or_the_call_has_too_long_an_id),
		cmocka_unit_test(test_an_event_without_data_stands_before_all_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
