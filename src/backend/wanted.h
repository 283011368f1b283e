/*
 * The resources and tasks of one process or session of whose news somebody wants to hear: as long as there are any it
 * is in use, and each time that it starts anew it has to be told of all of them. It answers whether it agrees, each to
 * the request that told it. In the order of their coming. Pure.
 */
#ifndef SLUICE_BACKEND_WANTED_H
#define SLUICE_BACKEND_WANTED_H

#include "backend/backend.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"

struct wanted_thing {
	struct list node;
	enum wanted_kind kind;
	uint64_t asked; /* the request that told the server last; 0: none did */
	bool listed;    /* in the acknowledgement that is being read */
	size_t size;
	char key[]; /* the kind, and the text: raw JSON */
};

struct wanted {
	struct map by_key;
	struct list all;
};

/* What the server says: whether it will tell of that. */
typedef void wanted_said(void *arg, enum wanted_kind kind, struct span text, bool agreed);

void wanted_init(struct wanted *w);
void wanted_clear(struct wanted *w);

/* `text`: raw JSON, as json_put_string writes it. False: it was so already. */
bool wanted_set(struct wanted *w, enum wanted_kind kind, struct span text, bool wanted);

/*
 * The params of subscriptions/listen: changes of the lists that the server offers, if `lists`, and news of what is
 * wanted, as far as the server has such. False: there is nothing to listen for.
 */
bool wanted_put_listen(struct buf *out, const struct backend_hello *hello, bool lists, const struct wanted *w);

/* That was sent under this id. */
void wanted_listening(struct wanted *w, const struct backend_hello *hello, uint64_t id);

/* The server has no news of that kind. */
void wanted_refuse(struct wanted *w, enum wanted_kind kind, wanted_said *said, void *arg);

/*
 * The acknowledgement of a listen: `params` of the notification. A server that does not say what it honours is taken to
 * honour all.
 */
void wanted_acknowledged(struct wanted *w, uint64_t id, struct span params, wanted_said *said, void *arg);

/* That one was asked for by a request of its own. */
void wanted_asked(struct wanted *w, enum wanted_kind kind, struct span text, uint64_t id);

/* The answer to the request: yes or no for all that it asked for. False: it asked for none. */
bool wanted_answered(struct wanted *w, uint64_t id, bool agreed, wanted_said *said, void *arg);

static inline bool wanted_any(const struct wanted *w)
{
	return w->by_key.count > 0;
}

static inline struct span wanted_text(const struct wanted_thing *thing)
{
	return (struct span){ thing->key + 1, thing->size - 1 };
}

#define wanted_each(thing, w)                                                                                         \
	list_each (thing##_node, &(w)->all)                                                                           \
		for (struct wanted_thing *thing = list_entry(thing##_node, struct wanted_thing, node); thing != NULL; \
		        thing = NULL)

#endif
