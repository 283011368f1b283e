/*
 * Lines on their way to a server: queued, and written to its pipe in batches. A line is a request of a call, or a
 * message of our own. Calls that wait for the server to be ready are held behind, while our own messages go out.
 *
 * A call counts as sent from the moment that a write has accepted the first byte of its line; until then the line can
 * be taken out, and it survives the death of the process that it was meant for.
 */
#ifndef SLUICE_BACKEND_OUTBOX_H
#define SLUICE_BACKEND_OUTBOX_H

#include "backend/backend.h"

/* As what kind of revision wants it, the line of a call is written. */
enum line_era {
	LINE_AS_IT_CAME, /* not known yet */
	LINE_LEGACY,
	LINE_MODERN
};

struct outgoing {
	struct list node;
	struct backend_call *call; /* while it is unsent */
	bool own;                  /* a message of ours from the beginning */
	enum line_era era;
	enum method method;
	size_t n;
	char text[]; /* the line feed included */
};

struct outbox {
	struct list open;  /* to be written, in this order */
	struct list held;  /* calls that wait */
	struct list aside; /* calls that are not for the server at all */
	size_t call_bytes; /* not written yet: of lines of calls */
	size_t own_bytes;  /* ... and of our own */
	size_t first_done; /* bytes of the first open line that are written */
};

void outbox_init(struct outbox *o);

/*
 * Lines from malloc. A request is the client's message with id, progress token and name replaced; `name.out` not set:
 * there is none. Line feeds between its tokens become spaces. `call` is marked as unsent when the line is queued.
 */
struct outgoing *outgoing_request(
        struct backend_call *call, const struct message *m, struct splice name, enum line_era era);
struct outgoing *outgoing_text(struct span json);

void outbox_add(struct outbox *o, struct outgoing *line);
void outbox_hold(struct outbox *o, struct outgoing *line);

/* Taken out again like any other that is unsent. */
void outbox_put_aside(struct outbox *o, struct outgoing *line);
void outbox_set_aside(struct outbox *o, enum method method);     /* those of that method that are held */
struct backend_call *outbox_first_aside(const struct outbox *o); /* NULL: none */

/* Writes anew what is held and was written for another kind of revision, or for none. */
void outbox_fit(struct outbox *o, enum line_era era);

/* What was held may go out now. */
void outbox_release(struct outbox *o);

/* The process is gone: unsent calls are held for the next one, everything else is dropped. */
void outbox_recall(struct outbox *o);

/* Takes an unsent line out and frees it. */
void outbox_remove(struct outbox *o, struct outgoing *line);

enum outbox_verdict {
	OUTBOX_DONE,    /* nothing is left to write */
	OUTBOX_BLOCKED, /* the pipe takes no more for now */
	OUTBOX_BROKEN   /* nobody reads it any more */
};
enum outbox_verdict outbox_write(struct outbox *o, int fd);

void outbox_clear(struct outbox *o);

#endif
