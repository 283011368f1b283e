#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listener.h"

#define FDS_MAX 512

struct scene {
	struct loop *loop;
	struct listener *listener;
	struct timer timer;
	int fds[FDS_MAX];
	int accepted, starved;
	char peer[ADDRESS_TEXT_MAX];
};

static void on_accepted(void *arg, int fd, const struct address *peer)
{
	struct scene *s = arg;

	assert_true(s->accepted < FDS_MAX);
	s->fds[s->accepted++] = fd;
	address_format(peer, s->peer);
}

static void on_starved(void *arg, int fd)
{
	struct scene *s = arg;

	s->starved++;
	assert_int_equal(send(fd, "no", 2, MSG_NOSIGNAL), 2);
	close(fd);
}

static const struct listener_events events = { on_accepted, on_starved };

static void open_scene(struct scene *s, const char *address)
{
	const struct logger silent = { 0 };
	struct err e;

	*s = (struct scene){ .loop = loop_new(&e) };
	s->listener = listener_open(s->loop, span_of(address), &events, s, &silent, &e);
	if (s->listener == NULL)
		fail_msg("%s", e.text);
}

static void close_scene(struct scene *s)
{
	while (s->accepted > 0)
		close(s->fds[--s->accepted]);
	listener_close(&s->listener);
	listener_close(&s->listener);
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

/* To the loopback address of the listener's family, or of the one that is named. */
static int connect_to(const struct scene *s, int family)
{
	struct address a = *listener_address(s->listener);
	in_port_t port = ((struct sockaddr_in *)(void *)&a.any)->sin_port;
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = in6addr_loopback };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int failed = family == AF_INET ? connect(fd, (struct sockaddr *)(void *)&v4, sizeof(v4))
	                               : connect(fd, (struct sockaddr *)(void *)&v6, sizeof(v6));

	if (failed != 0 && errno != EINPROGRESS)
		fail_msg("connect failed with %d", errno);
	return fd;
}

static void test_what_is_accepted_is_ready_for_use(void **state)
{
	struct scene s;
	int on = 0;
	socklen_t size = sizeof(on);

	(void)state;
	open_scene(&s, "127.0.0.1:0");
	int client = connect_to(&s, AF_INET);
	run_for(&s, 10);
	assert_int_equal(s.accepted, 1);
	assert_true(fcntl(s.fds[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(s.fds[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(s.fds[0], IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
	assert_int_not_equal(on, 0);
	assert_true(span_starts(span_of(s.peer), SPAN("127.0.0.1:")));
	close(client);
	close_scene(&s);
}

static void test_all_interfaces_are_both_families(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s, ":0");
	int v4 = connect_to(&s, AF_INET), v6 = connect_to(&s, AF_INET6);
	run_for(&s, 10);
	assert_int_equal(s.accepted, 2);
	close(v4);
	close(v6);
	close_scene(&s);
}

static void test_a_port_that_is_taken_is_an_error_with_a_sentence(void **state)
{
	const struct logger silent = { 0 };
	struct scene s;
	struct err e;
	char address[ADDRESS_TEXT_MAX];

	(void)state;
	open_scene(&s, "127.0.0.1:0");
	address_format(listener_address(s.listener), address);
	assert_null(listener_open(s.loop, span_of(address), &events, &s, &silent, &e));
	assert_int_equal(e.sys, EADDRINUSE);
	assert_non_null(strstr(e.text, address));
	assert_null(listener_open(s.loop, SPAN("nowhere"), &events, &s, &silent, &e));
	close_scene(&s);
}

static void test_draining_takes_all_that_is_queued(void **state)
{
	struct scene s;
	int clients[200];

	(void)state;
	open_scene(&s, "127.0.0.1:0");
	for (int i = 0; i < 200; i++)
		clients[i] = connect_to(&s, AF_INET);
	listener_drain(s.listener);
	assert_int_equal(s.accepted, 200);
	for (int i = 0; i < 200; i++)
		close(clients[i]);
	close_scene(&s);
}

/* Somebody else goes on with the socket: what waits there is not ours to take, to filter or to end. */
static void test_a_shared_socket_goes_on_after_us(void **state)
{
	const struct logger silent = { 0 };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct scene s = { 0 };
	struct err e;

	(void)state;
	s.loop = loop_new(&e);
	int others = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(others, (struct sockaddr *)(void *)&a, sizeof(a)), 0);
	assert_int_equal(listen(others, 8), 0);
	s.listener = listener_adopt(s.loop, fcntl(others, F_DUPFD_CLOEXEC, 3), &events, &s, &silent, &e);
	assert_non_null(s.listener);
	assert_true(listener_is_shared(s.listener));
	int first = connect_to(&s, AF_INET);
	run_for(&s, 10);
	assert_int_equal(s.accepted, 1);
	listener_refuse_new(s.listener);
	int second = connect_to(&s, AF_INET);
	run_for(&s, 10);
	listener_drain(s.listener);
	assert_int_equal(s.accepted, 1);
	int third = connect_to(&s, AF_INET);
	close_scene(&s);
	for (int i = 0; i < 2; i++) {
		int fd = accept(others, NULL, NULL);
		assert_true(fd >= 0);
		close(fd);
	}
	close(first);
	close(second);
	close(third);
	close(others);
}

static void test_what_cannot_be_shared_is_an_error(void **state)
{
	const struct logger silent = { 0 };
	struct scene s;
	struct err e;

	(void)state;
	open_scene(&s, "127.0.0.1:0");
	assert_null(listener_adopt(s.loop, open("/dev/null", O_RDONLY | O_CLOEXEC), &events, &s, &silent, &e));
	close_scene(&s);
}

/* Leaves no descriptor free; the soft limit is put back by the caller. */
static int take_all_descriptors(int *taken, int room)
{
	int n = 0;

	while (n < room && (taken[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	return n;
}

static void test_without_descriptors_clients_hear_so_and_it_goes_on(void **state)
{
	struct scene s;
	struct rlimit old, low;
	int taken[64], clients[3];
	char text[4];

	(void)state;
	open_scene(&s, "127.0.0.1:0");
	for (int i = 0; i < 3; i++)
		clients[i] = connect_to(&s, AF_INET);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)clients[2] + 32;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	int n = take_all_descriptors(taken, 64);
	assert_in_range(n, 1, 63);
	run_for(&s, 20);
	assert_int_equal(s.accepted, 0);
	assert_int_equal(s.starved, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(recv(clients[i], text, sizeof(text), 0), 2);
	while (n > 0)
		close(taken[--n]);
	int client = connect_to(&s, AF_INET);
	run_for(&s, 20);
	assert_int_equal(s.accepted, 1);
	setrlimit(RLIMIT_NOFILE, &old);
	close(client);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	close_scene(&s);
}

/* Opened when no descriptor is left for a reserve; connections then wait until there is one again. */
static void test_without_even_a_reserve_clients_wait(void **state)
{
	const struct logger silent = { 0 };
	struct scene s = { 0 };
	struct rlimit old, low;
	struct err e;
	int taken[64] = { 0 };

	(void)state;
	s.loop = loop_new(&e);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)client + 32;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	int n = take_all_descriptors(taken, 64);
	close(taken[--n]); /* for the listening socket */
	s.listener = listener_open(s.loop, SPAN("127.0.0.1:0"), &events, &s, &silent, &e);
	assert_non_null(s.listener);
	struct address to = *listener_address(s.listener);
	assert_int_equal(connect(client, (struct sockaddr *)(void *)&to.any, to.size), -1);
	assert_int_equal(errno, EINPROGRESS);
	run_for(&s, 20);
	assert_int_equal(s.accepted + s.starved, 0);
	while (n > 0)
		close(taken[--n]);
	run_for(&s, 150);
	assert_int_equal(s.accepted, 1);
	setrlimit(RLIMIT_NOFILE, &old);
	close(client);
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_accepted_is_ready_for_use),
		cmocka_unit_test(test_all_interfaces_are_both_families),
		cmocka_unit_test(test_a_port_that_is_taken_is_an_error_with_a_sentence),
		cmocka_unit_test(test_draining_takes_all_that_is_queued),
		cmocka_unit_test(test_a_shared_socket_goes_on_after_us),
		cmocka_unit_test(test_what_cannot_be_shared_is_an_error),
		cmocka_unit_test(test_without_descriptors_clients_hear_so_and_it_goes_on),
		cmocka_unit_test(test_without_even_a_reserve_clients_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
