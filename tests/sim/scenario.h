/*
 * One scenario: a gateway with its servers, the clients that call it, the orders that it gets (signals, drains), and
 * what all of them have seen of it. Drawn from a seed by sim.c; a file each for the clients, the orders, and what must
 * hold.
 */
#ifndef SLUICE_TESTS_SIM_SCENARIO_H
#define SLUICE_TESTS_SIM_SCENARIO_H

#include <stdio.h>
#include <stdlib.h>

#include "gateway/lifecycle.h"
#include "world.h"

#define SERVERS_MAX 3
#define CALLS_MAX 40
#define SESSIONS 3
#define RETRIES_MAX 20
#define ANSWERS_MAX 64
#define LISTENS 4
#define STREAMS 6
#define ORDERS_MAX 13

struct client_call {
	struct scenario *scenario;
	struct call *call; /* NULL: not made, refused, or ended */
	unsigned ends;
	enum end_reason why;
	bool modern; /* of no session, and to leave is to cancel */
	bool accepted, left;
	mono_t until; /* it must have ended by then */
	int id;
	int number;                /* what the server is told to call it; a retry has that of the first one */
	char server[8];            /* that it goes to; of a retry too */
	bool able;                 /* it says that it can be asked something */
	struct buf state;          /* of a retry: its inputResponses and requestState, as members */
	struct event make, change; /* change: it is cancelled, or its client leaves */
};

/* What a client is going to answer to a server, or has. */
struct client_answer {
	struct scenario *scenario;
	unsigned session; /* that answers */
	int number;       /* of the call that it was asked for; -1: it is the wrong one's, and must not arrive */
	char id[40];
	struct event event;
};

struct stream {
	struct scenario *scenario;
	struct push push;
	bool open;
	struct event make, leave;
};

/* A modern client that listens for news, until it leaves or is told that it is over. `hears`: of updates, too. */
struct client_listen {
	bool wants, hears;
	struct scenario *scenario;
	struct listen *listen;
	bool accepted, opened, ended, left;
	int id;
	struct event make, leave;
};

/* SIGTERM and its like, /drain, and what else happens to a whole gateway. */
enum order_kind {
	ORDER_TERM,
	ORDER_TERM_ALONE, /* with a single client, over stdio */
	ORDER_INT,
	ORDER_QUIT,
	ORDER_STDIN_EOF,
	ORDER_DRAIN,
	ORDER_HOOK,
	ORDER_CANCEL,
	ORDER_WAIT,
	ORDER_RELOAD,
	ORDER_TERM_ALL, /* SIGTERM to the servers, from somebody else */
	ORDER_KINDS
};

struct order {
	struct scenario *scenario;
	enum order_kind kind;
	struct event event;
	/* of a WAIT: */
	struct drain_wait wait;
	struct event leave; /* who waits gives up */
	mono_t until;
	bool waits;
};

/* What interface.md says of the budget, reckoned once more and in another way. All in ms of the loop's clock. */
struct deadlines {
	mono_t t0, stop, end, killed;
};

struct scenario {
	struct world *world;
	uint64_t seed;
	struct backend_conf servers[SERVERS_MAX];
	size_t server_count;
	msec_t longest_eof_ms, longest_term_ms; /* of the server that takes longest to stop */
	struct lifecycle_conf lifecycle_conf;
	struct sessions *sessions;
	struct session *session[SESSIONS];
	struct gateway *gw;
	struct lifecycle *lifecycle;
	struct client_call calls[CALLS_MAX + RETRIES_MAX];
	struct client_answer answers[ANSWERS_MAX];
	unsigned answer_count;
	struct key_ring *keys;
	unsigned call_count, waiting; /* waiting: clients, for the end of their calls */
	unsigned detached;            /* calls of legacy clients that left: they may go on */
	struct client_listen listens[LISTENS];
	unsigned hearing, updates; /* listens that were promised updates, and those that were told */
	bool fronts_close;         /* the fronts were told to */
	struct stream streams[STREAMS];
	struct order orders[ORDERS_MAX];
	unsigned order_count;
	struct timer fronts;
	mono_t signal_sent, hook, backstop; /* MONO_NEVER: not yet */
	mono_t last_request, exit_at;
	bool held, stopping, hurried, exited; /* held: by /drain; stopping: a stop has begun, by whatever */
	bool asked;                           /* by a signal or the end of stdin */
	struct deadlines deadlines;
	enum phase phase; /* after the last turn */
	bool cancelled;   /* a drain was, in this turn */
	/* Since the stop began, as the clients saw it; `due`: the calls in flight then, and all requests after it. */
	uint64_t due, completed, aborted, refused;
};

#define REQUIRE(sc, condition)                                                                                       \
	do {                                                                                                         \
		if (!(condition)) {                                                                                  \
			printf("seed %llu: %s:%d: not so: %s\n", (unsigned long long)(sc)->seed, __FILE__, __LINE__, \
			        #condition);                                                                         \
			exit(1);                                                                                     \
		}                                                                                                    \
	} while (0)

/* The configuration, and the gateway with it; another one while it runs. */
void config_make(struct scenario *sc, const struct lifecycle_ops *ops);
void config_change(struct scenario *sc);

/* Clients: so many calls within that time. */
void clients_plan(struct scenario *sc, msec_t within_ms);
void clients_stop(struct scenario *sc);
void clients_check(const struct scenario *sc);

/* Something that a server asks has come on the stream of this call: it is the right client, which may answer. */
void answers_asked(const struct client_call *c, const struct message *m);
void answers_stop(struct scenario *sc);

/* Clients that listen. */
void listens_plan(struct scenario *sc, msec_t within_ms);
void listens_stop(struct scenario *sc);
unsigned listens_check(const struct scenario *sc); /* how many were accepted */

/* Streams, each within that time; and what becomes of them when the fronts close. */
void streams_plan(struct scenario *sc, msec_t within_ms);
void streams_close(struct scenario *sc);
void streams_stop(struct scenario *sc);

/* Orders. The last one is a stop signal. Returns when that comes. */
msec_t orders_plan(struct scenario *sc);
void orders_stop(struct scenario *sc);

/*
 * What must hold: when a stop begins or is hurried, when the backstop is set, before a process is started, after each
 * turn, and at the end.
 */
void check_stop_begins(struct scenario *sc);
void check_hurried(struct scenario *sc);
void check_backstop(const struct scenario *sc);
void check_spawn(void *arg);
void check_turn(struct scenario *sc);
void check_end(const struct scenario *sc);

#endif
