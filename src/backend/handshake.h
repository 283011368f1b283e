/*
 * What a client says to a server before and beside the calls: initialize and initialized, or server/discover, then all
 * pages of all lists that the server's capabilities offer, and a list again when the server says that it changed. Pure
 * protocol: messages go out through a port and come in by function call, so every transport uses the same one. The
 * owner embeds a struct handshake, gives the ids and keeps the time of the whole attempt.
 *
 * An upcall other than `warn` may reset the handshake.
 */
#ifndef SLUICE_BACKEND_HANDSHAKE_H
#define SLUICE_BACKEND_HANDSHAKE_H

#include "backend/backend.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"

#define HANDSHAKE_PAGES_MAX 1000
#define HANDSHAKE_ITEMS_MAX 100000

struct handshake_port {
	/* Sends a request and returns its id, from 1; `params` is an object, or not set. */
	uint64_t (*request)(void *arg, enum method method, struct span params);
	void (*notify)(void *arg, enum method method);
	/* The spans live until the next hello. */
	void (*hello)(void *arg, const struct backend_hello *hello);
	/* A whole list, taken over by the listener. At start all four kinds come, empty when they are not offered. */
	void (*list)(void *arg, enum list_kind kind, struct item_list *list);
	/* The first lists are there: `fault` is NULL; or the attempt has failed, and nothing more comes of it. */
	void (*done)(void *arg, const char *fault);
	/* The server did something that we coped with. */
	void (*warn)(void *arg, enum list_kind kind, const char *sentence);
};

/* One list on its way. */
struct fetch {
	uint64_t id; /* of the request for the page that is due; 0: none is */
	mono_t since;
	bool offered; /* by the server's capabilities */
	bool first;   /* since the start of this process: the end of the handshake waits for it */
	bool again;   /* it changed meanwhile: once more after this */
	unsigned pages;
	size_t count;
	struct buf text;      /* [item,item... */
	struct map seen;      /* the cursors so far */
	struct arena cursors; /* their texts */
};

enum handshake_state { HANDSHAKE_OFF, HANDSHAKE_INITIALIZE, HANDSHAKE_LISTS, HANDSHAKE_DONE };

struct handshake {
	const struct handshake_port *port;
	void *arg;
	size_t max_bytes;     /* of one list */
	msec_t page_limit_ms; /* a list that had no answer for so long is asked for anew when it changes again */
	bool modern;          /* the first word is server/discover, of 2026-07-28 */
	unsigned declares;    /* of enum client_capability: what we say that we can do for the server */
	bool without_lists;   /* the first words are enough */
	enum handshake_state state;
	uint64_t initialize_id; /* or that of server/discover */
	struct backend_hello hello;
	char *hello_text;
	struct fetch fetches[LIST_KINDS];
};

void handshake_init(
        struct handshake *h, size_t max_bytes, msec_t page_limit_ms, const struct handshake_port *port, void *arg);

/* A new process or session: sends initialize. */
void handshake_start(struct handshake *h);

/* A server of the modern revision: sends server/discover. `request` adds what every modern request needs. */
void handshake_discover(struct handshake *h);

/* True for an answer to server/discover that names the modern revision. */
bool handshake_names_modern(const struct message *m);

/* True for an error that names it as supported (-32022): another try is welcome. */
bool handshake_invites_modern(const struct message *m);

/* An answer has come; false: its id is none of ours. */
bool handshake_answer(struct handshake *h, uint64_t id, const struct message *m, mono_t now);

/* The server says that a list has changed. */
void handshake_changed(struct handshake *h, enum list_kind kind, mono_t now);

/* The process or session is over; the hello stays. */
void handshake_reset(struct handshake *h);
void handshake_clear(struct handshake *h);

#endif
