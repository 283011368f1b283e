/*
 * Many fetches at once over few connections to a server that answers in every way there is, while they are paused,
 * cancelled and begun at random, from a seed. Whatever happens: each fetch ends once or was cancelled, one that says it
 * is done has a body that a server has sent whole, and no bound is passed.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "origin.h"

#define SEEDS 40
#define FETCHES 40
#define LINES 120
#define STEP_MS 1

#define OK "HTTP/1.1 200 OK\r\n"

/* Those with a body of "whole" may be told of as done. */
static const struct origin_line kinds[] = {
	{ .text = OK "Content-Length: 5\r\n\r\nwhole" },
	{ .text = OK "Content-Length: 5\r\n\r\nwhole", .slice = 1 },
	{ .text = OK "Content-Length: 5\r\n\r\nwhole", .delay_ms = 3 },
	{ .text = OK "Content-Length: 5\r\n\r\nwhole", .then = THEN_CLOSE },
	{ .text = OK "Content-Length: 5\r\nConnection: close\r\n\r\nwhole", .then = THEN_CLOSE },
	{ .text = OK "Transfer-Encoding: chunked\r\n\r\n2\r\nwh\r\n3\r\nole\r\n0\r\n\r\n" },
	{ .text = OK "Transfer-Encoding: chunked\r\n\r\n2\r\nwh\r\n3\r\nole\r\n0\r\n\r\n", .slice = 9 },
	{ .text = OK "\r\nwhole", .then = THEN_CLOSE },
	{ .text = "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 5\r\n\r\nwhole" },
	{ .text = OK "Content-Length: 5\r\n\r\nwholeand more" },
	{ .text = OK "Content-Length: 500\r\n\r\nbroken", .then = THEN_CLOSE },
	{ .text = OK "Content-Length: 500\r\n\r\nbroken", .then = THEN_RESET },
	{ .text = OK "Transfer-Encoding: chunked\r\n\r\n6\r\nbroken\r\n", .then = THEN_CLOSE },
	{ .text = OK "Transfer-Encoding: chunked\r\n\r\n6\r\nbrokenX" },
	{ .text = OK "Content-Length: x\r\n\r\nbroken" },
	{ .text = "HTTP/1.1 2", .then = THEN_CLOSE },
	{ .then = THEN_CLOSE },
	{ .then = THEN_RESET },
	{ .text = NULL },
};

struct storm {
	struct scene s;
	struct got got[FETCHES];
	struct origin_line lines[LINES];
	bool begun[FETCHES], cancelled[FETCHES];
	uint64_t random;
};

static unsigned dice(struct storm *w, unsigned n)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(w->random >> 33) % n;
}

static void begin(struct storm *w, size_t i)
{
	const struct span body = SPAN("body");
	const struct http_fetch_request r = { .method = SPAN("POST"),
		.target = SPAN("/"),
		.body = &body,
		.body_parts = dice(w, 2),
		.idempotent = dice(w, 2) == 0,
		.connect_timeout_ms = dice(w, 10) == 0 ? 20 : 5000,
		.first_timeout_ms = 60,
		.idle_timeout_ms = 60,
		.total_timeout_ms = 3000 };

	w->begun[i] = true;
	w->got[i].pause_at_head = dice(w, 8) == 0;
	w->got[i].pause_at_piece = dice(w, 8) == 0;
	got_start(&w->got[i], &w->s, &r);
}

static void cancel(struct storm *w, size_t i)
{
	if (!http_fetch_is_active(&w->got[i].fetch))
		return;
	http_fetch_cancel(&w->got[i].fetch);
	w->cancelled[i] = true;
	w->s.running--;
}

static void meddle(struct storm *w)
{
	size_t i = dice(w, FETCHES);

	switch (dice(w, 12)) {
	case 0:
		cancel(w, i);
		break;
	case 1:
		http_fetch_pause(&w->got[i].fetch, true);
		break;
	case 2:
		http_client_renew(w->s.client);
		break;
	case 3:
		origin_cut_all(&w->s.origin, dice(w, 2) == 0);
		break;
	default:
		break;
	}
	for (i = 0; i < FETCHES; i++)
		if (dice(w, 3) == 0)
			http_fetch_pause(&w->got[i].fetch, false);
}

static void check_bounds(const struct storm *w)
{
	struct http_client_stats stats;

	http_client_stats(w->s.client, &stats);
	assert_true(stats.connections <= w->s.conf.max_connections);
	assert_true(stats.idle + stats.connecting <= stats.connections);
	assert_true(stats.waiting <= w->s.conf.max_waiting + 1); /* one that is sent again goes first */
	for (size_t i = 0; i < FETCHES; i++)
		assert_true(w->got[i].ends <= 1 && w->got[i].heads <= 1);
}

static void check_end(struct storm *w, size_t i)
{
	struct got *g = &w->got[i];
	struct span body = buf_span(&g->body);

	assert_int_equal(g->ends, !w->cancelled[i]);
	if (g->ends == 1 && g->why == FETCH_DONE && !span_eq(body, SPAN("whole")) && !span_eq(body, SPAN("ok")))
		fail_msg("\"%.*s\" is not whole", SPAN_ARG(body));
	if (g->ends == 1 && g->heads == 1)
		assert_true(g->sent);
	got_clear(g);
}

static void blow(unsigned seed)
{
	struct storm *w = calloc(1, sizeof(*w));

	w->random = seed * 7919u + 1;
	for (size_t i = 0; i < LINES; i++)
		w->lines[i] = kinds[dice(w, sizeof(kinds) / sizeof(kinds[0]))];
	scene_init(&w->s, w->lines, LINES);
	w->s.conf.max_connections = 1 + dice(w, 5);
	w->s.conf.max_waiting = 10 + dice(w, 30);
	w->s.conf.idle_connection_ms = 1 + dice(w, 50);
	scene_start(&w->s);
	for (size_t next = 0, step = 0; next < FETCHES || w->s.running > 0; step++) {
		if (step > 20000)
			fail_msg("seed %u: %u fetches do not end", seed, w->s.running);
		for (unsigned n = dice(w, 3); n > 0 && next < FETCHES; n--)
			begin(w, next++);
		scene_run_for(&w->s, STEP_MS);
		meddle(w);
		check_bounds(w);
	}
	for (size_t i = 0; i < FETCHES; i++)
		check_end(w, i);
	scene_end(&w->s);
	free(w);
}

static void test_whatever_happens_each_fetch_ends_once_and_truly(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < SEEDS; seed++)
		blow(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whatever_happens_each_fetch_ends_once_and_truly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
