/*
 * The resources of one process or session whose updates somebody wants to hear of: as long as there are any it is in
 * use, and each time that it starts anew it has to be told of all of them. In the order of their coming. Pure.
 */
#ifndef SLUICE_BACKEND_WANTED_H
#define SLUICE_BACKEND_WANTED_H

#include "backend/backend.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"

struct wanted_uri {
	struct list node;
	size_t size;
	char text[]; /* raw JSON */
};

struct wanted {
	struct map by_text;
	struct list all;
};

void wanted_init(struct wanted *w);
void wanted_clear(struct wanted *w);

/* False: it was so already. */
bool wanted_set(struct wanted *w, struct span uri, bool wanted);

/*
 * The params of subscriptions/listen: changes of the lists that the server offers, if `lists`, and updates of what is
 * wanted, if the server has them. False: there is nothing to listen for.
 */
bool wanted_put_listen(struct buf *out, const struct backend_hello *hello, bool lists, const struct wanted *w);

static inline bool wanted_any(const struct wanted *w)
{
	return w->by_text.count > 0;
}

static inline struct span wanted_text(const struct wanted_uri *uri)
{
	return (struct span){ uri->text, uri->size };
}

#define wanted_each(uri, w)               \
	list_each (uri##_node, &(w)->all) \
		for (struct wanted_uri *uri = list_entry(uri##_node, struct wanted_uri, node); uri != NULL; uri = NULL)

#endif
