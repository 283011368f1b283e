/* sluice call: one call of a tool. */
#include <unistd.h>

#include "cli/ask.h"
#include "cli/listing.h"
#include "cli/pretty.h"
#include "cli/result.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "config/suggest.h"
#include "json/tree.h"

#define ARGUMENTS_DEPTH_MAX (JSON_DEPTH_MAX - 8) /* the message is around them */

struct target {
	int scope;
	struct span tool; /* as the server knows it */
};

/* ---- the arguments ---- */

static bool check_arguments(struct oneshot *o, struct span text)
{
	struct arena a = { 0 };
	struct err e;
	const struct json_node *root = json_parse(&a, text, 0, ARGUMENTS_DEPTH_MAX, &e);
	bool ok = root != NULL && root->type == JSON_OBJECT;

	if (root == NULL)
		oneshot_complain(o, "the arguments are not valid JSON: %s", e.text);
	else if (!ok)
		oneshot_complain(o, "the arguments must be a JSON object, such as '{\"text\": \"hello\"}'");
	arena_free(&a);
	return ok;
}

static struct span trim(struct span text)
{
	while (text.n > 0 && (unsigned char)text.p[0] <= ' ')
		text = span_skip(text, 1);
	while (text.n > 0 && (unsigned char)text.p[text.n - 1] <= ' ')
		text.n--;
	return text;
}

/* From the command line, else from stdin, else none. */
static int get_arguments(struct oneshot *o, struct buf *arguments)
{
	const struct cli *c = o->cli;
	struct buf text = { 0 };

	if (c->argc > 1)
		buf_add(&text, span_of(c->argv[1]));
	else if (!isatty(STDIN_FILENO) && !oneshot_read_stdin(o, o->app.config->http.server.max_body_bytes, &text))
		return o->interrupted || o->timed_out ? CLI_FAILED : CLI_USAGE;
	struct span json = trim(buf_span(&text));
	if (json.n == 0 && c->argc < 2)
		json = SPAN("{}");
	bool ok = check_arguments(o, json);
	buf_add(arguments, json);
	buf_free(&text);
	return ok ? CLI_OK : CLI_USAGE;
}

/* ---- the tool ---- */

struct offers {
	struct suggestion *near;
	struct arena *arena;
	const char *server;
	const char *best; /* server__tool */
};

/* With and without its server's name, whichever is nearer to what was typed. */
static void offer(void *arg, struct span item)
{
	struct offers *offers = arg;
	struct buf room = { 0 };
	struct span name = text_of_member(&room, item, "name");
	const char *full = arena_printf(offers->arena, "%s__%.*s", offers->server, SPAN_ARG(name));
	const char *bare = full + span_of(full).n - name.n;

	suggestion_offer(offers->near, full);
	suggestion_offer(offers->near, bare);
	if (offers->near->best == full || offers->near->best == bare)
		offers->best = full;
	buf_free(&room);
}

static int refuse_unknown(struct oneshot *o, const char *name)
{
	struct suggestion near = suggestion_for(span_of(name));
	struct arena a = { 0 };
	struct offers offers = { .near = &near, .arena = &a };

	for (size_t i = 0; i < o->app.config->server_count; i++) {
		offers.server = o->app.config->servers[i].name;
		listing_each(gateway_catalog(o->app.gateway), (int)i, LIST_TOOLS, offer, &offers);
	}
	if (offers.best != NULL)
		oneshot_complain(o, "there is no tool \"%s\", did you mean \"%s\"?", name, offers.best);
	else
		oneshot_complain(o, "there is no tool \"%s\"; \"sluice list\" shows those that are there", name);
	arena_free(&a);
	return CLI_FAILED;
}

static bool has_tool(struct oneshot *o, const struct target *t)
{
	struct route route;

	return catalog_route(gateway_catalog(o->app.gateway), t->scope, LIST_TOOLS, t->tool, &route) && route.listed;
}

/* server__tool, if there is such a server: names of servers have no two underscores together. */
static bool split_name(const struct oneshot *o, struct span name, struct target *t)
{
	for (size_t at = 1; at + 2 < name.n; at++) {
		if (!span_starts(span_skip(name, at), SPAN("__")))
			continue;
		t->tool = span_skip(name, at + 2);
		if (gateway_scope(o->app.gateway, span_cut(name, at), &t->scope))
			return true;
	}
	return false;
}

static int find_at_server(struct oneshot *o, const char *name, const struct target *t)
{
	if (!oneshot_start(o, t->scope))
		return CLI_FAILED;
	if (oneshot_tell_down(o, t->scope) == 0)
		return CLI_UNAVAILABLE;
	return has_tool(o, t) ? CLI_OK : refuse_unknown(o, name);
}

/* Names those that have it. */
static int refuse_ambiguous(struct oneshot *o, const char *name)
{
	struct buf names = { 0 };

	for (size_t i = 0; i < o->app.config->server_count; i++)
		if (has_tool(o, &(struct target){ (int)i, span_of(name) }))
			buf_printf(&names, "%s%s__%s", buf_size(&names) > 0 ? ", " : "", o->app.config->servers[i].name,
			        name);
	oneshot_complain(o, "several servers have it, say which: %.*s", SPAN_ARG(buf_span(&names)));
	buf_free(&names);
	return CLI_USAGE;
}

/* A bare name will do if one server has it. */
static int find_anywhere(struct oneshot *o, const char *name, struct target *t)
{
	size_t found = 0;

	if (!oneshot_start(o, SCOPE_ALL))
		return CLI_FAILED;
	for (size_t i = 0; i < o->app.config->server_count; i++) {
		struct target at = { (int)i, span_of(name) };
		if (!has_tool(o, &at))
			continue;
		*t = at;
		found++;
	}
	if (found == 1)
		return CLI_OK;
	if (found > 1)
		return refuse_ambiguous(o, name);
	bool reached = oneshot_tell_down(o, SCOPE_ALL) > 0 || o->app.config->server_count == 0;
	return reached ? refuse_unknown(o, name) : CLI_UNAVAILABLE;
}

static int find_tool(struct oneshot *o, const char *name, struct target *t)
{
	int code = split_name(o, span_of(name), t) ? find_at_server(o, name, t) : find_anywhere(o, name, t);

	if (o->interrupted)
		oneshot_tell_cut(o);
	return code;
}

/* ---- the call ---- */

static int show_result(struct oneshot *o, const char *name, struct span result)
{
	if (!o->cli->options.json && terminal_is(o->cli->out)) {
		result_put(&o->out, result);
	} else {
		buf_add(&o->out, result);
		buf_add_char(&o->out, '\n');
	}
	if (!result_is_error(result))
		return CLI_OK;
	oneshot_complain(o, "%s reports an error", name);
	return CLI_FAILED;
}

static int show_error(struct oneshot *o, const char *name, struct span error, enum end_reason why)
{
	struct buf room = { 0 };
	struct span message = text_of_member(&room, error, "message"), code = json_member(error, "code");
	struct span data = json_member(error, "data");

	oneshot_complain(o, "%s: %.*s (%.*s)", name, SPAN_ARG(message), SPAN_ARG(code));
	if (span_is_set(data))
		oneshot_complain(o, "%s: %.*s", name, SPAN_ARG(data));
	buf_free(&room);
	return why == END_BACKEND_UNAVAILABLE ? CLI_UNAVAILABLE : CLI_FAILED;
}

static int call(struct oneshot *o, const char *name, const struct target *t, struct span arguments)
{
	struct buf answer = { 0 };
	struct message m;
	struct message_fault fault;

	spinner_start(&o->spinner, "%s", name);
	enum end_reason why = ask_tool(o, t->scope, t->tool, arguments, &answer);
	spinner_stop(&o->spinner);
	int code = CLI_FAILED;
	if (why == END_CANCELLED)
		oneshot_tell_cut(o);
	else if (!message_parse(buf_span(&answer), JSON_DEPTH_MAX, &m, &fault))
		oneshot_complain(o, "%s: %s", name, fault.sentence);
	else if (m.kind == MESSAGE_RESULT)
		code = show_result(o, name, m.result);
	else
		code = show_error(o, name, m.error, why);
	buf_free(&answer);
	return code;
}

int cli_call(const struct cli *c)
{
	struct oneshot o;
	struct target target = { .scope = SCOPE_ALL };
	struct buf arguments = { 0 };
	const char *name = c->argv[0];

	oneshot_open(&o, c, "call");
	int code = get_arguments(&o, &arguments);
	if (code == CLI_OK)
		code = find_tool(&o, name, &target);
	if (code == CLI_OK)
		code = call(&o, name, &target, buf_span(&arguments));
	buf_free(&arguments);
	oneshot_end(&o, code);
}
