#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop/notify.h"

/* A manager's socket in the abstract namespace. */
struct scene {
	struct loop *loop;
	struct notify *notify;
	struct timer timer;
	int manager;
	char name[64];
};

static const struct logger silent = { 0 };

static void open_scene(struct scene *s)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct err e;

	*s = (struct scene){ .loop = loop_new(&e) };
	int n = snprintf(s->name, sizeof(s->name), "@sluice-test-notify-%d", (int)getpid());
	memcpy(a.sun_path + 1, s->name + 1, (size_t)n - 1);
	s->manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n);
	assert_int_equal(bind(s->manager, (struct sockaddr *)(void *)&a, size), 0);
	s->notify = notify_open(s->loop, s->name, &silent);
	assert_non_null(s->notify);
}

static void close_scene(struct scene *s)
{
	notify_close(&s->notify);
	notify_close(&s->notify);
	close(s->manager);
	loop_free(&s->loop);
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void run_for(struct scene *s, msec_t ms)
{
	timer_set(loop_sched(s->loop), &s->timer, mono_add(clock_mono(), ms), stop_loop, s->loop);
	loop_run(s->loop);
}

/* The next message, empty when there is none. */
static struct span next(const struct scene *s, char *text, size_t size)
{
	ssize_t n = recv(s->manager, text, size, 0);

	return (struct span){ text, n > 0 ? (size_t)n : 0 };
}

static void test_a_message_is_a_datagram(void **state)
{
	struct scene s;
	char text[64];

	(void)state;
	open_scene(&s);
	notify_send(s.notify, "READY=1");
	notify_send(s.notify, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%d", 5);
	assert_span(next(&s, text, sizeof(text)), "READY=1");
	assert_span(next(&s, text, sizeof(text)), "STOPPING=1\nEXTEND_TIMEOUT_USEC=5");
	assert_span(next(&s, text, sizeof(text)), "");
	close_scene(&s);
}

static void test_nobody_who_wants_to_know_is_fine(void **state)
{
	struct err e;
	struct loop *l = loop_new(&e);
	char longest[200];

	(void)state;
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	const char *const addresses[] = { NULL, "", "/", "@", "relative", "vsock:2:1", longest };
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		assert_null(notify_open(l, addresses[i], &silent));
	notify_send(NULL, "READY=1");
	notify_watchdog(NULL, 1000);
	loop_free(&l);
}

/* The kernel holds some datagrams (net.unix.max_dgram_qlen), then it is our turn: the newest are kept, in order. */
static void test_what_finds_no_room_waits_and_the_newest_are_kept(void **state)
{
	enum { SENT = 2000 };
	struct scene s;
	char text[64], wanted[64];
	int first = -1, last = -1, gaps = 0;

	(void)state;
	open_scene(&s);
	for (int i = 0; i < SENT; i++)
		notify_send(s.notify, "STATUS=%d", i);
	for (int turn = 0; turn < 3; turn++) {
		for (struct span m; (m = next(&s, text, sizeof(text))).n > 0;) {
			int number = (int)strtol(text + 7, NULL, 10);
			assert_true(number > last);
			gaps += first >= 0 && number != last + 1;
			first = first >= 0 ? first : number;
			last = number;
			snprintf(wanted, sizeof(wanted), "STATUS=%d", number);
			assert_span_is(m, span_of(wanted));
		}
		run_for(&s, 150);
	}
	assert_int_equal(first, 0);
	assert_int_equal(last, SENT - 1);
	assert_int_equal(gaps, 1);
	close_scene(&s);
}

static void test_signs_of_life_come_twice_in_the_time_allowed(void **state)
{
	struct scene s;
	char text[64];
	int n = 0;

	(void)state;
	open_scene(&s);
	notify_watchdog(s.notify, 40);
	run_for(&s, 250);
	notify_watchdog(s.notify, 0);
	for (; next(&s, text, sizeof(text)).n > 0; n++)
		assert_span(((struct span){ text, 10 }), "WATCHDOG=1");
	assert_in_range(n, 5, 14);
	run_for(&s, 60);
	assert_span(next(&s, text, sizeof(text)), "");
	close_scene(&s);
}

static void test_a_manager_that_has_gone_is_no_matter(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s);
	close(s.manager);
	notify_send(s.notify, "READY=1");
	notify_send(s.notify, "STOPPING=1");
	run_for(&s, 10);
	s.manager = -1;
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_message_is_a_datagram),
		cmocka_unit_test(test_nobody_who_wants_to_know_is_fine),
		cmocka_unit_test(test_what_finds_no_room_waits_and_the_newest_are_kept),
		cmocka_unit_test(test_signs_of_life_come_twice_in_the_time_allowed),
		cmocka_unit_test(test_a_manager_that_has_gone_is_no_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
