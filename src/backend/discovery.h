/*
 * The tools of a command-line program, found from its help texts: it is run with its help argument, and so is each
 * subcommand that the text names, down to a depth; what has no subcommands is a tool. A few run at a time, in bounded
 * time, and what has not answered by then is a tool of which only the name is known.
 *
 * The owner embeds a struct discovery. After discovery_start, `done` comes exactly once, never inside another call, and
 * then no process of it is left.
 */
#ifndef SLUICE_BACKEND_DISCOVERY_H
#define SLUICE_BACKEND_DISCOVERY_H

#include "backend/command_tool.h"
#include "backend/run.h"

#define DISCOVERY_PROBES 4 /* programs that are asked at a time */
#define DISCOVERY_TOOLS 1000
#define DISCOVERY_BYTES ((size_t)32 << 20) /* of all help texts */

/* All of them, with an arena that they lie in. */
struct command_tools {
	struct arena arena;
	struct command_tool *tools;
	size_t count;
};

void command_tools_clear(struct command_tools *t);

struct discovery;
struct probe {
	struct discovery *discovery; /* NULL: not in use */
	struct run *run;
	struct command_node *node;
	struct timer timer;
};

struct discovery {
	struct loop *loop;
	struct supervisor *supervisor;
	const struct logger *log;
	const struct backend_conf *conf;
	struct child_conf child;
	void (*done)(void *arg, const char *fault);
	void *arg;
	bool active, stopping;
	struct command_tools found; /* the nodes are in its arena, too */
	struct command_node *root;
	struct list waiting; /* to be asked */
	size_t nodes;
	struct probe probes[DISCOVERY_PROBES];
	unsigned running;
	bool cut;  /* not all were asked */
	bool late; /* no more is asked */
	struct timer deadline;
	struct post post;
	char fault[ERR_TEXT_MAX];
};

/* `child`: how its processes are started, but for their argv. */
void discovery_init(struct discovery *d, struct loop *l, struct supervisor *s, const struct logger *lg,
        void (*done)(void *arg, const char *fault), void *arg);

/* Everything that it is given lives until `done`. With presets nothing is run. */
void discovery_start(struct discovery *d, const struct backend_conf *conf, const struct child_conf *child);

/* No more is asked; `done` comes when those that run are gone. */
void discovery_stop(struct discovery *d, enum child_stop how);
void discovery_limit_stop(struct discovery *d, msec_t term_ms);

/* Goes on with this configuration, which says the same about what is asked. */
void discovery_configure(struct discovery *d, const struct backend_conf *conf, const struct child_conf *child);

/* After a `done` without a fault, once: what was found. */
struct command_tools discovery_take(struct discovery *d);

/* Not active any more. */
void discovery_clear(struct discovery *d);

/*
 * Is that subcommand wanted? A pattern is taken word by word: "remote" means all below it too, "remote add" that one.
 * `leaf`: it is a tool itself; else: could one below it be wanted?
 */
bool discovery_wants(const char *const *only, const char *const *words, bool leaf);

#endif
