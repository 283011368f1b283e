/*
 * Leases: at a server whose isolation is "lease", the calls of clients that it may ask something run one at a time, so
 * that of two such clients it never works for both. The others wait here, unsent, in their order; what nobody can be
 * asked for goes to the server at once.
 */
#include <assert.h>

#include "gateway/gateway_private.h"

static bool needs_lease(const struct call *c)
{
	const unsigned asked = CLIENT_SAMPLING | CLIENT_ELICITATION | CLIENT_ROOTS;

	return c->slot->conf->isolation == ISOLATION_LEASE && (c->client.capabilities & asked) != 0;
}

bool lease_take(struct call *c, const struct message *m, struct splice name)
{
	struct slot *slot = c->slot;

	if (!needs_lease(c))
		return true;
	if (slot->leased == NULL) {
		slot->leased = c;
		return true;
	}
	struct pieces text = pieces_splice(m->text, &name, 1);
	pieces_put(&c->waiting_text, &text);
	list_append(&slot->waiting, &c->in_slot);
	return false;
}

bool lease_is_waiting(const struct call *c)
{
	return buf_size(&c->waiting_text) > 0;
}

void lease_leave(struct call *c)
{
	buf_free(&c->waiting_text);
	list_unlink(&c->in_slot);
}

void lease_give_back(struct call *c)
{
	struct slot *slot = c->slot;
	struct message_fault fault;
	struct message m;

	if (slot == NULL || slot->leased != c)
		return;
	struct list *node = list_take_first(&slot->waiting);
	slot->leased = node != NULL ? list_entry(node, struct call, in_slot) : NULL;
	if (node == NULL)
		return;
	struct call *next = slot->leased;
	bool parsed = message_parse(buf_span(&next->waiting_text), JSON_DEPTH_MAX, &m, &fault);
	assert(parsed); /* as it was before */
	call_submit(next, &m, (struct splice){ .out = SPAN_NONE });
	buf_free(&next->waiting_text);
}
