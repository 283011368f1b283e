/*
 * The gateway: the one entrance for everything that clients ask, and the owner of every call. It routes requests to
 * backends, keeps the ledger in which each accepted call ends exactly once, answers by itself what needs no backend
 * (initialize, ping, lists, log levels), and carries news from the backends to the sessions.
 *
 * It does no I/O and has no clock: time and timers come from a struct sched, backends through backend.h, clients are
 * ports. So the simulator runs it as it is.
 *
 * Who owns what: the gateway owns calls and sessions; a front owns its ports and pushes and hears `ended` (or `end`)
 * exactly once for each, after which the gateway has forgotten it.
 */
#ifndef SLUICE_GATEWAY_GATEWAY_H
#define SLUICE_GATEWAY_GATEWAY_H

#include "backend/backend.h"
#include "base/histogram.h"
#include "base/log.h"
#include "base/sched.h"
#include "gateway/catalog.h"
#include "gateway/session.h"
#include "mcp/meta.h"

struct gateway;
struct call;

/* How long a list waits for servers that have not been tried yet, and readiness for the eager ones (interface.md, 2).
 */
#define FIRST_TRY_WAIT_MS 5000

struct gateway_conf {
	const struct backend_conf *servers; /* in config order; copied */
	size_t server_count;
	bool prefixed; /* names as server__name */
	size_t page_items;
	size_t max_in_flight, max_in_flight_per_session;
	const char *version;        /* ours, for serverInfo */
	bool fail_on_required_loss; /* readiness fails after 30 s without a required server */
};

/* `sessions` is taken over. */
struct gateway *gateway_new(
        const struct gateway_conf *conf, struct sched *sched, struct sessions *sessions, const struct logger *lg);
void gateway_free(struct gateway **gw); /* after all backends are STOPPED and no call is in flight */

/* What backend `i` is to be made with, and then the backend itself, which is taken over. */
extern const struct backend_events gateway_backend_events;
const struct backend_conf *gateway_backend_conf(const struct gateway *gw, size_t i);
void *gateway_backend_arg(struct gateway *gw, size_t i);
void gateway_attach(struct gateway *gw, size_t i, struct backend *b);

/* Starts what is not lazy and was not started yet. */
void gateway_start(struct gateway *gw);

/*
 * Other servers, by name: those that are in `conf` as before are left alone, with their calls; of those that only have
 * other times the backend is told. A server that is not there any more is not shown from now on, finishes its calls and
 * is stopped; one that needs another process does so beside the new one, whose place in the lists it keeps until that
 * one has given its own. Open streams of a scope that is gone end. Of `conf` only the servers and fail_on_required_loss
 * matter.
 *
 * What is new has no backend after it: gateway_attach gives it one at once, and gateway_start starts it. Not to be
 * called when the gateway has begun to stop.
 */
struct reload_counts {
	unsigned added, removed, changed, unchanged;
	unsigned replaced; /* of those that changed: by another process */
};
void gateway_reload(struct gateway *gw, const struct gateway_conf *conf, struct reload_counts *counts);

/*
 * Where the answer of one call goes. JSON is valid during the upcall only. `message`: a notification that belongs to
 * the call. `ended`: the last word, exactly once; `json` is the answer or the error that the client gets (whether it
 * wants one after its own cancel is the front's to know).
 */
struct reply_port {
	void (*message)(void *arg, const struct pieces *json);
	void (*ended)(void *arg, enum end_reason why, const struct pieces *json);
};

/* An open stream of a session for what belongs to no call: a GET stream, or the stdio front. Embedded in the front's.
 */
struct push_port {
	void (*message)(void *arg, const struct pieces *json);
	void (*end)(void *arg);
};

struct push {
	struct list node; /* in the session */
	struct gateway *gw;
	struct timer goodbye;
	bool stays; /* the client's only channel: the front ends it, not gateway_end_pushes */
	int scope;
	const struct push_port *port;
	void *arg;
};

/* Which servers a path or front shows: SCOPE_ALL, or one by name. False: no such server. */
bool gateway_scope(const struct gateway *gw, struct span server, int *scope);

/*
 * initialize: appends the answer to `out`, and says in *why what it is: END_RESULT with the new session, or an error
 * and NULL. `local`: the front is one client and needs no token.
 */
struct session *gateway_initialize(
        struct gateway *gw, int scope, const struct message *m, bool local, struct buf *out, enum end_reason *why);

/* The session of a token; NULL: unknown, expired or ended. */
struct session *gateway_session(struct gateway *gw, struct span token);
void gateway_session_end(struct gateway *gw, struct session **session);

/* Why a request was not accepted: nothing was started for it, no upcall follows. */
struct refusal {
	enum end_reason *why; /* becomes END_DRAINING or END_OVERLOADED */
	struct buf *json;     /* the error is appended here */
};

/*
 * Takes a request (not initialize). `session` may be NULL where sessions are not required. The message's text is copied
 * as far as it is needed. NULL: refused.
 */
struct call *gateway_submit(struct gateway *gw, struct session *session, int scope, const struct message *m,
        const struct reply_port *port, void *arg, const struct refusal *refusal);

/*
 * The same for a request of the modern revision, which was checked (mcp/modern.h): all that is known of its client is
 * what `meta` says. `local`: of a front that is one client (gateway_local_session), by which it may be cancelled; else
 * NULL. Not for subscriptions/listen.
 */
struct call *gateway_submit_modern(struct gateway *gw, struct session *local, int scope, const struct message *m,
        const struct request_meta *meta, const struct reply_port *port, void *arg, const struct refusal *refusal);

/* Holds together what the one client of a front asks in the modern revision, which has no initialize. */
struct session *gateway_local_session(struct gateway *gw);

/* A client's notification. */
void gateway_notify(struct gateway *gw, struct session *session, const struct message *m);

/*
 * A client's answer to what a server has asked of it. Taken from the session that was asked, and once; anything else is
 * dropped and counted. `session` may be NULL.
 */
void gateway_answer(struct gateway *gw, struct session *session, const struct message *m);

/* The client of this call is gone: `ended` will not be called. Legacy revisions: the backend finishes its work; modern:
 * the call is cancelled. */
void gateway_client_gone(struct call *call);

/* The ring has other keys: streams of sessions whose token does not open any more end. */
void gateway_keys_changed(struct gateway *gw);

void gateway_push_open(struct gateway *gw, struct session *session, struct push *push);
void gateway_push_close(struct push *push); /* the front's own doing: `end` is not called */

/*
 * subscriptions/listen: a stream of news for a modern client. `opened` gives the acknowledgement, `message` what was
 * asked for and can be had, and `ended` the result that tells the client that it is over, after which the listen is
 * gone. They are called later, never from inside these functions. NULL: refused, see gateway_submit; *why is
 * END_REFUSED for parameters that are not valid.
 */
struct listen;
struct listen_port {
	void (*opened)(void *arg, const struct pieces *json);
	void (*message)(void *arg, const struct pieces *json);
	void (*ended)(void *arg, const struct pieces *json);
};
struct listen *gateway_listen(struct gateway *gw, struct session *local, int scope, const struct message *m,
        const struct listen_port *port, void *arg, const struct refusal *refusal);
void gateway_unlisten(struct listen *l); /* the client left: nothing is told any more */

/* The inputSchema of a tool as it is listed, raw JSON; SPAN_NONE: it is not, or has none. Until the next list comes. */
struct span gateway_tool_schema(const struct gateway *gw, int scope, struct span name);

/* For the lifecycle. */

struct gateway_state {
	bool required_up;   /* every required server is up */
	bool tried;         /* every eager one was tried, or had its time */
	bool lost_required; /* one was up and has been down for 30 s, if configured to matter */
	bool backends_stopped;
	unsigned in_flight;
	unsigned parked; /* calls at servers whose clients are to come back with what was asked */
	unsigned sessions, connected, configured;
	unsigned streams; /* open for what belongs to no call: of legacy sessions */
	unsigned listens; /* ... and of modern clients */
};
void gateway_state(const struct gateway *gw, struct gateway_state *state);

/* The sessions of calls in flight, by nonce, in any order and as often as they have calls: `in_flight` of them at most.
 * Returns their number. */
size_t gateway_busy_sessions(const struct gateway *gw, uint64_t *nonces);

/* A server that is not lazy has been tried and is not up. */
bool gateway_is_degraded(const struct gateway *gw);

/* Called (posted) whenever gateway_state may have changed; NULL: nobody watches any more. */
void gateway_watch(struct gateway *gw, void (*changed)(void *arg), void *arg);
void gateway_changed(struct gateway *gw); /* posts it */

void gateway_refuse_new(struct gateway *gw); /* requests and processes: those that are there go on */
bool gateway_is_refusing(const struct gateway *gw);
void gateway_cut_calls(struct gateway *gw);   /* calls in flight end with END_DRAINING, now */
void gateway_cut_orphans(struct gateway *gw); /* calls that no client waits for are cancelled */
/* Pushes and listens, each at a moment of its own within `over_ms`, so that clients do not come back as a herd; 0: now.
 * What is opened later stays open. */
void gateway_end_pushes(struct gateway *gw, msec_t over_ms);
void gateway_keep_pushes(struct gateway *gw);                               /* those that were to end stay */
void gateway_limit_stop(struct gateway *gw, msec_t eof_ms, msec_t term_ms); /* of every server, by the budget */
void gateway_stop_unready(struct gateway *gw); /* fast, those not READY, and lists that wait for them */
void gateway_stop_backends(struct gateway *gw, enum backend_stop how);

/* Who is missing for readiness, and why: appends lines "github: starting: ..." */
void gateway_missing(const struct gateway *gw, struct buf *out);

/* How the readings of the configuration after the first one ended. */
enum reload_result { RELOAD_APPLIED, RELOAD_REFUSED, RELOAD_UNCHANGED, RELOAD_RESULT_COUNT };
const char *reload_result_name(enum reload_result result);

/* What servers asked of clients. */
struct ask_counts {
	uint64_t delivered;
	uint64_t refused;       /* nobody could be asked: no client, or not one, or it cannot do that */
	uint64_t answered;      /* by clients */
	uint64_t stray_answers; /* to nothing that is open, or from the wrong session */
};

/* What happened since the start. */
struct ledger_counts {
	uint64_t accepted;
	uint64_t ended[END_REASON_COUNT];
	uint64_t not_sent, unknown; /* by outcome */
	uint64_t refused;           /* not accepted: draining, overloaded */
	uint64_t overloaded;        /* those of them for which there was no room */
	uint64_t dropped_messages;  /* log and progress messages that nobody could be given */
	uint64_t reloads[RELOAD_RESULT_COUNT];
	bool reload_refused; /* the last one was */
	uint64_t listens;    /* that were opened */
	struct ask_counts asks;
};
const struct ledger_counts *gateway_counts(const struct gateway *gw);
void gateway_count_dropped(struct gateway *gw); /* a front dropped a message for a slow reader */
void gateway_count_reload(struct gateway *gw, enum reload_result result);

/* What became of the calls at one server, by whatever process of it, also when the configuration has replaced it. */
struct server_counts {
	uint64_t ended[END_REASON_COUNT];
	uint64_t not_sent, unknown; /* by outcome */
	uint64_t refused_asks;      /* its own requests that no client could be asked */
	struct histogram call_ms;   /* from accepted to ended, all of them */
	struct histogram start_ms;  /* of starts that came to ready */
	/* private: those that count here, and what backends that are gone had counted */
	unsigned users;
	uint64_t starts, restarts, dropped;
};

/* For people and for metrics: server `i`. Texts and counts are good until the next turn. */
struct server_view {
	const char *name, *startup, *transport; /* transport: NULL, not known yet */
	msec_t state_ms;                        /* so long ago its state was another one */
	struct backend_stats stats;             /* its counts since it was configured */
	const struct server_counts *counts;
};
void gateway_server(const struct gateway *gw, size_t i, struct server_view *view);

/* The calls in flight, the oldest first, at most `max`; names are cut. Returns how many. */
#define VIEW_TEXT_MAX 128
struct call_view {
	char name[VIEW_TEXT_MAX + 1]; /* the tool's, the prompt's or the resource's; may be empty */
	char client[SESSION_NAME_MAX + 1];
	const char *method, *server; /* server: NULL, none */
	msec_t age_ms;
};
size_t gateway_calls(const struct gateway *gw, struct call_view *views, size_t max);

/* The sessions, those that were used last first, likewise. */
struct session_view {
	const char *client, *client_version;
	struct span revision;
	unsigned calls, streams;
	msec_t unused_ms; /* so long ago it was used */
};
size_t gateway_sessions(const struct gateway *gw, struct session_view *views, size_t max);

struct catalog *gateway_catalog(struct gateway *gw);
struct backend *gateway_backend(const struct gateway *gw, size_t i);
const struct backend_hello *gateway_hello(const struct gateway *gw, size_t i); /* NULL: it has not said any */
const char *call_method(const struct call *call);
struct span call_id(const struct call *call); /* the client's, raw JSON; lives as long as the call */

#endif
