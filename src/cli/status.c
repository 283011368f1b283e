/* sluice status: how is the gateway that runs at that admin port? */
#include "cli/get.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "json/tree.h"

#define TIMEOUT_MS 5000
#define DEPTH_MAX 32
#define CALLS_MAX 10 /* that are shown */

/* The member as text for a terminal. */
static const char *text_of(struct arena *a, const struct json_node *node, const char *key)
{
	const struct json_node *child = json_child(node, key);
	struct buf line = { 0 };

	text_put_line(&line, child != NULL ? child->text : SPAN("-"));
	const char *text = arena_copy(a, buf_span(&line)).p;
	buf_free(&line);
	return text;
}

static void put_head(struct arena *a, const struct json_node *root, const char *host, bool colour, struct buf *out)
{
	const struct json_node *calls = json_child(root, "calls");
	const char *status = text_of(a, root, "status");
	const char *dress = span_eq(span_of(status), SPAN("ok")) ? "\033[32m" : "\033[33m";

	buf_printf(out, "%s%s%s (%s), sluice %s at %s\n", colour ? dress : "", text_of(a, root, "phase"),
	        colour ? "\033[0m" : "", status, text_of(a, root, "version"), host);
	buf_printf(out, "sessions %s, calls in flight %s, accepted %s, refused %s\n", text_of(a, root, "sessions"),
	        text_of(a, root, "in_flight"), text_of(a, calls, "accepted"), text_of(a, calls, "refused"));
}

/* A server without a process has no pid. */
static struct span cell(const struct json_node *node, const char *key)
{
	const struct json_node *child = json_child(node, key);
	bool nothing = child == NULL || (span_eq(span_of(key), SPAN("pid")) && span_eq(child->text, SPAN("0")));

	return nothing ? SPAN("-") : child->text;
}

/* A table of the objects in a list, a column for each key; nothing for none, and not more than `most`. */
struct listing {
	const char *list;
	const char *const *keys;
	const struct table_column *columns;
	unsigned n, most;
};

static void put_list(
        const struct listing *l, const struct json_node *root, unsigned width, bool colour, struct buf *out)
{
	const struct json_node *list = json_child(root, l->list);
	struct table t = table_new(l->columns, l->n);
	unsigned rows = 0;

	if (list == NULL || list->count == 0)
		return;
	for (const struct json_node *node = list->first; node != NULL && rows < l->most; node = node->next, rows++)
		for (unsigned i = 0; i < l->n; i++)
			table_add(&t, cell(node, l->keys[i]));
	buf_add_char(out, '\n');
	table_print(&t, width, colour, out);
	table_clear(&t);
}

static void put_backends(const struct json_node *root, unsigned width, bool colour, struct buf *out)
{
	static const struct table_column columns[] = {
		{ .head = "SERVER", .colour = "36" },
		{ .head = "STATE" },
		{ .head = "IN FLIGHT", .right = true },
		{ .head = "CALLS", .right = true },
		{ .head = "STARTS", .right = true },
		{ .head = "RESTARTS", .right = true },
		{ .head = "PID", .right = true },
		{ .head = "LAST ERROR", .least = 24 },
	};
	static const char *const keys[] = { "name", "state", "in_flight", "calls", "starts", "restarts", "pid",
		"last_error" };

	put_list(&(struct listing){ "backends", keys, columns, 8, UINT32_MAX }, root, width, colour, out);
}

/* The oldest ones: a call that hangs is among them. */
static void put_calls(const struct json_node *root, unsigned width, bool colour, struct buf *out)
{
	static const struct table_column columns[] = {
		{ .head = "CALL IN FLIGHT", .least = 16 },
		{ .head = "SERVER", .colour = "36" },
		{ .head = "CLIENT", .least = 12 },
		{ .head = "AGE, MS", .right = true },
	};
	static const char *const keys[] = { "name", "backend", "client", "age_ms" };

	put_list(&(struct listing){ "calls_in_flight", keys, columns, 4, CALLS_MAX }, root, width, colour, out);
}

/* The body as it came, or for people. False: it is not what a gateway says. */
static bool put_status(const struct cli *c, struct span body, const char *host, struct buf *out, struct err *e)
{
	struct arena a = { 0 };
	const struct json_node *root = json_parse(&a, body, 0, DEPTH_MAX, e);
	bool colour = cli_wants_colour(c->out, c->environment);
	bool ok = root != NULL && json_child(root, "phase") != NULL;

	if (!ok) {
		err_set(e, "%s answers, but not as a gateway does: is it an admin port?", host);
	} else if (c->options.json || !terminal_is(c->out)) {
		buf_add(out, body);
	} else {
		put_head(&a, root, host, colour, out);
		put_backends(root, terminal_width(c->out, c->environment), colour, out);
		put_calls(root, terminal_width(c->out, c->environment), colour, out);
	}
	arena_free(&a);
	return ok;
}

int cli_status(const struct cli *c)
{
	struct get_url url;
	struct buf body = { 0 }, out = { 0 };
	struct err e;
	int status = 0;

	if (!get_url_admin(&url, c, SPAN("/status"), &e)) {
		fprintf(c->err, "sluice status: %s\n", e.text);
		return CLI_USAGE;
	}
	bool ok = get_fetch(&url, TIMEOUT_MS, &status, &body, &e) && put_status(c, buf_span(&body), url.host, &out, &e);
	if (ok)
		fwrite(buf_span(&out).p, 1, buf_size(&out), c->out);
	else
		fprintf(c->err, "sluice status: %s\n", e.text);
	buf_free(&body);
	buf_free(&out);
	return ok ? CLI_OK : CLI_UNAVAILABLE;
}
