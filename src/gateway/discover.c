/*
 * server/discover: what an initialize would have told, for clients of the modern revision. It is answered at once,
 * whatever the servers are doing.
 */
#include "gateway/gateway_private.h"

/* The newest first: the one that a client should take. */
static void put_versions(struct json_writer *w)
{
	json_key(w, "supportedVersions");
	json_open(w, '[');
	for (int r = REVISION_COUNT - 1; r >= 0; r--)
		json_text(w, revision_name((enum revision)r));
	json_close(w, ']');
}

void serve_discover(struct call *c, const struct message *m)
{
	struct buf result = { 0 };
	struct json_writer w = json_writer(&result);

	(void)m;
	if (!call_is_modern(c)) {
		call_fail(c, RPC_METHOD_NOT_FOUND, SPAN("method not found"));
		return;
	}
	json_open(&w, '{');
	put_versions(&w);
	put_capabilities(c->gw, c->scope, REVISION_MODERN, &w);
	put_instructions(c->gw, c->scope, &w);
	json_close(&w, '}');
	call_answer(c, buf_span(&result));
	buf_free(&result);
}
