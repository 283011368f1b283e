/*
 * Shared by the files of the HTTP backend: streamable_http.c (what comes from the gateway), http_life.c (its life, and
 * the news of it), http_close.c (the end of a session), http_start.c (eras and sessions, and their healing),
 * http_trip.c (a request on its way), http_body.c (the bytes that come back), http_end.c (the ends of trips),
 * http_message.c (what comes from the server), http_news.c (streams for news), legacy_sse.c (the one stream of
 * HTTP+SSE), and http_ask.c (the server's own requests).
 */
#ifndef SLUICE_BACKEND_HTTP_PRIVATE_H
#define SLUICE_BACKEND_HTTP_PRIVATE_H

#include "backend/handshake.h"
#include "backend/http_status.h"
#include "backend/json_texts.h"
#include "backend/open_asks.h"
#include "backend/pending.h"
#include "backend/rate.h"
#include "backend/standing.h"
#include "backend/streamable_http.h"
#include "backend/wanted.h"
#include "http/sse.h"

#define HTTP_CONNECT_MS 10000 /* until a connection is ready */
#define HTTP_NOTE_MS 30000    /* for a message that wants no answer */
#define HTTP_OPENING_MS 1000  /* that calls wait for the answer to the first GET of a session */
#define HTTP_RETRY_MS 1000    /* before a stream is taken up again, when the server named no time */
#define HTTP_RETRY_MOST_MS 30000
#define HTTP_SESSION_ID_MAX 1024

struct http_backend;

/* What a trip is for; who hears of its end. */
enum trip_role {
	TRIP_CALL, /* a client's request */
	TRIP_OWN,  /* a request of ours: handshake, lists, logging/setLevel */
	TRIP_NOTE, /* a notification, an answer to the server: nothing comes back */
	TRIP_NEWS, /* a stream for what belongs to no call: GET, or subscriptions/listen */
	TRIP_SSE,  /* the one stream of HTTP+SSE */
	TRIP_BYE   /* DELETE */
};

enum trip_body {
	BODY_NONE,   /* no head yet */
	BODY_JSON,   /* one or more texts */
	BODY_EVENTS, /* text/event-stream */
	BODY_OTHER   /* of no use but for people */
};

#define HTTP_EXCERPT_MAX 4000

/* A request on its way and what comes back. In one of the backend's lists until its end. */
struct http_trip {
	struct list node;
	struct http_backend *b;
	enum trip_role role;
	struct backend_call *call; /* TRIP_CALL, until the call has ended or was taken back */
	uint64_t id;               /* of the JSON-RPC request; 0: it is none */
	enum method method;
	bool modern;      /* it stands alone, with all that is needed in `_meta` and headers */
	bool resuming;    /* GET with Last-Event-ID, for the rest of a stream that broke off */
	bool answered;    /* the answer has come: what else comes is of no matter */
	bool mismatch;    /* the server says that the headers are not those that it wants: it wants others by now */
	bool held;        /* in b->held */
	bool over;        /* out of all lists, to be buried at the end of the turn */
	unsigned tries;   /* beside the first one */
	uint64_t session; /* the serial of that it was sent in */

	struct http_fetch fetch;
	struct timer timer; /* of the next try */
	int status;
	enum trip_body body;
	bool whole; /* the length of the body is known */
	uint64_t length;
	struct sse_reader sse;
	struct buf resumed_at; /* the event behind which it was taken up last */
	struct json_texts texts;
	struct buf excerpt; /* of a body that is no message */

	struct buf fields; /* of this request alone, "Name: value" and a line feed each */
	size_t n;
	char text[]; /* the message */
};

/* A session at the server. */
struct http_session {
	uint64_t serial; /* counts them */
	enum revision revision;
	struct buf id;
};

/* A stream for what belongs to no call, opened again and again. */
struct http_news {
	struct http_backend *b;
	bool modern;
	struct http_trip *trip;
	struct http_trip *old; /* whose place it takes, until it is acknowledged */
	struct timer timer;    /* of the next try */
	unsigned failures;     /* in a row */
	bool none;             /* the server offers no such stream */
	struct buf last_id;
	uint64_t retry_ms;
};

struct http_backend {
	struct backend base; /* first */
	struct backend_link own_link;
	const struct backend_link *link; /* its own, unless it is for one client */
	struct loop *loop;
	struct http_site *site;
	struct logger log;
	uint64_t random;

	struct life life;
	struct standing standing;
	struct timer timer; /* of the life */
	struct handshake handshake;
	struct pending pending;

	struct list trips;      /* on their way */
	struct list held;       /* calls that wait for the server */
	struct list gated;      /* trips that wait for the gate */
	struct http_trip *gate; /* notifications/initialized, before which no request may come */
	size_t held_bytes;

	struct http_session session;
	uint64_t last_serial;
	struct buf endpoint;      /* HTTP+SSE: where to POST */
	struct http_trip *sse;    /* HTTP+SSE: its one stream */
	struct http_news news[2]; /* of the session; of a modern server */
	struct timer opening;     /* runs while calls wait for the first of these: see http_news_hold */

	/* a modern server that may have sessions for legacy clients too */
	struct handshake second;

	struct open_asks asks;
	struct post asks_post; /* for those that are lost */
	struct wanted wanted;
	struct post renew_post; /* other resources are wanted */

	struct post gone_post;
	struct timer close_timer;
	struct http_trip *bye; /* the DELETE */
	msec_t stop_most_ms;   /* that a stop may take, when the gateway has said so */

	mono_t asked_at;
	struct timer changed_timer;

	struct rate complaints;
	mono_t began_at;
	bool invited; /* to say server/discover again: once in a start */
	uint64_t starts, restarts, dropped;
	struct buf scratch; /* for a text that lives as long as a function */

	enum http_way way;  /* of this attempt; unknown while a modern server is looked for */
	int post_status;    /* that made us look for an event stream; 0: it was configured */
	unsigned unwell;    /* answers in a row that spoke against it */
	unsigned changed;   /* bits of enum list_kind: to be asked for anew */
	bool has_agent;     /* a User-Agent is configured */
	bool healing;       /* its session was lost, another is being made; calls wait */
	bool relisting;     /* the list of tools is fetched anew, for calls that wait for their headers */
	bool second_is_up;  /* the session of `second` */
	bool fell;          /* the next start is a restart */
	bool asked;         /* to stop */
	bool closing;       /* see http_close.c */
	bool bye_said;      /* ... the session is being ended, or there is none to be ended */
	bool left_as_it_is; /* ... there is no time for that, or no use */
};

static inline mono_t http_now(const struct http_backend *b)
{
	return loop_now(b->loop);
}

static inline bool http_is_talking(const struct http_backend *b)
{
	return b->life.state == LIFE_STARTING || b->life.state == LIFE_READY;
}

/* streamable_http.c */
void http_call_left(struct http_backend *b, struct backend_call *call, bool answered);

/* http_life.c: an event of its life is the last thing that a function does, because much may follow */
void http_step(struct http_backend *b, enum life_event event);
void http_arm(struct http_backend *b, mono_t at);

/* http_close.c */
enum http_close { HTTP_CLOSE_LADDER, HTTP_CLOSE_FAST, HTTP_CLOSE_AT_ONCE };
void http_close(struct http_backend *b, enum http_close how);
void http_close_on(struct http_backend *b); /* a trip or a call is over: that may have been the last */
void http_bye_is_over(struct http_backend *b);

/* http_start.c */
extern const struct handshake_port http_handshake_port, http_second_port;
void http_begin(struct http_backend *b);
void http_start_failed(struct http_backend *b, const char *sentence);                /* NULL: it is explained already */
void http_own_failed(struct http_trip *t, enum fetch_end why, const char *sentence); /* it has no answer */
void http_own_answered(struct http_trip *t, const struct message *m);
void http_relist(struct http_backend *b);
void http_session_lost(struct http_backend *b);
void http_session_got(struct http_backend *b, struct span id);
void http_session_forget(struct http_backend *b);
bool http_goes_modern(const struct http_backend *b, const struct backend_call *call);
/* False: the call has to wait, for the server or for a session, which is being made then. */
bool http_may_go(struct http_backend *b, const struct http_trip *t);

/* http_trip.c */
struct http_trip *http_trip_new(struct http_backend *b, enum trip_role role, const struct pieces *text);
struct http_trip *http_trip_of_call(
        struct http_backend *b, struct backend_call *call, const struct message *m, struct splice name);
void http_trip_start(struct http_trip *t);
void http_trip_go(struct http_trip *t); /* when there is no gate before it */
void http_trip_hold(struct http_trip *t);
void http_trip_end(struct http_trip *t);   /* without a word to anybody */
void http_release(struct http_backend *b); /* those that are held may go */
void http_trips_end(struct http_backend *b);
void http_gate_opens(struct http_backend *b); /* and those before the gate */
struct http_trip *http_own(
        struct http_backend *b, enum trip_role role, enum method method, struct span params, bool modern);
uint64_t http_request(struct http_backend *b, enum method method, struct span params, bool modern);
struct http_trip *http_note(struct http_backend *b, enum method method, struct span params);

/* http_meta.c */
void http_put_modern_fields(const struct http_backend *b, struct buf *out, const struct message *m, struct splice name);

/* http_body.c */
extern const struct http_fetch_events http_trip_events;

/* http_end.c */
void http_trip_ended(struct http_trip *t, enum fetch_end why, bool sent, const char *sentence);
void http_end_call(struct http_trip *t, enum end_reason why, enum outcome outcome, const struct message *answer);

/* http_message.c: `t` is where it came, and may be over afterwards */
void http_on_text(struct http_trip *t, struct span text);
bool http_on_whole(struct http_trip *t, struct span body); /* false: it is not one message */
void http_complain(struct http_backend *b, const char *event, const char *msg, const char *fault, struct span text);

/* http_news.c */
void http_news_init(struct http_backend *b);
void http_news_open(struct http_backend *b, bool modern);
void http_news_hold(struct http_backend *b); /* legacy calls wait from now on, until http_news_open_first is answered */
void http_news_open_first(struct http_backend *b);
void http_news_close(struct http_backend *b, bool modern);
void http_news_renew(struct http_backend *b); /* a modern server's: other things are wanted */
void http_news_acknowledged(struct http_trip *t, const struct message *m);
void http_news_head(struct http_trip *t);
void http_news_over(struct http_trip *t, enum fetch_end why);

/* legacy_sse.c */
void legacy_sse_open(struct http_backend *b);
void legacy_sse_event(struct http_trip *t, const struct sse_event *event);
void legacy_sse_over(struct http_trip *t, const char *sentence);

/* http_ask.c */
void http_ask_came(struct http_trip *t, const struct message *m);
void http_ask_taken_back(struct http_backend *b, const struct message *m);
void http_ask_answer(struct http_backend *b, uint64_t id, const struct pieces *outcome);
void http_asks_end(struct http_backend *b);

/* http_wanted.c */
bool http_wants_by_listening(const struct http_backend *b, enum wanted_kind kind);
void http_want_updates(struct http_backend *b, enum wanted_kind kind, struct span text, bool wanted, bool say);
void http_said(void *arg, enum wanted_kind kind, struct span text, bool agreed); /* a wanted_said */
void http_tell_wanted(struct http_backend *b); /* a new session */
bool http_answers_itself(const struct http_backend *b, const struct http_trip *t);
void http_answer_itself(struct http_trip *t);

#endif
