/*
 * Leases: at a server whose isolation is "lease", a call of a client that it may ask something runs alone, so that what
 * the server asks meanwhile can be meant for nobody else; the calls of clients that cannot be asked run together. Those
 * whose turn has not come wait here, unsent, in their order, which lets neither kind starve the other.
 *
 * A modern server asks only in the answers to its requests, so nothing has to wait there.
 */
#include <assert.h>

#include "gateway/gateway_private.h"

#define ASKED (CLIENT_SAMPLING | CLIENT_ELICITATION | CLIENT_ELICITATION_URL | CLIENT_ROOTS)

static bool can_be_asked(const struct call *c)
{
	return (c->client.capabilities & ASKED) != 0;
}

/* The server knows by itself whose call it works at. One that has not said yet what it is may not. */
static bool stands_alone(const struct call *c)
{
	const struct slot *slot = c->slot;

	return slot->greeted && revision_is_modern(slot->hello.revision) &&
	       (call_is_modern(c) || slot->hello.modern_only);
}

static bool has_its_turn(const struct call *c)
{
	const struct slot *slot = c->slot;

	return slot->leases == 0 || (!slot->leased_alone && !can_be_asked(c));
}

static void take(struct call *c)
{
	c->has_lease = true;
	c->slot->leases++;
	c->slot->leased_alone = can_be_asked(c);
}

bool lease_take(struct call *c, const struct message *m, struct splice name)
{
	struct slot *slot = c->slot;

	if (slot->conf->isolation != ISOLATION_LEASE || stands_alone(c))
		return true;
	if (list_is_empty(&slot->waiting) && has_its_turn(c)) {
		take(c);
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

static void send_waiting(struct call *c)
{
	struct message_fault fault;
	struct message m;
	bool parsed = message_parse(buf_span(&c->waiting_text), JSON_DEPTH_MAX, &m, &fault);

	assert(parsed); /* as it was before */
	list_unlink(&c->in_slot);
	call_submit(c, &m, (struct splice){ .out = SPAN_NONE });
	buf_free(&c->waiting_text);
}

static void send_those_with_their_turn(struct slot *slot)
{
	for (struct list *node; (node = list_first(&slot->waiting)) != NULL;) {
		struct call *c = list_entry(node, struct call, in_slot);
		if (!has_its_turn(c))
			return;
		take(c);
		send_waiting(c);
	}
}

/* Those behind it may have waited for nothing else. */
void lease_leave(struct call *c)
{
	buf_free(&c->waiting_text);
	list_unlink(&c->in_slot);
	send_those_with_their_turn(c->slot);
}

void lease_give_back(struct call *c)
{
	if (!c->has_lease)
		return;
	c->has_lease = false;
	c->slot->leases--;
	send_those_with_their_turn(c->slot);
}

void lease_greeted(struct slot *slot)
{
	list_each (node, &slot->waiting) {
		struct call *c = list_entry(node, struct call, in_slot);
		if (stands_alone(c))
			send_waiting(c);
	}
	send_those_with_their_turn(slot);
}
