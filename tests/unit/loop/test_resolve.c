/* Names are looked up by a function of the test's, which answers, fails or hangs as the name says. */
#include "unit.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "loop/resolve.h"

#define ASKED_MAX 300

struct asker {
	struct scene *scene;
	struct resolve_query query;
	int answered;
	unsigned count;
	char first[INET6_ADDRSTRLEN], error[128];
};

struct scene {
	struct loop *loop;
	struct resolver *resolver;
	struct asker askers[ASKED_MAX];
	int waiting;
	struct timer patience;
};

/* What the thread and the test share. */
static atomic_int looked_up, how; /* the last byte of the address; 0: fail, -1: gone */
static sem_t release;

static void look_up(const char *name, struct resolve_answer *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int last = atomic_load(&how);

	atomic_fetch_add(&looked_up, 1);
	if (strncmp(name, "slow", 4) == 0)
		sem_wait(&release);
	if (last <= 0) {
		a->is_gone = last < 0;
		snprintf(a->error, sizeof(a->error), "no answer");
		return;
	}
	in.sin_addr.s_addr = htonl(0x0a000000u + (unsigned)last);
	memcpy(&a->addresses[a->count++], &in, sizeof(in));
}

static void text_of(const struct sockaddr_storage *any, char text[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in *v4 = (const void *)any;
	const struct sockaddr_in6 *v6 = (const void *)any;

	inet_ntop(any->ss_family,
	        any->ss_family == AF_INET ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr, text,
	        INET6_ADDRSTRLEN);
}

static void on_done(void *arg, const struct resolve_answer *answer)
{
	struct asker *a = arg;

	a->answered++;
	a->count = answer->count;
	snprintf(a->error, sizeof(a->error), "%s", answer->error);
	a->first[0] = '\0';
	if (answer->count > 0)
		text_of(&answer->addresses[0], a->first);
	if (--a->scene->waiting == 0)
		loop_stop(a->scene->loop);
}

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct err e;

	s->loop = loop_new(&e);
	s->resolver = resolver_new(s->loop, look_up);
	for (size_t i = 0; i < ASKED_MAX; i++)
		s->askers[i].scene = s;
	atomic_store(&looked_up, 0);
	atomic_store(&how, 1);
	sem_init(&release, 0, 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	resolver_free(&s->resolver);
	timer_stop(loop_sched(s->loop), &s->patience);
	loop_free(&s->loop);
	sem_destroy(&release);
	free(s);
	return 0;
}

static struct asker *ask(struct scene *s, size_t i, const char *name)
{
	struct asker *a = &s->askers[i];

	s->waiting++;
	a->answered = 0;
	resolve_start(s->resolver, &a->query, span_of(name), on_done, a);
	assert_int_equal(a->answered, 0);
	return a;
}

static void give_up(void *arg)
{
	(void)arg;
	fail_msg("nobody answered");
}

/* Until all have been answered. */
static void run(struct scene *s)
{
	timer_set_in(loop_sched(s->loop), &s->patience, 10000, give_up, s);
	loop_run(s->loop);
	timer_stop(loop_sched(s->loop), &s->patience);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void run_for(struct scene *s, msec_t ms)
{
	struct timer timer = { 0 };

	timer_set_in(loop_sched(s->loop), &timer, ms, stop, s->loop);
	loop_run(s->loop);
}

/* As if so much time had passed; the real clock comes back with the next turn. */
static void later(struct scene *s, msec_t ms)
{
	loop_sched(s->loop)->now.ms += ms;
}

static void test_numbers_and_localhost_need_no_thread(void **state)
{
	struct scene *s = *state;
	static const struct {
		const char *name;
		unsigned count;
		const char *first;
	} rows[] = {
		{ "127.0.0.1", 1, "127.0.0.1" },
		{ "::1", 1, "::1" },
		{ "2001:DB8::5", 1, "2001:db8::5" },
		{ "localhost", 2, "::1" },
		{ "LocalHost", 2, "::1" },
		{ "a.localhost", 2, "::1" },
		{ "127.1", 0, "" },
		{ "0x7f.1", 0, "" },
		{ "2130706433", 0, "" },
		{ "1.2.3.256", 0, "" },
		{ "::g", 0, "" },
		{ "", 0, "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ask(s, i, rows[i].name);
	run(s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(s->askers[i].count, rows[i].count);
		assert_string_equal(s->askers[i].first, rows[i].first);
		assert_int_equal(s->askers[i].error[0] != '\0', rows[i].count == 0);
	}
	assert_int_equal(atomic_load(&looked_up), 0);
}

static void test_who_asks_for_the_same_name_waits_for_one_look_up(void **state)
{
	struct scene *s = *state;

	ask(s, 0, "slow.test");
	ask(s, 1, "SLOW.test");
	struct asker *gone = ask(s, 2, "slow.test");
	resolve_cancel(&gone->query);
	s->waiting--;
	sem_post(&release);
	run(s);
	assert_int_equal(atomic_load(&looked_up), 1);
	assert_string_equal(s->askers[0].first, "10.0.0.1");
	assert_string_equal(s->askers[1].first, "10.0.0.1");
	assert_int_equal(gone->answered, 0);
	ask(s, 0, "slow.test");
	run(s);
	assert_int_equal(atomic_load(&looked_up), 1);
}

static void test_a_name_that_hangs_slows_no_other(void **state)
{
	struct scene *s = *state;
	char name[32];

	for (size_t i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "slow%zu.test", i);
		ask(s, i, name);
	}
	s->waiting = 0;
	ask(s, 20, "quick.test");
	run(s);
	assert_int_equal(s->askers[20].count, 1);
	assert_int_equal(s->askers[0].answered, 0);
	for (size_t i = 0; i < 20; i++)
		sem_post(&release);
	s->waiting = 20;
	run(s);
}

static void test_more_look_ups_than_threads_wait_in_order(void **state)
{
	struct scene *s = *state;
	char name[32];

	for (size_t i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "slow%zu.test", i);
		ask(s, i, name);
	}
	for (int i = 0; i < 500 && atomic_load(&looked_up) < 32; i++)
		run_for(s, 10);
	run_for(s, 50);
	assert_int_equal(atomic_load(&looked_up), 32);
	for (size_t i = 0; i < 40; i++)
		sem_post(&release);
	run(s);
	assert_int_equal(atomic_load(&looked_up), 40);
}

static void test_an_old_answer_is_given_at_once_while_a_new_one_is_looked_up(void **state)
{
	struct scene *s = *state;

	sem_post(&release);
	ask(s, 0, "slow.test");
	run(s);
	atomic_store(&how, 2);
	later(s, 40000);
	ask(s, 0, "slow.test");
	run(s);
	assert_string_equal(s->askers[0].first, "10.0.0.1");
	sem_post(&release);
	run_for(s, 100);
	assert_int_equal(atomic_load(&looked_up), 2);
	ask(s, 0, "slow.test");
	run(s);
	assert_string_equal(s->askers[0].first, "10.0.0.2");
}

static void test_a_very_old_answer_is_given_only_when_nobody_knows_better(void **state)
{
	struct scene *s = *state;

	ask(s, 0, "a.test");
	run(s);
	atomic_store(&how, 0);
	later(s, 100000);
	ask(s, 0, "a.test");
	run(s);
	assert_int_equal(atomic_load(&looked_up), 2);
	assert_string_equal(s->askers[0].first, "10.0.0.1");
	atomic_store(&how, -1);
	later(s, 200000);
	ask(s, 0, "a.test");
	run(s);
	assert_int_equal(s->askers[0].count, 0);
	assert_string_equal(s->askers[0].error, "no answer");
}

static void test_a_doubted_answer_is_looked_up_again_but_not_at_any_rate(void **state)
{
	struct scene *s = *state;

	ask(s, 0, "a.test");
	run(s);
	atomic_store(&how, 2);
	resolve_doubt(s->resolver, SPAN("a.test"));
	ask(s, 0, "a.test");
	run(s);
	assert_int_equal(atomic_load(&looked_up), 1);
	later(s, 2000);
	resolve_doubt(s->resolver, SPAN("A.test"));
	ask(s, 0, "a.test");
	run(s);
	assert_int_equal(atomic_load(&looked_up), 2);
	assert_string_equal(s->askers[0].first, "10.0.0.2");
	resolve_doubt(s->resolver, SPAN("never.asked"));
}

static void test_a_failure_is_kept_for_a_second(void **state)
{
	struct scene *s = *state;

	atomic_store(&how, 0);
	for (int i = 0; i < 3; i++) {
		ask(s, 0, "a.test");
		run(s);
		assert_int_equal(s->askers[0].count, 0);
	}
	assert_int_equal(atomic_load(&looked_up), 1);
	atomic_store(&how, 1);
	later(s, 1500);
	ask(s, 0, "a.test");
	run(s);
	assert_int_equal(s->askers[0].count, 1);
}

static void test_names_are_bounded_and_those_not_used_make_room(void **state)
{
	struct scene *s = *state;
	char name[32];

	for (size_t i = 0; i < ASKED_MAX; i++) {
		snprintf(name, sizeof(name), "n%zu.test", i);
		ask(s, i, name);
		if (i % 50 == 49)
			run(s);
	}
	for (size_t i = 0; i < ASKED_MAX; i++)
		assert_int_equal(s->askers[i].count, 1);
	assert_int_equal(atomic_load(&looked_up), ASKED_MAX);
	ask(s, 0, "n299.test");
	run(s);
	assert_int_equal(atomic_load(&looked_up), ASKED_MAX);
	ask(s, 0, "n0.test");
	run(s);
	assert_int_equal(atomic_load(&looked_up), ASKED_MAX + 1);
	for (size_t i = 0; i < ASKED_MAX; i++) {
		snprintf(name, sizeof(name), "slow%zu.test", i);
		ask(s, i, name);
	}
	s->waiting = ASKED_MAX - 256;
	run(s);
	assert_int_equal(s->askers[ASKED_MAX - 1].count, 0);
	for (size_t i = 0; i < 256; i++)
		sem_post(&release);
	s->waiting = 256;
	run(s);
}

static void test_a_resolver_may_go_while_a_thread_is_busy(void **state)
{
	struct scene *s = *state;

	struct asker *a = ask(s, 0, "slow.test");
	resolve_cancel(&a->query);
	resolver_free(&s->resolver);
	sem_post(&release);
	run_for(s, 200);
	assert_int_equal(a->answered, 0);
}

/* "6" is an IPv6 address, "4" an IPv4 one; each has its place in the list in its last byte. */
static void order(const char *families, char *ordered, char *places)
{
	struct addrinfo list[16] = { 0 };
	struct sockaddr_in v4[16];
	struct sockaddr_in6 v6[16];
	struct resolve_answer a = { .count = 0 };

	for (size_t i = 0; i < strlen(families); i++) {
		bool six = families[i] == '6';
		v4[i] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl((uint32_t)i) };
		v6[i] = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
		v6[i].sin6_addr.s6_addr[15] = (unsigned char)i;
		list[i].ai_family = six ? AF_INET6 : AF_INET;
		list[i].ai_addr = six ? (struct sockaddr *)&v6[i] : (struct sockaddr *)&v4[i];
		list[i].ai_addrlen = six ? sizeof(v6[i]) : sizeof(v4[i]);
		list[i].ai_next = i + 1 < strlen(families) ? &list[i + 1] : NULL;
	}
	resolve_add_by_turns(&a, list);
	for (unsigned i = 0; i < a.count; i++) {
		const struct sockaddr_in *four = (const void *)&a.addresses[i];
		const struct sockaddr_in6 *six = (const void *)&a.addresses[i];
		bool is_six = a.addresses[i].ss_family == AF_INET6;
		ordered[i] = is_six ? '6' : '4';
		places[i] = (char)('a' + (is_six ? six->sin6_addr.s6_addr[15] : ntohl(four->sin_addr.s_addr)));
	}
	ordered[a.count] = places[a.count] = '\0';
}

static void test_the_families_come_by_turns(void **state)
{
	static const struct {
		const char *families, *ordered, *places;
	} rows[] = {
		{ "6", "6", "a" },
		{ "444", "444", "abc" },
		{ "6644", "6464", "acbd" },
		{ "4466", "4646", "acbd" },
		{ "666664", "646666", "afbcde" },
		{ "6666666666664", "64666666", "ambcdefg" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char ordered[17], places[17];
		order(rows[i].families, ordered, places);
		assert_string_equal(ordered, rows[i].ordered);
		assert_string_equal(places, rows[i].places);
	}
}

static void test_the_system_is_asked(void **state)
{
	struct scene *s = *state;

	resolver_free(&s->resolver);
	s->resolver = resolver_new(s->loop, NULL);
	ask(s, 0, "name.that.is.not.there.invalid");
	run(s);
	assert_int_equal(s->askers[0].count, 0);
	assert_true(s->askers[0].error[0] != '\0');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_numbers_and_localhost_need_no_thread),
		TEST(test_who_asks_for_the_same_name_waits_for_one_look_up),
		TEST(test_a_name_that_hangs_slows_no_other),
		TEST(test_more_look_ups_than_threads_wait_in_order),
		TEST(test_an_old_answer_is_given_at_once_while_a_new_one_is_looked_up),
		TEST(test_a_very_old_answer_is_given_only_when_nobody_knows_better),
		TEST(test_a_doubted_answer_is_looked_up_again_but_not_at_any_rate),
		TEST(test_a_failure_is_kept_for_a_second),
		TEST(test_names_are_bounded_and_those_not_used_make_room),
		TEST(test_a_resolver_may_go_while_a_thread_is_busy),
		cmocka_unit_test(test_the_families_come_by_turns),
		TEST(test_the_system_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
