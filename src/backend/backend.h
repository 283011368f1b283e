/*
 * The seam between the gateway and the servers behind it: what every kind of backend can do, whatever its transport,
 * and where its answers and news go. A backend speaks MCP as a client: it does the handshake, fetches the lists,
 * numbers the requests with ids of its own, and starts, restarts and stops what it needs for that. It knows nothing of
 * the clients in front, of names with prefixes, or of time limits of calls: those are the gateway's.
 *
 * Requests go down by function call. Answers come up through backend_sink and backend_events, and never inside the
 * downward call that caused them. Messages and spans that come up are valid during the upcall only.
 */
#ifndef SLUICE_BACKEND_BACKEND_H
#define SLUICE_BACKEND_BACKEND_H

#include "backend/life.h"
#include "base/clock.h"
#include "base/end_reason.h"
#include "base/list.h"
#include "mcp/client.h"
#include "mcp/jsonrpc.h"
#include "mcp/revision.h"
#include "mcp/rewrite.h"

struct backend;
struct probe_known;
struct tls_context;

enum backend_kind {
	BACKEND_STDIO,   /* a child process that speaks MCP */
	BACKEND_COMMAND, /* a command-line program, run once for each call */
	BACKEND_HTTP     /* a server behind a URL */
};

enum startup { STARTUP_REQUIRED, STARTUP_EAGER, STARTUP_LAZY };

/* Who shares a process, or a session at an HTTP server (interface.md, 2). */
enum isolation {
	ISOLATION_SHARED, /* all clients */
	ISOLATION_LEASE,  /* all, but a call of a client that the server may ask something runs alone */
	ISOLATION_SESSION /* each client session has its own */
};

/* How an HTTP server is spoken to: found out, Streamable HTTP of any revision, HTTP+SSE of 2024-11-05. */
enum http_type { HTTP_TYPE_AUTO, HTTP_TYPE_STREAMABLE, HTTP_TYPE_SSE };

/* A tool of a command-line program that the configuration defines. */
struct command_preset {
	const char *name, *description; /* description: may be NULL */
	const char *const *args;        /* behind those of the server; NULL-terminated */
	const char *schema;             /* its inputSchema, a JSON object; NULL: positional arguments only */
};

/* One server of the configuration. Strings live as long as the configuration does, or as the copy. */
struct backend_conf {
	const char *name;
	enum backend_kind kind;
	enum startup startup;
	msec_t startup_timeout_ms; /* one attempt: spawn, initialize, first lists */
	msec_t request_timeout_ms, max_request_timeout_ms;
	enum idle_rule idle;
	msec_t idle_ms, min_idle_ms, max_idle_ms; /* idle_ms: IDLE_FIXED; min and max: IDLE_ADAPTIVE */
	msec_t stop_eof_ms, stop_term_ms;
	enum isolation isolation;
	const char *roots; /* a raw JSON array, for roots/list of a server that clients share; NULL: none */
	/* globs on the names of its tools; NULL-terminated; include NULL: all */
	const char *const *include, *const *exclude;
	/* stdio, and a command-line program */
	const char *const *argv; /* NULL-terminated */
	const char *const *env;  /* "NAME=value", complete, NULL-terminated */
	const char *cwd;         /* NULL: ours */
	unsigned max_processes;  /* runs at a time; ISOLATION_SESSION: of clients, beside the one that the lists come
	                            from */
	/* HTTP */
	const char *url; /* checked */
	enum http_type http_type;
	const char *const *headers; /* name, value, name, value, ..., NULL-terminated; NULL: none */
	struct tls_context *tls;    /* of https; a copy has a reference of its own */
	const char *tls_name;       /* that the certificate must bear; NULL: the URL's host */
	const char *http_proxy, *https_proxy, *proxy_spared; /* HTTP_PROXY, HTTPS_PROXY, NO_PROXY; NULL: not set */
	/* a command-line program */
	const char *const
	        *help;  /* the arguments that make it tell about itself, NULL-terminated; NULL: the usual ones */
	unsigned depth; /* help texts that are read one below another */
	const char *const *only;              /* globs on its subcommands, word by word; NULL: all */
	const struct command_preset *presets; /* its tools, instead of what its help text says; NULL: none */
	size_t preset_count;
	/* from `limits` */
	size_t max_in_flight;
	size_t max_message_bytes;
	unsigned max_depth;
};

/* A copy with all that it points to. */
struct backend_conf *backend_conf_copy(const struct backend_conf *conf);
void backend_conf_free(struct backend_conf **conf);

/* What it takes to bring a server from one configuration to another of the same name. */
enum backend_change {
	BACKEND_SAME,
	BACKEND_RETUNED, /* times, limits, startup, what is shown: `configure` does it */
	BACKEND_REPLACED /* command, arguments, environment, folder; URL, headers: another process, another session */
};
enum backend_change backend_conf_compare(const struct backend_conf *a, const struct backend_conf *b);

/* The part of it that is its life's. */
struct life_conf backend_life_conf(const struct backend_conf *conf);

/*
 * Who is behind a call, as far as the server has to know: its capabilities limit what it may ask of this client. Part
 * of the gateway's call, with all that it points to.
 */
struct backend_client {
	uint64_t session;         /* tells client sessions apart; 0: the client has none */
	enum revision revision;   /* that it speaks */
	unsigned capabilities;    /* of enum client_capability */
	enum message_level level; /* of log messages about this request, from a modern client; LEVEL_COUNT: none */
	struct span info;         /* raw JSON objects; not set: not known */
	struct span declared;     /* its capabilities, from a modern client */
};

/*
 * A process, or a session at an HTTP server: whoever sends something there that names no call means one of the calls
 * that are at it. It lives in the backend, as long as calls have it and a little longer; others only compare it.
 */
struct backend_link {
	uint64_t session; /* the client session that it is for; 0: for all */
};

/* For whom a backend is made: one of those that it takes to give each client session its own. */
struct backend_for {
	const struct backend_link *link; /* lives as long as the backend */
	unsigned capabilities;           /* of enum client_capability: what the server is told that it can ask for */
	bool without_lists;              /* another one fetches them */
	bool legacy;                     /* the client speaks a legacy revision */
	struct probe_known *known;       /* what all that are made of one server know of it; NULL: they do not */
};

/* What a server that clients share is told. */
unsigned backend_shared_capabilities(const struct backend_conf *conf);

/* What a server said of itself in its InitializeResult. Spans are raw JSON on one line, valid until the next hello. */
struct backend_hello {
	enum revision revision;
	bool tools, resources, subscribe, prompts, completions, logging;
	bool tasks_list, tasks_cancel, tasks_call; /* tasks of 2025-11-25 */
	bool tasks_extension;                      /* ... of the modern revision */
	bool modern_only;                      /* it is modern, and has no sessions for legacy clients beside that */
	struct span server_info, instructions; /* p == NULL: none */
};

/* The items of one list of a server, in its order: one text, and a span for each item's raw JSON. */
struct item_list {
	char *text;
	struct span *items;
	size_t count;
};

void item_list_free(struct item_list *list);

/*
 * One call's part that is the backend's, embedded in the gateway's call. Zeroed before submit. Linked from
 * backend_submit until `ended` or backend_cancel, whichever comes first, and never touched by the backend after that.
 */
struct backend_call {
	const struct backend_sink *sink;
	const struct backend_client *client; /* NULL: the gateway itself asks */
	const struct backend_link *link;     /* where it is; NULL: nowhere yet */
	struct list node;                    /* in the backend: all its calls */
	uint64_t id;                         /* on the backend's wire */
	struct outgoing *unsent;             /* the queued line, while no byte of it was accepted by a write */
	struct http_trip *trip;              /* at an HTTP server: its request and what comes back */
	bool wants_progress;                 /* we planted a token */
	bool modern;                         /* it was asked in the modern revision, and so is the answer */
	enum end_reason why;                 /* while its end is due: what will be told */
	enum outcome outcome;
};

struct backend_sink {
	/* A notification that belongs to this call: progress with the token that we planted. */
	void (*progress)(struct backend_call *call, const struct message *m);
	/* Another one that does (a log message), because the transport says so: it came on the call's own stream. */
	void (*notification)(struct backend_call *call, const struct message *m);
	/* The last word, exactly once. `answer` is set for END_RESULT and END_SERVER_ERROR; its id is ours. */
	void (*ended)(
	        struct backend_call *call, enum end_reason why, enum outcome outcome, const struct message *answer);
};

/*
 * A server's own request: something that it asks of a client. The backend numbers them and hears of each exactly once,
 * by `answer`, unless the server has taken it back before, or is gone.
 */
struct backend_ask {
	uint64_t id;               /* ours, never used again by this backend */
	struct backend_call *call; /* for which it is asked, if the transport tells (a POST's own stream); else NULL */
	const struct backend_link *link; /* where it came from */
};

/* Of what a server tells only those who say that they want to hear of it. */
enum wanted_kind {
	WANTED_RESOURCE, /* updates of it */
	WANTED_TASK      /* how it stands: of the extension of the modern revision */
};

/* News that belong to no call. */
struct backend_events {
	/*
	 * `why` says how it came to BACKOFF or STOPPED, else it may be empty. `failures`: starts that failed in a row.
	 * BACKOFF may be told again with more failures or a better reason.
	 */
	void (*state)(void *arg, enum backend_state now, const char *why, unsigned failures);
	void (*hello)(void *arg, const struct backend_hello *hello);
	/* A whole list, new or again; taken over by the listener (moved out of *list). */
	void (*list)(void *arg, enum list_kind kind, struct item_list *list);
	/*
	 * Log messages, resource updates, how tasks stand, and progress that is of no call in flight; list_changed is
	 * the backend's own business.
	 */
	void (*notification)(void *arg, const struct backend_link *from, const struct message *m);
	/*
	 * Whether the server tells news of what it was asked for by want_updates; again each time that it is asked
	 * anew. `session`: of the part of the server; `text`: as it was given.
	 */
	void (*agreed)(void *arg, uint64_t session, enum wanted_kind kind, struct span text, bool yes);
	/* The server asks something of a client. (A ping is answered by the backend.) */
	void (*ask)(void *arg, const struct backend_ask *ask, const struct message *m);
	/* ... and has taken that back, or can take no answer any more: `answer` is not to be called. */
	void (*ask_ended)(void *arg, uint64_t id);
};

/* How to stop: politely by the ladder, quickly (second signal), or at once. */
enum backend_stop { BACKEND_STOP_LADDER, BACKEND_STOP_FAST, BACKEND_STOP_KILL };

/* What that is to its life. */
enum life_event backend_stop_event(enum backend_stop how);

struct backend_stats {
	enum backend_state state;
	unsigned in_flight;        /* sent or queued, not ended */
	unsigned failures;         /* starts that failed in a row */
	uint64_t starts, restarts; /* all starts; those that followed a death or a failure */
	uint64_t dropped;          /* messages from it that nobody wanted, and to it that it did not read */
	int pid;                   /* 0: no process */
	unsigned processes;        /* or sessions at an HTTP server */
	const char *transport;     /* "stdio"; NULL: not known yet */
	const char *last_error;    /* sentence, or NULL */
};

struct backend_ops {
	/* Starts it unless it is started or on its way; harmless otherwise. */
	void (*start)(struct backend *b);
	/*
	 * Queues a request. `m` is the client's message; `name` replaces a part of it (params.name without its prefix),
	 * and the backend replaces the id and the progress token. The text is copied. A backend that is not up is
	 * started; the call waits for it. After 5 failed starts in a row it ends with END_BACKEND_UNAVAILABLE.
	 */
	void (*submit)(struct backend *b, struct backend_call *call, const struct message *m, struct splice name);
	/*
	 * Forgets the call, without an upcall. If a byte of it was sent the server gets notifications/cancelled. The
	 * answer tells which: OUTCOME_NOT_SENT or OUTCOME_UNKNOWN. `reason`: a raw JSON string, or not set.
	 */
	enum outcome (*cancel)(struct backend *b, struct backend_call *call, struct span reason);
	/*
	 * The answer to a server's request: `outcome` is the member "result":... or "error":... as raw JSON. Unknown
	 * ids are ignored.
	 */
	void (*answer)(struct backend *b, uint64_t ask, const struct pieces *outcome);
	/* The client session is over: what was kept for it alone can go, once its calls have ended. */
	void (*end_session)(struct backend *b, uint64_t session);
	/* A request of the gateway's own whose answer nobody waits for (logging/setLevel). Ignored unless READY. */
	void (*tell)(struct backend *b, enum method method, struct span params);
	/* A notification of the client of that session; only for a server, or a part of it, that serves nobody else. */
	void (*notify)(struct backend *b, uint64_t session, enum method method, struct span params);
	/*
	 * News of this resource or task (`text`: its URI or id, a JSON string as json_put_string writes it) are wanted
	 * by that client session, 0: by any, or no more. It is told to every process that begins later, and as long as
	 * any are wanted it is not stopped for want of use. `tell`: the one that is there now does not know it yet.
	 * Whether it agrees comes by an event. NULL where there is no such thing.
	 */
	void (*want_updates)(
	        struct backend *b, uint64_t session, enum wanted_kind kind, struct span text, bool wanted, bool tell);
	/*
	 * For good: nothing starts it again, and later calls end with END_BACKEND_UNAVAILABLE. STOPPED follows by an
	 * event, in any state that it is in, and STOPPING before it while there is a process. Calls in flight end when
	 * the process does; queued ones at once, not sent. May be called again with something faster.
	 */
	void (*stop)(struct backend *b, enum backend_stop how);
	/*
	 * No process is started any more: a backend without one stops for good, one that is starting or up goes on with
	 * the process that it has. Calls that would have to wait for another end at once, not sent.
	 */
	void (*no_more)(struct backend *b);
	/*
	 * The gateway has been asked to stop: from now on a stop by the ladder takes at most these times, its share of
	 * the budget.
	 */
	void (*limit_stop)(struct backend *b, msec_t eof_ms, msec_t term_ms);
	/*
	 * Goes on with this configuration, at most BACKEND_RETUNED from the one before, which is not used any more.
	 * What has begun keeps its time: a start its startupTimeout, a process the limits that it was started with.
	 */
	void (*configure)(struct backend *b, const struct backend_conf *conf);
	void (*stats)(const struct backend *b, struct backend_stats *stats);
	/* In state STOPPED only. */
	void (*free)(struct backend *b);
};

/* The head of every kind of backend. */
struct backend {
	const struct backend_ops *ops;
	const struct backend_conf *conf;
	const struct backend_events *events;
	void *arg; /* of the events */
};

#endif
