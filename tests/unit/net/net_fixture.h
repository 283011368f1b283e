/*
 * A real server on 127.0.0.1 whose loop runs in a thread of its own, and a blocking client for the test's thread.
 * What a test wants to know of the server it asks by fixture_call, which runs a function in the loop's thread.
 *
 * The handler does as the path says: /echo answers with method, path and body; /big/N with N bytes; /hold, /silent
 * (without listening for `gone`), /stream and /forever are kept for the test to end.
 */
#ifndef SLUICE_TESTS_NET_FIXTURE_H
#define SLUICE_TESTS_NET_FIXTURE_H

#include <pthread.h>

#include "base/buf.h"
#include "net/http_server.h"

#define HELD_MAX 8
#define PATIENCE_MS 20000 /* on a machine that has much else to do */

struct fixture_counts {
	unsigned held_count, requests, gone, half_closed, closed;
};

struct fixture {
	struct http_server_conf conf;
	struct loop *loop;
	struct http_server *server;
	unsigned short port;
	pthread_t thread;
	int commands[2];
	struct watch *command_watch;
	/* The loop's thread only: */
	struct http_exchange *held[HELD_MAX];
	struct fixture_counts live;
	int clients[4]; /* for tests that connect from there */
	/* The test's, as of the last fixture_look: */
	struct fixture_counts seen;
	struct http_server_stats stats;
};

/* Deadlines in tenths of a second; change f->conf before fixture_start. */
void fixture_init(struct fixture *f);
void fixture_start(struct fixture *f);
void fixture_stop(struct fixture *f);

/* Runs `call(f)` in the loop's thread and waits for it. An assertion that fails there ends the program. */
void fixture_call(struct fixture *f, void (*call)(struct fixture *f));
void fixture_look(struct fixture *f); /* such a call: takes the counts */

/* Waits until `*counter`, one of f->seen, is `wanted`, for PATIENCE_MS at most, and fails otherwise. */
void fixture_await(struct fixture *f, const unsigned *counter, unsigned wanted);
void fixture_await_connections(struct fixture *f, size_t wanted);

/* The client */
int client_open(const struct fixture *f);
void client_send(int fd, const char *text);
void client_send_span(int fd, struct span text);

/* One answer with its body, decoded if it is chunked, from `in` and the socket; what follows stays in `in`. */
struct answer {
	int status;
	struct buf head, body;
	bool closing, whole;
};
void client_read(int fd, struct buf *in, struct answer *a);
void answer_clear(struct answer *a);

/* Reads one answer, expects the status, and in the body the text (NULL: whatever); true if it said Connection: close.
 */
bool client_expect(int fd, int status, const char *body);

/* The connection ends here, in order: EOF and no reset. */
void client_expect_end(int fd);

#endif
