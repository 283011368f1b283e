/*
 * The example server: an MCP server over stdio, small and fast, for `./dev run`, for tests and for benches. It is no
 * part of the installed program and no model of a gateway: it shares only the library's text tools (base, json, mcp).
 *
 * It reads many lines at once and answers them in one write. A call that takes time (sleep, progress, --slow-start)
 * becomes a `later`, which the server owns until it is due or cancelled; all else is answered on the spot.
 */
#ifndef SLUICE_EXAMPLES_SERVER_H
#define SLUICE_EXAMPLES_SERVER_H

#include "base/buf.h"
#include "base/list.h"
#include "base/sched.h"
#include "mcp/jsonrpc.h"
#include "json/write.h"

struct options {
	const char *name;   /* of the server, as it tells in `initialize` */
	unsigned tools;     /* so many tools more, extra_1 ... */
	unsigned page;      /* items of tools/list in one page; 0: all */
	msec_t slow_start;  /* `initialize` is answered so much later */
	bool tools_only;    /* no resources, prompts, completions, logging */
	const char *newest; /* the only revision that it speaks; NULL: every legacy one */
};

struct server {
	struct options options;
	struct sched sched;
	struct buf in, out;
	struct list later; /* struct later */
	unsigned added;    /* tools that `change` has added */
	int level;         /* of log messages that the client wants */
};

/* A call whose answer is due at a later time. `id` and `token` are raw JSON. */
struct later {
	struct list node;
	struct timer timer;
	struct server *server;
	void (*due)(struct later *l);
	int64_t step, steps;
	msec_t interval;
	struct span token; /* not set: no progress is wanted; behind id in `text` */
	struct span id;
	char text[];
};

/* Makes a later out of a request and sets it to `in_ms` from now. It ends by later_free, in `due` or when cancelled. */
struct later *later_new(struct server *s, const struct message *m, msec_t in_ms, void (*due)(struct later *l));
void later_free(struct later *l);

/* The frame of a result: begin, the result's JSON, end. */
void answer_begin(struct server *s, struct span id);
void answer_end(struct server *s);
void answer(struct server *s, struct span id, struct span result);
void answer_error(struct server *s, struct span id, int code, struct span sentence);

/* {"content":[{"type":"text","text":TEXT}]}; `json` is a JSON string already. */
void answer_text(struct server *s, struct span id, struct span text);
void answer_text_json(struct server *s, struct span id, struct span json);

/* Sends a notification without params. */
void notify(struct server *s, struct span method);

/* Writes all that is waiting. */
void server_flush(struct server *s);

/* tools.c */
void tools_list(struct server *s, const struct message *m);
void tools_call(struct server *s, const struct message *m);

/* content.c: resources, prompts, completion, log level */
void resources_list(struct server *s, const struct message *m);
void templates_list(struct server *s, const struct message *m);
void resources_read(struct server *s, const struct message *m);
void prompts_list(struct server *s, const struct message *m);
void prompts_get(struct server *s, const struct message *m);
void complete(struct server *s, const struct message *m);
void set_level(struct server *s, const struct message *m);
int level_parse(struct span json); /* -1: unknown */

#endif
