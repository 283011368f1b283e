/* Listeners of the test's own on loopback; names mean what the test's look-up says. */
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/dial.h"

struct scene {
	struct loop *loop;
	struct resolver *resolver;
	struct dial *dial;
	int fd, failed;
	char sentence[256];
	struct timer timer;
};

static void add_v4(struct resolve_answer *a, const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	inet_pton(AF_INET, text, &in.sin_addr);
	memcpy(&a->addresses[a->count++], &in, sizeof(in));
}

static void add_v6(struct resolve_answer *a, const char *text)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6 };

	inet_pton(AF_INET6, text, &in.sin6_addr);
	memcpy(&a->addresses[a->count++], &in, sizeof(in));
}

static void look_up(const char *name, struct resolve_answer *a)
{
	if (strcmp(name, "two.test") == 0) {
		add_v4(a, "127.0.0.2");
		add_v4(a, "127.0.0.1");
	} else if (strcmp(name, "mixed.test") == 0) {
		add_v6(a, "::1");
		add_v4(a, "127.0.0.1");
	} else
		snprintf(a->error, sizeof(a->error), "it is not known");
}

static void on_connected(void *arg, int fd)
{
	struct scene *s = arg;

	s->fd = fd;
	s->dial = NULL;
	loop_stop(s->loop);
}

static void on_failed(void *arg, const char *sentence)
{
	struct scene *s = arg;

	s->failed++;
	s->dial = NULL;
	snprintf(s->sentence, sizeof(s->sentence), "%s", sentence);
	loop_stop(s->loop);
}

static const struct dial_events events = { on_connected, on_failed };

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct err e;

	s->loop = loop_new(&e);
	s->resolver = resolver_new(s->loop, look_up);
	s->fd = -1;
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	dial_cancel(&s->dial);
	resolver_free(&s->resolver);
	timer_stop(loop_sched(s->loop), &s->timer);
	if (s->fd >= 0)
		close(s->fd);
	loop_free(&s->loop);
	free(s);
	return 0;
}

/* A socket that nobody else can listen in the place of; it refuses as long as it does not listen itself. -1: the port
 * is taken. */
static int bind_at(const char *address, unsigned port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((in_port_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &in.sin_addr);
	if (bind(fd, (struct sockaddr *)(void *)&in, sizeof(in)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The same for ::1, where there is such an address. */
static int bind_at_v6(unsigned port)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = htons((in_port_t)port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET6, "::1", &in.sin6_addr);
	(void)!bind(fd, (struct sockaddr *)(void *)&in, sizeof(in));
	return fd;
}

/* On 127.0.0.1 and 127.0.0.2, with one port. */
static unsigned bind_two(int *first, int *second)
{
	struct sockaddr_in in = { 0 };
	socklen_t size = sizeof(in);

	for (int i = 0; i < 100; i++) {
		*first = bind_at("127.0.0.1", 0);
		getsockname(*first, (struct sockaddr *)(void *)&in, &size);
		*second = bind_at("127.0.0.2", ntohs(in.sin_port));
		if (*second >= 0)
			return ntohs(in.sin_port);
		close(*first);
	}
	fail_msg("no port is free");
	return 0;
}

static void give_up(void *arg)
{
	(void)arg;
	fail_msg("nothing has happened");
}

static void dial(struct scene *s, const char *host, unsigned port)
{
	s->dial = dial_start(s->loop, s->resolver, span_of(host), port, &events, s);
	assert_int_equal(s->fd, -1);
	timer_set_in(loop_sched(s->loop), &s->timer, 10000, give_up, s);
	loop_run(s->loop);
}

static void expect_peer(const struct scene *s, const char *address)
{
	struct sockaddr_in in;
	socklen_t size = sizeof(in);
	char text[INET_ADDRSTRLEN];

	assert_true(s->fd >= 0);
	getpeername(s->fd, (struct sockaddr *)(void *)&in, &size);
	inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
	assert_string_equal(text, address);
}

static void test_a_number_is_reached_by_a_socket_that_is_ready_for_use(void **state)
{
	struct scene *s = *state;
	int listener, other, on = 0;
	unsigned port = bind_two(&listener, &other);
	socklen_t size = sizeof(on);

	listen(listener, 5);
	dial(s, "127.0.0.1", port);
	expect_peer(s, "127.0.0.1");
	assert_true(fcntl(s->fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(s->fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
	assert_int_equal(on, 1);
	close(listener);
	close(other);
}

static void test_when_one_address_refuses_the_next_is_tried_at_once(void **state)
{
	struct scene *s = *state;
	int listener, other;
	unsigned port = bind_two(&listener, &other);
	int third = bind_at_v6(port);

	listen(listener, 5);
	dial(s, "two.test", port);
	expect_peer(s, "127.0.0.1");
	close(s->fd);
	s->fd = -1;
	dial(s, "mixed.test", port);
	expect_peer(s, "127.0.0.1");
	close(listener);
	close(other);
	close(third);
}

/* With a full backlog the kernel drops what comes. */
static void fill(int deaf, const char *address, unsigned port, int filler[3])
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((in_port_t)port) };

	listen(deaf, 0);
	inet_pton(AF_INET, address, &in.sin_addr);
	for (int i = 0; i < 3; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)!connect(filler[i], (struct sockaddr *)(void *)&in, sizeof(in));
		if (i == 0)
			assert_int_equal(poll(&(struct pollfd){ .fd = deaf, .events = POLLIN }, 1, 10000), 1);
	}
}

static void test_an_address_that_is_silent_is_not_waited_for(void **state)
{
	struct scene *s = *state;
	int listener, deaf, filler[3];
	unsigned port = bind_two(&listener, &deaf);

	listen(listener, 5);
	fill(deaf, "127.0.0.2", port, filler);
	mono_t begun = clock_mono();
	dial(s, "two.test", port);
	expect_peer(s, "127.0.0.1");
	assert_true(mono_diff(clock_mono(), begun) >= 200);
	for (int i = 0; i < 3; i++)
		close(filler[i]);
	close(deaf);
	close(listener);
}

static void test_a_failure_says_what_was_tried(void **state)
{
	struct scene *s = *state;
	int first, second;
	unsigned port = bind_two(&first, &second);

	dial(s, "two.test", port);
	assert_int_equal(s->failed, 1);
	assert_non_null(strstr(s->sentence, "connect to 127.0.0.2:"));
	assert_non_null(strstr(s->sentence, "refused"));
	dial(s, "unknown.test", port);
	assert_int_equal(s->failed, 2);
	assert_string_equal(s->sentence, "look up \"unknown.test\": it is not known");
	close(first);
	close(second);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void test_a_dial_can_be_cancelled_at_any_time(void **state)
{
	struct scene *s = *state;
	int listener, other;
	unsigned port = bind_two(&listener, &other);
	static const char *const hosts[] = { "127.0.0.1", "two.test", "unknown.test" };

	listen(listener, 5);
	for (size_t i = 0; i < 3; i++) {
		struct timer timer = { 0 };
		s->dial = dial_start(s->loop, s->resolver, span_of(hosts[i]), port, &events, s);
		if (i > 0)
			sched_run_posts(loop_sched(s->loop));
		dial_cancel(&s->dial);
		dial_cancel(&s->dial);
		timer_set_in(loop_sched(s->loop), &timer, 30, stop, s->loop);
		loop_run(s->loop);
	}
	assert_int_equal(s->failed, 0);
	assert_int_equal(s->fd, -1);
	close(listener);
	close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_number_is_reached_by_a_socket_that_is_ready_for_use),
		TEST(test_when_one_address_refuses_the_next_is_tried_at_once),
		TEST(test_an_address_that_is_silent_is_not_waited_for),
		TEST(test_a_failure_says_what_was_tried),
		TEST(test_a_dial_can_be_cancelled_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
