/*
 * The requests of one server that have had no answer yet. Each gets a number of ours, under which the gateway knows it;
 * the server's own id, a number or a text, is kept as it was written. When its process or session is over they are
 * lost: no answer is for them any more, and what is to be told of that is told later in the turn.
 */
#ifndef SLUICE_BACKEND_OPEN_ASKS_H
#define SLUICE_BACKEND_OPEN_ASKS_H

#include "backend/backend.h"

#define OPEN_ASKS_MAX 256

struct open_ask {
	uint64_t id;
	struct list node;
	size_t size;
	char own_id[]; /* the server's, raw JSON */
};

struct open_asks {
	struct list open, lost;
	unsigned count; /* of those that are open */
	uint64_t last_id;
};

void open_asks_init(struct open_asks *a);
void open_asks_clear(struct open_asks *a);

/* NULL: OPEN_ASKS_MAX are open already. */
struct open_ask *open_asks_add(struct open_asks *a, struct span own_id);

/* By our number, or by the server's id; NULL: none that is open. */
struct open_ask *open_asks_find(const struct open_asks *a, uint64_t id);
struct open_ask *open_asks_find_own(const struct open_asks *a, struct span own_id);

static inline struct span open_ask_own_id(const struct open_ask *ask)
{
	return (struct span){ ask->own_id, ask->size };
}

void open_asks_remove(struct open_asks *a, struct open_ask *ask);

/* All that are open are lost. */
void open_asks_lose(struct open_asks *a);

/* Takes one that was lost; 0: there is none any more. */
uint64_t open_asks_take_lost(struct open_asks *a);

/* {"jsonrpc":"2.0","id":ID,OUTCOME}: `outcome` is the member "result" or "error". On one line. */
void open_ask_put_answer(struct buf *out, const struct open_ask *ask, const struct pieces *outcome);

#endif
