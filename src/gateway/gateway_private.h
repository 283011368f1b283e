/*
 * What the sources of the gateway share: gateway.c (construction, the entrance), slot.c (a server and its leaving),
 * reload.c (other servers), initialize.c, discover.c (the same for modern clients), call.c (the ledger), call_answer.c
 * (what clients are told at the end), routing.c (which server serves a request), lists.c, listen.c (streams of news for
 * modern clients), news.c (what comes up from the servers), ask_route.c (what they ask, and whom), asks.c (until it is
 * answered), park.c (... by modern clients), request_state.c (how those come back), url_needed.c (what servers want
 * before they begin), tasks.c (calls that go on after their answer), lease.c (whose turn it is at one that is leased),
 * and view.c (what is shown to people).
 */
#ifndef SLUICE_GATEWAY_GATEWAY_PRIVATE_H
#define SLUICE_GATEWAY_GATEWAY_PRIVATE_H

#include "gateway/asks.h"
#include "gateway/call_life.h"
#include "gateway/gateway.h"
#include "gateway/listen.h"
#include "gateway/park.h"
#include "gateway/park_token.h"
#include "gateway/request_state.h"
#include "gateway/rounds.h"
#include "gateway/subscriptions.h"
#include "gateway/tasks.h"
#include "gateway/url_needed.h"
#include "json/write.h"

#define REQUIRED_LOSS_MS 30000 /* of a required server, before readiness fails, if that is configured */

/* A configured server and what we know of it. */
struct slot {
	struct gateway *gw;
	size_t index;              /* in the order of the configuration */
	struct backend_conf *conf; /* its own copy */
	struct backend *backend;
	enum backend_state state;
	struct backend_hello hello;
	char prefix[SLOT_PREFIX_MAX]; /* "name__" */
	bool greeted;                 /* hello is filled */
	bool tried;                   /* it came to READY or BACKOFF once */
	bool was_up;
	unsigned failures; /* starts that failed in a row */
	mono_t wait_until; /* lists wait for its first try until then; MONO_NEVER: not wanted yet */
	mono_t down_since;
	char why[160];            /* it is not up */
	struct list calls;        /* at this backend, oldest first */
	unsigned users;           /* calls whose slot this is, also those that only wait for their end */
	bool changed[LIST_KINDS]; /* news of its own lists that wait for the debounce */
	bool ended;               /* it has stopped for good, which one that was never started tells too */
	bool leaving;             /* it is not in the configuration any more */
	struct list in_leaving;
	struct post leave_post;
	struct list asks;    /* what it asks of clients, open */
	struct list waiting; /* isolation "lease": calls that wait for their turn, not among `calls` */
	unsigned leases;     /* ... and those that have it */
	bool leased_alone;   /* ... which is one, of a client that the server may ask something */
	mono_t refusal_logged;
	struct server_counts *counts; /* shared with those of its name before it and after it */
	mono_t state_since, started_at;
};

struct gateway {
	struct gateway_conf conf;
	struct sched *sched;
	struct logger log;
	struct slot **slots; /* in the order of the configuration */
	size_t slot_count;
	struct list leaving; /* slots that are gone from the configuration, until they have stopped; the oldest first */
	unsigned leaving_count;
	struct sessions *sessions;
	struct catalog *catalog;
	struct asks asks;
	struct subscriptions subscriptions;
	struct parks parks;
	struct redos redos;
	uint64_t process; /* a number of this one, in requestStates; 0: not chosen yet */
	struct tasks tasks;
	struct list calls;  /* all that have not ended */
	unsigned in_flight; /* their number */
	struct list held;   /* those in state HELD */
	struct timer held_timer;
	struct ledger_counts counts;
	bool changed[LIST_KINDS]; /* news of the lists of all servers that wait for the debounce */
	bool listed[LIST_KINDS];  /* somebody has been given such a list */
	struct timer changed_timer;
	struct timer settled_timer;
	struct list listens; /* struct listen: streams of modern clients */
	unsigned listen_count;
	uint64_t listens_opened;  /* since the start */
	struct post listens_post; /* servers have said what they agree to */
	unsigned push_count;      /* open streams of news, of all sessions */
	struct buf warnings;      /* about the catalog, as last logged */
	struct timer loss_timer;
	struct timer first_try_timer; /* those that were started last have had their time */
	bool refusing;
	enum message_level level; /* the most verbose that any session wants; LEVEL_COUNT: nobody asked */
	struct buf server_info;   /* ours, as a JSON object */
	struct buf scratch;       /* for answers that live as long as an upcall */
	struct post watch_post;
	void (*watch_changed)(void *arg);
	void *watch_arg;
};

struct call {
	struct backend_call at;
	struct backend_client client;
	struct gateway *gw;
	struct session *session; /* NULL without one */
	struct slot *slot;       /* NULL: not at a backend */
	struct list in_gateway, in_session, in_slot, in_held;
	struct list asks;                        /* what its server asks of the client before it can go on */
	struct rounds *rounds;                   /* at a modern server, of a legacy client; NULL: there can be none */
	struct park *park;                       /* ... of a modern client; NULL: nothing */
	unsigned char digest[PARK_DIGEST_BYTES]; /* of the request, from a modern client that can be asked */
	enum call_state state;
	enum method method;
	int scope;
	const struct reply_port *port; /* NULL: nobody waits */
	void *arg;
	mono_t began;    /* accepted, this request of it */
	mono_t deadline; /* maxRequestTimeout, or until when a list waits */
	struct timer timeout;
	struct post post;
	enum end_reason why; /* set with the end */
	enum outcome outcome;
	const char *retry_fault; /* why it is not for a legacy server; NULL: it is */
	bool safe_to_repeat;
	bool has_lease;
	bool augmented;    /* a tools/call that asked for a task, of a server that has them */
	unsigned lacked;   /* of enum client_capability: asked for by the server, not declared by a modern client */
	struct buf answer; /* the gateway's own result or error, complete */
	struct buf waiting_text; /* for the server, while it waits for a lease */
	/* a resource that several servers may have: the text, and those not asked yet */
	char *kept_text;
	size_t kept_size;
	struct slot **candidates;
	size_t candidate_count, candidate_next;
	struct span id, token, cursor, uri; /* the client's, raw JSON, in `bytes`, or those of its retry */
	struct span name;                   /* likewise, for people: one that is very long is not kept */
	char *retry_bytes;
	struct buf kept; /* the server's answer, until the client comes back */
	char bytes[];
};

/* gateway.c */
void gateway_refuse(
        struct gateway *gw, struct span id, enum end_reason why, struct buf *out); /* nothing was begun for it */

/* slot.c */
#define SLOTS_LEAVING_MAX 64 /* that may finish their calls */
struct slot *slot_new(struct gateway *gw, size_t index, const struct backend_conf *conf);
/* Goes on with the counts of the one before it, for a slot that was just made. */
void slot_succeed(struct slot *slot, struct slot *before);
void slot_free(struct slot *slot);
void slot_leave(struct slot *slot);      /* it is in no list of servers any more: stopped and freed when that can be */
void slot_leave_soon(struct slot *slot); /* a step of that may be due, if it is leaving */
bool slot_is_up(const struct slot *slot);

/* Every server that may have a process: those that are configured, and then those that leave. `next` is NULL first. */
struct slot *slot_next(const struct gateway *gw, struct slot *last);
#define slots_each(slot, gw) for (struct slot *slot = NULL; (slot = slot_next((gw), slot)) != NULL;)

/* gateway.c */
struct catalog_server *catalog_servers(const struct gateway *gw); /* as the catalog wants them; the caller's to free */

/* call.c */
struct call *call_new(struct gateway *gw, struct session *session, int scope, const struct message *m,
        const struct request_meta *meta, const struct reply_port *port, void *arg);
static inline struct call *call_of(struct backend_call *at)
{
	return list_entry(&at->node, struct call, at.node);
}
bool call_is_modern(const struct call *c); /* its client speaks the modern revision */
void call_step(struct call *c, enum call_event event);
void call_rearm(struct call *c); /* its time begins anew, or stands still while somebody has to answer */
void call_send(struct call *c, struct slot *slot, const struct message *m, struct splice name);

void call_submit(struct call *c, const struct message *m, struct splice name); /* the last step of call_send */
void call_end_with(struct call *c, enum call_event event, enum end_reason why, enum outcome outcome);

/* What makes two requests the same: method, name or URI, arguments. */
void call_digest(const struct message *m, unsigned char out[PARK_DIGEST_BYTES]);
void call_park(struct call *c, struct span json); /* its request ends with this answer, and it waits for another */
void call_resume(struct call *c, struct session *session, const struct message *m, const struct request_meta *meta,
        const struct reply_port *port, void *arg);

/* call_answer.c */
void call_answer(struct call *c, struct span result);           /* a result of our own */
void call_fail(struct call *c, int code, struct span sentence); /* a JSON-RPC error of our own */
void call_give_up(struct call *c, struct span sentence);        /* ... or, of a tool, a result that is an error */
void call_fail_not_found(struct call *c);                       /* ... in the words of its revision, about its URI */

/* What its client gets for a server's answer, if it has one: that, or NULL for what is in c->answer then. */
const struct message *call_explained(struct call *c, const struct message *answer);
struct pieces call_last_word(struct call *c, const struct message *answer);

/* lease.c */
bool lease_take(struct call *c, const struct message *m, struct splice name); /* false: it waits for its turn */
bool lease_is_waiting(const struct call *c);
void lease_leave(struct call *c);      /* it waits no more */
void lease_give_back(struct call *c);  /* its turn, if it had one, is over: the next ones are sent */
void lease_greeted(struct slot *slot); /* the server has said what it is: perhaps nothing has to wait */

/* initialize.c: what servers of a scope offer; those that have not said so yet may offer everything */
struct backend_hello offered(const struct gateway *gw, int scope);
void put_capabilities(const struct gateway *gw, int scope, enum revision revision, struct json_writer *w);
void put_instructions(const struct gateway *gw, int scope, struct json_writer *w);

/* discover.c */
void serve_discover(struct call *c, const struct message *m);

/* subscribe.c */
void serve_subscribe(struct call *c, const struct message *m);
void serve_unsubscribe(struct call *c, const struct message *m);
void subscribe_agreed(struct call *c); /* the server has, to a client's resources/subscribe */
/* `part`: the session that the server has a part of its own for, 0: it is shared; `tell`: the server does not know yet.
 * False: too many. */
bool subscribe_add(
        struct slot *slot, enum wanted_kind kind, struct subscriber *who, uint64_t part, struct span uri, bool tell);
void subscribe_remove(struct gateway *gw, struct subscriber *who, const struct resource_name *name);
/* From the backends: whether the server agrees. */
void subscribe_said(void *arg, uint64_t session, enum wanted_kind kind, struct span raw, bool yes);
void subscribe_leave(struct gateway *gw, struct subscriber *who); /* this one wants to hear of nothing any more */
void subscribe_attached(struct slot *slot);                       /* a new backend, which knows of none yet */
void subscribe_updated(struct slot *slot, const struct backend_link *from, const struct message *m);
/* Those that may have the resource and tell of updates; `servers` has room for one more than there are. */
size_t subscribe_servers(const struct gateway *gw, int scope, struct span uri, size_t *servers);

/* routing.c: one function per kind of request */
size_t route_uri(const struct gateway *gw, int scope, struct span uri, size_t *servers); /* who may have a resource */
void route_to(struct call *c, const struct message *m, const size_t *servers, size_t n); /* the first that knows it */
void serve_request(struct call *c, const struct message *m);
bool route_next_candidate(struct call *c); /* hands a resources/read to the next server; false: there is none */

/* The splice that turns a client's name of a thing into the server's, which is the end of the decoded `text`. */
struct splice route_name_splice(struct call *c, struct span raw, struct span text, struct span local);

/* ask_route.c */
struct session *session_of(const struct gateway *gw, uint64_t nonce); /* NULL: it is over */

/* lacking.c */
bool lacking_explains(const struct call *c, const struct message *answer); /* it failed for what it could not ask */
void lacking_put_error(struct call *c);                                    /* in the place of that answer */

/* lists.c */
void serve_list(struct call *c, const struct message *m);
void lists_recheck(struct gateway *gw); /* a server was tried, or is gone: answer those held for it */

/* news.c */
void news_level(struct gateway *gw);      /* tells the servers the level that the sessions want */
void news_soon(struct gateway *gw);       /* what is marked as changed is told after the debounce */
void news_settle(struct gateway *gw);     /* what is odd about the lists is told when no more have come for a while */
void news_watch_loss(struct gateway *gw); /* in a while a server that is down now is lost */
void news_end_push(struct push *push);

/* An open stream of the session that shows this server; NULL: there is none. */
struct push *push_for(const struct session *session, const struct slot *slot);
bool news_concern(const struct gateway *gw, int scope, enum list_kind kind); /* that list has changed, to be told */
void news_of_call(struct call *c, const struct message *m);                  /* a log message that is about this call */

#endif
