#include "backend/outbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "backend/era_request.h"
#include "base/mem.h"

#define BATCH 64         /* lines per write */
#define WRITES_AT_ONCE 8 /* then others first, even if the pipe takes more */

void outbox_init(struct outbox *o)
{
	*o = (struct outbox){ 0 };
	list_init(&o->open);
	list_init(&o->held);
	list_init(&o->aside);
}

static struct outgoing *new_line(size_t n)
{
	struct outgoing *line = mem_alloc(sizeof(*line) + n);

	*line = (struct outgoing){ .n = n };
	return line;
}

/* A buffer that is just as large as what will be put into it, so that it never moves. */
static struct buf buf_over(struct outgoing *line)
{
	return (struct buf){ .mem = line->text, .cap = line->n };
}

static struct pieces pieces_for(struct buf *room, const struct message *m, const struct backend_client *client,
        enum line_era era, const struct splice *splices, unsigned n)
{
	switch (era) {
	case LINE_LEGACY:
		return request_to_legacy(m, splices, n);
	case LINE_MODERN:
		return request_to_modern(room, m, client, splices, n);
	case LINE_AS_IT_CAME:
		break;
	}
	return pieces_splice(m->text, splices, n);
}

static struct outgoing *line_of(
        struct backend_call *call, const struct message *m, enum line_era era, const struct splice *splices, unsigned n)
{
	struct buf room = { 0 };
	struct pieces pieces = pieces_for(&room, m, call->client, era, splices, n);
	struct outgoing *line = new_line(pieces.size + 1);
	struct buf text = buf_over(line);

	if (m->multiline || buf_size(&room) > 0)
		pieces_put_line(&text, &pieces);
	else
		pieces_put(&text, &pieces);
	buf_add_char(&text, '\n');
	assert(text.mem == line->text && text.to == line->n);
	line->call = call;
	line->era = era;
	line->method = m->method_id;
	call->modern = era == LINE_MODERN;
	buf_free(&room);
	return line;
}

struct outgoing *outgoing_request(
        struct backend_call *call, const struct message *m, struct splice name, enum line_era era)
{
	char digits[24];
	struct buf number = { .mem = digits, .cap = sizeof(digits) };

	buf_add_u64(&number, call->id);
	const struct splice splices[] = { { m->id, buf_span(&number) }, { m->progress_token, buf_span(&number) },
		name };
	return line_of(call, m, era, splices, sizeof(splices) / sizeof(splices[0]));
}

struct outgoing *outgoing_text(struct span json)
{
	struct outgoing *line = new_line(json.n + 1);
	struct buf text = buf_over(line);

	buf_add(&text, json);
	buf_add_char(&text, '\n');
	line->own = true;
	return line;
}

static size_t *bytes_of(struct outbox *o, const struct outgoing *line)
{
	return line->own ? &o->own_bytes : &o->call_bytes;
}

static void append(struct outbox *o, struct list *to, struct outgoing *line)
{
	list_append(to, &line->node);
	*bytes_of(o, line) += line->n;
	if (line->call != NULL)
		line->call->unsent = line;
}

void outbox_add(struct outbox *o, struct outgoing *line)
{
	append(o, &o->open, line);
}

void outbox_hold(struct outbox *o, struct outgoing *line)
{
	assert(line->call != NULL);
	append(o, &o->held, line);
}

void outbox_put_aside(struct outbox *o, struct outgoing *line)
{
	assert(line->call != NULL);
	append(o, &o->aside, line);
}

void outbox_set_aside(struct outbox *o, enum method method)
{
	list_each (node, &o->held) {
		if (list_entry(node, struct outgoing, node)->method != method)
			continue;
		list_unlink(node);
		list_append(&o->aside, node);
	}
}

struct backend_call *outbox_first_aside(const struct outbox *o)
{
	return list_is_empty(&o->aside) ? NULL : list_entry(list_first(&o->aside), struct outgoing, node)->call;
}

void outbox_release(struct outbox *o)
{
	for (struct list *node; (node = list_take_first(&o->held)) != NULL;)
		list_append(&o->open, node);
}

/* `left` of its bytes are not written. */
static void drop(struct outbox *o, struct outgoing *line, size_t left)
{
	list_unlink(&line->node);
	*bytes_of(o, line) -= left;
	if (line->call != NULL)
		line->call->unsent = NULL;
	free(line);
}

void outbox_remove(struct outbox *o, struct outgoing *line)
{
	assert(line->call != NULL);
	drop(o, line, line->n);
}

static void fit(struct outbox *o, struct outgoing *line, enum line_era era)
{
	struct backend_call *call = line->call;
	struct message_fault fault;
	struct message m;
	bool is_message = message_parse((struct span){ line->text, line->n - 1 }, JSON_DEPTH_MAX, &m, &fault);

	assert(is_message); /* it was one, and what we put in is */
	struct outgoing *other = line_of(call, &m, era, NULL, 0);
	drop(o, line, line->n);
	append(o, &o->held, other);
}

void outbox_fit(struct outbox *o, enum line_era era)
{
	struct list due;

	list_move_all(&o->held, &due);
	for (struct list *node; (node = list_first(&due)) != NULL;) {
		struct outgoing *line = list_entry(node, struct outgoing, node);
		if (line->era != era) {
			fit(o, line, era);
			continue;
		}
		list_unlink(node);
		list_append(&o->held, node);
	}
}

void outbox_recall(struct outbox *o)
{
	struct list later;

	list_move_all(&o->held, &later);
	for (struct list *node; (node = list_take_first(&o->aside)) != NULL;)
		list_append(&later, node);
	for (struct list *node; (node = list_take_first(&o->open)) != NULL;) {
		struct outgoing *line = list_entry(node, struct outgoing, node);
		if (line->call != NULL)
			list_append(&o->held, node);
		else
			drop(o, line, line->n - o->first_done);
		o->first_done = 0;
	}
	for (struct list *node; (node = list_take_first(&later)) != NULL;)
		list_append(&o->held, node);
}

void outbox_clear(struct outbox *o)
{
	outbox_recall(o);
	for (struct list *node; (node = list_first(&o->held)) != NULL;)
		outbox_remove(o, list_entry(node, struct outgoing, node));
	outbox_init(o);
}

static int gather(struct outbox *o, struct iovec *batch)
{
	size_t done = o->first_done;
	int n = 0;

	list_each (node, &o->open) {
		struct outgoing *line = list_entry(node, struct outgoing, node);
		if (n == BATCH)
			break;
		batch[n++] = (struct iovec){ line->text + done, line->n - done };
		done = 0;
	}
	return n;
}

/* A write has accepted `n` bytes. */
static void advance(struct outbox *o, size_t n)
{
	while (n > 0) {
		struct outgoing *line = list_entry(list_first(&o->open), struct outgoing, node);
		size_t left = line->n - o->first_done;
		if (line->call != NULL) {
			line->call->unsent = NULL;
			line->call = NULL;
		}
		if (n < left) {
			o->first_done += n;
			*bytes_of(o, line) -= n;
			return;
		}
		n -= left;
		o->first_done = 0;
		drop(o, line, left);
	}
}

enum outbox_verdict outbox_write(struct outbox *o, int fd)
{
	struct iovec batch[BATCH];

	for (int i = 0; i < WRITES_AT_ONCE && !list_is_empty(&o->open); i++) {
		ssize_t n = writev(fd, batch, gather(o, batch));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? OUTBOX_BLOCKED : OUTBOX_BROKEN;
		advance(o, (size_t)n);
	}
	return list_is_empty(&o->open) ? OUTBOX_DONE : OUTBOX_BLOCKED;
}
