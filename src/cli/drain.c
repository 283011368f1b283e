/* sluice drain: asks the gateway at an admin port to drain; a preStop hook for images without a shell. */
#include "base/duration.h"
#include "cli/get.h"
#include "json/tree.h"

#define ANSWER_MS 5000             /* to answer, beyond the time that it is asked to wait */
#define LONGEST_MS DURATION_MAX_MS /* the gateway knows when lameDuck.max is over */
#define DEPTH_MAX 8

static void put_path(const struct cli_options *o, struct buf *path)
{
	buf_printf(path, "/drain?hook=%d&wait=%d&cancel=%d", o->hook, o->wait, o->cancel);
	if (o->wait && o->timeout_ms > 0)
		buf_printf(path, "&timeout=%s", duration_text(o->timeout_ms).text);
}

static msec_t patience_ms(const struct cli_options *o)
{
	if (!o->wait)
		return o->timeout_ms > 0 ? o->timeout_ms : ANSWER_MS;
	return o->timeout_ms > 0 ? o->timeout_ms + ANSWER_MS : LONGEST_MS;
}

static const char *text_of(const struct json_node *root, const char *key)
{
	const struct json_node *child = json_child(root, key);

	return child != NULL && span_is_set(child->text) ? child->text.p : "?";
}

/* What has come of it, in a sentence. */
static int tell(const struct cli *c, int status, struct span body)
{
	struct arena a = { 0 };
	struct err e;
	const struct json_node *root = status == 200 || status == 409 ? json_parse(&a, body, 0, DEPTH_MAX, &e) : NULL;
	const struct json_node *drained = json_child(root, "drained");
	bool in_time = !c->options.wait || (drained != NULL && drained->type == JSON_TRUE);

	if (root == NULL)
		fprintf(c->err, "sluice drain: status %d: %.*s\n", status, SPAN_ARG(span_trim(body)));
	else if (status == 409)
		fprintf(c->err, "sluice drain: too late to cancel, the phase is %s\n", text_of(root, "phase"));
	else
		fprintf(in_time ? c->out : c->err, "%s%s, calls in flight: %s\n",
		        in_time ? "" : "not drained in time: ", text_of(root, "phase"), text_of(root, "in_flight"));
	arena_free(&a);
	return status == 200 && root != NULL && in_time ? CLI_OK : CLI_FAILED;
}

int cli_drain(const struct cli *c)
{
	struct buf path = { 0 }, body = { 0 };
	struct get_url url;
	struct err e;
	int status = 0, code;

	put_path(&c->options, &path);
	if (c->options.cancel && (c->options.hook || c->options.wait)) {
		fprintf(c->err, "sluice drain: --cancel goes with neither --hook nor --wait\n");
		code = CLI_USAGE;
	} else if (!get_url_admin(&url, c, buf_span(&path), &e)) {
		fprintf(c->err, "sluice drain: %s\n", e.text);
		code = CLI_USAGE;
	} else {
		url.field = "Sluice-Drain: 1";
		bool answered = get_fetch(&url, patience_ms(&c->options), &status, &body, &e);
		if (!answered)
			fprintf(c->err, "sluice drain: %s\n", e.text);
		code = answered ? tell(c, status, buf_span(&body)) : CLI_UNAVAILABLE;
	}
	buf_free(&path);
	buf_free(&body);
	return code;
}
