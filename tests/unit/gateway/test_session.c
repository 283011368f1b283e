#include "gateway/session.h"

#include <stdlib.h>

#include "gateway/session_token.h"
#include "unit.h"

#define WALL ((int64_t)1795000000000)
#define IDLE_MS 3600000
#define MAX 3

static const struct session_info client = {
	.revision = REVISION_2025_06_18,
	.capabilities = CLIENT_ROOTS | CLIENT_ELICITATION,
	.client_name = "an example \xe2\x82\xac client",
	.client_version = "1.2.3",
};

/* One replica: a table with a clock of its own. */
struct replica {
	struct sched sched;
	struct key_ring *keys;
	struct sessions *table;
};

static void replica_start(struct replica *r, size_t max, unsigned char secret)
{
	struct session_conf conf = { .idle_timeout_ms = IDLE_MS, .max = max, .required = true };
	struct seal_key key = { .id = SPAN("k") };
	struct err e;

	memset(key.secret, secret, sizeof(key.secret));
	r->keys = key_ring_new(&key, 1, &e);
	sched_init(&r->sched, (mono_t){ 1000 });
	r->table = sessions_new(&conf, r->keys, &r->sched, 1);
}

static void replica_stop(struct replica *r)
{
	sessions_free(&r->table);
	assert_null(r->table);
	assert_int_equal(sched_first(&r->sched).ms, MONO_NEVER.ms);
	sched_clear(&r->sched);
	key_ring_free(&r->keys);
}

static int setup(void **state)
{
	static struct replica r;

	replica_start(&r, MAX, 1);
	*state = &r;
	return 0;
}

static int teardown(void **state)
{
	replica_stop(*state);
	return 0;
}

/* Lets time pass, and all timers that fall due on the way fire. */
static void wait_ms(struct replica *r, msec_t ms)
{
	mono_t until = mono_add(r->sched.now, ms);

	while (mono_past(sched_first(&r->sched), until))
		sched_run_timers(&r->sched, mono_max(r->sched.now, sched_first(&r->sched)));
	r->sched.now = until;
}

static struct span keep(struct session *x)
{
	assert_non_null(x);
	return (struct span){ span_dup(x->token), x->token.n };
}

static struct span new_token(struct replica *r)
{
	return keep(session_create(r->table, &client, WALL));
}

static void forget(struct span token)
{
	free((char *)(uintptr_t)token.p);
}

static bool is_found(struct replica *r, struct span token)
{
	return session_find(r->table, token, WALL) != NULL;
}

/* Whether the table still has it in memory, asked without touching it. */
static bool is_in_memory(struct replica *r, struct span token)
{
	list_each (node, sessions_all(r->table))
		if (span_eq(list_entry(node, struct session, node)->token, token))
			return true;
	return false;
}

static void assert_client(const struct session *x)
{
	assert_non_null(x);
	assert_int_equal(x->info.revision, client.revision);
	assert_int_equal(x->info.capabilities, client.capabilities);
	assert_string_equal(x->info.client_name, client.client_name);
	assert_string_equal(x->info.client_version, client.client_version);
	assert_int_equal(x->level, LEVEL_INFO);
}

static void test_a_session_is_found_by_its_token(void **state)
{
	struct replica *r = *state;
	struct session *x = session_create(r->table, &client, WALL);

	assert_client(x);
	assert_false(x->rebuilt);
	assert_true(x->token.n > 0 && x->token.n <= SESSION_TOKEN_MAX);
	for (size_t i = 0; i < x->token.n; i++)
		assert_true(x->token.p[i] > ' ' && x->token.p[i] < 0x7f);
	assert_ptr_equal(session_find(r->table, x->token, WALL), x);
	assert_false(x->rebuilt);
	assert_int_equal(sessions_count(r->table), 1);
}

static void test_the_longest_names_fit_into_a_token(void **state)
{
	struct replica *r = *state;
	struct session_info big = { .revision = REVISION_2025_11_25 };

	memset(big.client_name, 'n', SESSION_NAME_MAX);
	memset(big.client_version, 'v', SESSION_NAME_MAX);
	struct session *x = session_create(r->table, &big, WALL);
	assert_true(x->token.n <= SESSION_TOKEN_MAX);
	struct span token = keep(x);
	wait_ms(r, IDLE_MS);
	x = session_find(r->table, token, WALL);
	assert_string_equal(x->info.client_name, big.client_name);
	assert_string_equal(x->info.client_version, big.client_version);
	forget(token);
}

static void test_another_replica_with_the_keys_rebuilds_the_session(void **state)
{
	struct replica *r = *state, other, stranger;
	struct span token = new_token(r);

	replica_start(&other, MAX, 1);
	replica_start(&stranger, MAX, 2);
	struct session *x = session_find(other.table, token, WALL + 5);
	assert_client(x);
	assert_true(x->rebuilt);
	assert_span_is(x->token, token);
	assert_ptr_equal(session_find(other.table, token, WALL + 6), x);
	assert_int_equal(sessions_count(other.table), 1);
	assert_false(is_found(&stranger, token));
	assert_int_equal(sessions_count(stranger.table), 0);
	replica_stop(&other);
	replica_stop(&stranger);
	forget(token);
}

static void test_a_token_that_was_touched_is_nobodys(void **state)
{
	struct replica *r = *state;
	struct span token = new_token(r);
	char *text = (char *)(uintptr_t)token.p;

	for (size_t i = 0; i < token.n; i++) {
		text[i] ^= 1;
		assert_false(is_found(r, token));
		text[i] ^= 1;
	}
	assert_false(is_found(r, span_cut(token, token.n - 1)));
	assert_true(is_found(r, token));
	assert_int_equal(sessions_count(r->table), 1);
	forget(token);
}

static void test_other_texts_are_nobodys(void **state)
{
	struct replica *r = *state;
	char big[SESSION_TOKEN_MAX + 1];
	struct buf other_purpose = { 0 }, garbage = { 0 };

	memset(big, 'A', sizeof(big));
	assert_false(is_found(r, SPAN("")));
	assert_false(is_found(r, SPAN("1")));
	assert_false(is_found(r, (struct span){ big, SESSION_TOKEN_MAX }));
	assert_false(is_found(r, (struct span){ big, sizeof(big) }));
	assert_true(seal(r->keys, SPAN("cursor"), SPAN("x"), &other_purpose));
	assert_false(is_found(r, buf_span(&other_purpose)));
	assert_true(seal(r->keys, SPAN("session"), SPAN("not of the layout"), &garbage));
	assert_false(is_found(r, buf_span(&garbage)));
	assert_int_equal(sessions_count(r->table), 0);
	buf_free(&other_purpose);
	buf_free(&garbage);
}

static void test_a_token_is_valid_for_seven_days(void **state)
{
	struct replica *r = *state;
	struct span token = new_token(r);

	assert_non_null(session_find(r->table, token, WALL + SESSION_VALID_MS - 1));
	assert_null(session_find(r->table, token, WALL + SESSION_VALID_MS));
	wait_ms(r, IDLE_MS);
	assert_false(is_in_memory(r, token));
	assert_null(session_find(r->table, token, WALL + SESSION_VALID_MS));
	assert_non_null(session_find(r->table, token, WALL + SESSION_VALID_MS - 1));
	assert_non_null(session_find(r->table, token, WALL - 60000)); /* a replica whose clock is late */
	forget(token);
}

static void test_idleness_drops_memory_only(void **state)
{
	struct replica *r = *state;
	struct span token = new_token(r);

	session_find(r->table, token, WALL)->level = LEVEL_ERROR;
	wait_ms(r, IDLE_MS - 1);
	assert_true(is_in_memory(r, token));
	wait_ms(r, 1);
	assert_false(is_in_memory(r, token));
	assert_int_equal(sched_first(&r->sched).ms, MONO_NEVER.ms);
	struct session *x = session_find(r->table, token, WALL);
	assert_client(x); /* and the level is the first one again */
	assert_true(x->rebuilt);
	forget(token);
}

static void test_use_puts_idleness_off(void **state)
{
	struct replica *r = *state;
	struct span a = new_token(r), b = new_token(r);

	wait_ms(r, IDLE_MS / 2);
	assert_true(is_found(r, a));
	wait_ms(r, IDLE_MS / 2);
	assert_true(is_in_memory(r, a));
	assert_false(is_in_memory(r, b));
	wait_ms(r, IDLE_MS / 2);
	assert_false(is_in_memory(r, a));
	forget(a);
	forget(b);
}

static void test_a_session_with_a_call_or_a_stream_is_not_idle(void **state)
{
	struct replica *r = *state;
	struct span a = new_token(r), b = new_token(r);
	struct session *calling = session_find(r->table, a, WALL), *listening = session_find(r->table, b, WALL);
	struct list push = { 0 };

	calling->call_count = 1;
	list_append(&listening->pushes, &push);
	wait_ms(r, 10 * IDLE_MS + 1);
	assert_int_equal(sessions_count(r->table), 2);
	calling->call_count = 0;
	list_unlink(&push);
	wait_ms(r, IDLE_MS);
	assert_int_equal(sessions_count(r->table), 0);
	forget(a);
	forget(b);
}

static void test_the_one_unused_for_longest_makes_room(void **state)
{
	struct replica *r = *state;
	struct span a = new_token(r), b = new_token(r), c = new_token(r);

	assert_true(is_found(r, a));
	struct span d = new_token(r);
	assert_false(is_in_memory(r, b));
	struct span e = new_token(r);
	assert_false(is_in_memory(r, c));
	assert_true(is_in_memory(r, a) && is_in_memory(r, d) && is_in_memory(r, e));
	assert_int_equal(sessions_count(r->table), MAX);
	assert_true(is_found(r, b)); /* memory only */
	assert_false(is_in_memory(r, a));
	forget(a);
	forget(b);
	forget(c);
	forget(d);
	forget(e);
}

static void test_no_new_session_while_all_are_in_use_but_old_ones_are_found(void **state)
{
	struct replica *r = *state;
	struct span first = new_token(r), tokens[MAX];
	struct session *busy[MAX];

	for (int i = 0; i < MAX; i++) {
		tokens[i] = new_token(r);
		busy[i] = session_find(r->table, tokens[i], WALL);
		busy[i]->call_count = 1;
	}
	assert_null(session_create(r->table, &client, WALL));
	assert_int_equal(sessions_count(r->table), MAX);
	assert_true(is_found(r, first));
	assert_int_equal(sessions_count(r->table), MAX + 1);
	assert_null(session_create(r->table, &client, WALL));
	assert_int_equal(sessions_count(r->table), MAX);
	busy[1]->call_count = 0;
	forget(new_token(r));
	assert_false(is_in_memory(r, tokens[1]));
	forget(first);
	for (int i = 0; i < MAX; i++)
		forget(tokens[i]);
}

static void test_an_ended_session_stays_ended(void **state)
{
	struct replica *r = *state;
	struct span token = new_token(r), other = new_token(r);
	struct session *x = session_find(r->table, token, WALL);

	sessions_end(r->table, &x);
	assert_null(x);
	assert_false(is_found(r, token));
	assert_true(is_found(r, other));
	assert_int_equal(sessions_count(r->table), 1);
	forget(token);
	forget(other);
}

static void test_a_session_whose_key_was_taken_out_is_not_found_until_it_is_back(void **state)
{
	struct seal_key keys[2] = { { .id = SPAN("k") }, { .id = SPAN("k2") } };
	struct replica *r = *state;
	struct err e;

	memset(keys[0].secret, 1, SEAL_KEY_BYTES);
	memset(keys[1].secret, 2, SEAL_KEY_BYTES);
	struct session *local = session_create_local(r->table, &client);
	struct span token = new_token(r);
	struct session *x = session_find(r->table, token, WALL);
	assert_true(key_ring_set(r->keys, (struct seal_key[]){ keys[1], keys[0] }, 2, &e));
	assert_true(is_found(r, token));
	struct span fresh = new_token(r);
	assert_true(key_ring_set(r->keys, &keys[0], 1, &e));
	assert_ptr_equal(session_find(r->table, token, WALL), x);
	assert_false(is_found(r, fresh));
	keys[0].secret[0] = 0;
	assert_true(key_ring_set(r->keys, &keys[0], 1, &e)); /* the same id, another secret */
	assert_false(is_found(r, token));
	assert_false(session_is_sealed(r->table, x));
	assert_true(session_is_sealed(r->table, local));
	assert_true(key_ring_set(r->keys, &keys[1], 1, &e));
	assert_true(is_found(r, fresh));
	assert_false(is_found(r, token));
	forget(token);
	forget(fresh);
}

static void test_tombstones_are_bounded(void **state)
{
	struct replica *r = *state;
	struct span tokens[SESSION_TOMBSTONES + 2];
	size_t n = sizeof(tokens) / sizeof(*tokens);

	for (size_t i = 0; i < n; i++) {
		tokens[i] = new_token(r);
		struct session *x = session_find(r->table, tokens[i], WALL);
		sessions_end(r->table, &x);
	}
	assert_true(is_found(r, tokens[0])); /* forgotten for the newest */
	assert_true(is_found(r, tokens[1]));
	for (size_t i = 2; i < n; i++)
		assert_false(is_found(r, tokens[i]));
	struct session *again = session_find(r->table, tokens[0], WALL);
	sessions_end(r->table, &again);
	assert_false(is_found(r, tokens[0]));
	assert_true(is_found(r, tokens[2]));
	for (size_t i = 0; i < n; i++)
		forget(tokens[i]);
}

static void test_a_local_session_has_no_token_and_is_never_dropped(void **state)
{
	struct replica *r = *state;
	struct session *local = session_create_local(r->table, &client);

	assert_client(local);
	assert_false(span_is_set(local->token));
	for (int i = 0; i < 2 * MAX; i++)
		forget(new_token(r));
	wait_ms(r, 3 * IDLE_MS);
	assert_int_equal(sessions_count(r->table), 1);
	assert_ptr_equal(list_first(sessions_all(r->table)), &local->node);
	assert_false(is_found(r, SPAN("")));
	sessions_end(r->table, &local);
	assert_int_equal(sessions_count(r->table), 0);
}

static void test_ten_thousand_idle_sessions_are_dropped_in_many_turns(void **state)
{
	struct replica r;
	int turns = 0;

	(void)state;
	replica_start(&r, 10000, 1);
	for (int i = 0; i < 10000; i++)
		assert_non_null(session_create(r.table, &client, WALL));
	for (size_t before = 10000; before > 0; turns++) {
		sched_run_timers(&r.sched, (mono_t){ 1000 + IDLE_MS });
		assert_true(before - sessions_count(r.table) <= 256);
		before = sessions_count(r.table);
	}
	assert_int_equal(turns, 40);
	replica_stop(&r);
}

static void test_all_are_walked_in_the_order_of_their_last_use(void **state)
{
	struct replica *r = *state;
	struct span a = new_token(r), b = new_token(r), c = new_token(r);
	struct span wanted[] = { b, c, a };
	size_t n = 0;

	assert_true(is_found(r, a));
	list_each (node, sessions_all(r->table)) {
		if (n == 3)
			fail_msg("there are more than three");
		assert_span_is(list_entry(node, struct session, node)->token, wanted[n++]);
	}
	assert_int_equal(n, 3);
	forget(a);
	forget(b);
	forget(c);
}

static void test_levels_have_their_names(void **state)
{
	(void)state;
	assert_int_equal(message_level_parse(SPAN("debug")), LEVEL_DEBUG);
	assert_int_equal(message_level_parse(SPAN("warning")), LEVEL_WARNING);
	assert_int_equal(message_level_parse(SPAN("emergency")), LEVEL_EMERGENCY);
	assert_int_equal(message_level_parse(SPAN("warn")), -1);
	assert_int_equal(message_level_parse(SPAN("Debug")), -1);
	assert_int_equal(message_level_parse(SPAN("")), -1);
}

#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

static void test_a_clients_name_is_cut_to_whole_characters(void **state)
{
	static const struct {
		const char *json, *wanted;
	} rows[] = {
		{ "\"plain\"", "plain" },
		{ "\"a\\u00e4\\n\"", "a\xc3\xa4\n" },
		{ "\"" SIXTY "1234\"", SIXTY "1234" },
		{ "\"" SIXTY "12345\"", SIXTY "1234" },
		{ "\"" SIXTY "123\xc3\xa4\"", SIXTY "123" },
		{ "\"" SIXTY "1\xe2\x82\xac\"", SIXTY "1\xe2\x82\xac" },
		{ "\"" SIXTY "12\xe2\x82\xac\"", SIXTY "12" },
		{ "\"" SIXTY "1\\ud83d\\ude00\"", SIXTY "1" },
		{ "\"before\\u0000after\"", "before" },
		{ "\"\"", "" },
		{ "17", "" },
		{ "null", "" },
		{ NULL, "" },
	};
	char text[SESSION_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		session_set_text(text, span_of(rows[i].json));
		assert_string_equal(text, rows[i].wanted);
	}
}

static void test_the_layout_of_a_token_is_fixed(void **state)
{
	/* Tokens live longer than programs: whoever changes this takes a new layout number. */
	static const char wanted[] =
	        "\x01\x02\x00\x0a\0\0\0\0\x00\x00\x01\xa1\xef\x19\x3e\x00\x01\x02\x03\x04\x05\x06\x07\x08"
	        "\x02"
	        "ab"
	        "\x01"
	        "3"
	        "\x00";
	struct session_claims claims = {
		.info = { .revision = REVISION_2025_06_18,
		        .capabilities = CLIENT_ROOTS | CLIENT_ELICITATION,
		        .client_name = "ab",
		        .client_version = "3" },
		.created_ms = 0x1a1ef193e00,
		.nonce = 0x0102030405060708,
	};
	struct session_claims back;
	struct buf out = { 0 };

	(void)state;
	session_token_encode(&claims, &out);
	assert_span_is(buf_span(&out), (struct span){ wanted, sizeof(wanted) - 1 });
	assert_true(session_token_decode(buf_span(&out), &back));
	assert_int_equal(back.created_ms, claims.created_ms);
	assert_int_equal(back.nonce, claims.nonce);
	assert_string_equal(back.info.client_name, "ab");
	buf_free(&out);
}

static void test_other_layouts_are_not_read(void **state)
{
	struct session_claims claims = { .info = client }, back;
	struct buf out = { 0 };

	(void)state;
	session_token_encode(&claims, &out);
	for (size_t n = 0; n < buf_size(&out); n++)
		assert_false(session_token_decode(span_cut(buf_span(&out), n), &back));
	out.mem[0] = 2; /* layout */
	assert_false(session_token_decode(buf_span(&out), &back));
	out.mem[0] = 1;
	out.mem[1] = REVISION_COUNT;
	assert_false(session_token_decode(buf_span(&out), &back));
	out.mem[1] = 0;
	out.mem[24] = SESSION_NAME_MAX + 1;
	assert_false(session_token_decode(buf_span(&out), &back));
	out.mem[24] = (char)strlen(client.client_name);
	assert_true(session_token_decode(buf_span(&out), &back));
	out.mem[out.to - 1] = 1; /* a principal */
	assert_false(session_token_decode(buf_span(&out), &back));
	out.mem[out.to - 1] = 0;
	buf_add_char(&out, 0);
	assert_false(session_token_decode(buf_span(&out), &back));
	buf_free(&out);
}

#define with_replica(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_replica(test_a_session_is_found_by_its_token),
		with_replica(test_the_longest_names_fit_into_a_token),
		with_replica(test_another_replica_with_the_keys_rebuilds_the_session),
		with_replica(test_a_token_that_was_touched_is_nobodys),
		with_replica(test_other_texts_are_nobodys),
		with_replica(test_a_token_is_valid_for_seven_days),
		with_replica(test_idleness_drops_memory_only),
		with_replica(test_use_puts_idleness_off),
		with_replica(test_a_session_with_a_call_or_a_stream_is_not_idle),
		with_replica(test_the_one_unused_for_longest_makes_room),
		with_replica(test_no_new_session_while_all_are_in_use_but_old_ones_are_found),
		with_replica(test_an_ended_session_stays_ended),
		with_replica(test_a_session_whose_key_was_taken_out_is_not_found_until_it_is_back),
		with_replica(test_tombstones_are_bounded),
		with_replica(test_a_local_session_has_no_token_and_is_never_dropped),
		cmocka_unit_test(test_ten_thousand_idle_sessions_are_dropped_in_many_turns),
		with_replica(test_all_are_walked_in_the_order_of_their_last_use),
		cmocka_unit_test(test_levels_have_their_names),
		cmocka_unit_test(test_a_clients_name_is_cut_to_whole_characters),
		cmocka_unit_test(test_the_layout_of_a_token_is_fixed),
		cmocka_unit_test(test_other_layouts_are_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
