/* Beside asking_stage.h: modern clients, whose requests each stand alone. */
#ifndef SLUICE_TESTS_MODERN_STAGE_H
#define SLUICE_TESTS_MODERN_STAGE_H

#include "asking_stage.h"

#include "mcp/meta.h"

#define META_OF(capabilities) \
	"\"_meta\":{\"" META_VERSION "\":\"2026-07-28\",\"" META_CAPABILITIES "\":" capabilities "}"
#define PARAMS_OF(capabilities) META_OF(capabilities) ",\"name\":\"a__x\",\"arguments\":{\"n\":1}"
#define PARAMS PARAMS_OF("{\"elicitation\":{\"url\":{}}}")

/* A modern client's requests: each on its own. */
struct modern {
	struct stage *s;
	struct call *call;
	int ends;
	char text[1200]; /* the last answer */
	char state[600]; /* its requestState, raw, or empty */
};

static inline void on_modern_message(void *arg, const struct pieces *json)
{
	(void)arg;
	(void)json;
	fail_msg("nothing but the answer");
}

static inline void on_modern_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct modern *m = arg;
	struct buf text = { 0 };

	(void)why;
	pieces_put(&text, json);
	snprintf(m->text, sizeof(m->text), "%.*s", SPAN_ARG(buf_span(&text)));
	struct message answer = parsed(m->text);
	struct span state = answer.kind == MESSAGE_RESULT ? json_member(answer.result, "requestState") : SPAN_NONE;
	m->state[0] = '\0';
	if (span_is_set(state))
		snprintf(m->state, sizeof(m->state), "%.*s", SPAN_ARG(state));
	m->ends++;
	m->call = NULL;
	buf_free(&text);
}

static const struct reply_port modern_port = { on_modern_message, on_modern_ended };

static inline void submit(struct modern *m, int id, const char *params)
{
	struct buf text = { 0 }, error = { 0 };
	enum end_reason why;

	buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/call\",\"params\":{%s}}", id, params);
	buf_add_char(&text, '\0');
	struct message request = parsed(buf_span(&text).p);
	struct request_meta meta = meta_read(request.meta);
	m->call = gateway_submit_modern(
	        m->s->gw, NULL, SCOPE_ALL, &request, &meta, &modern_port, m, &(struct refusal){ &why, &error });
	assert_non_null(m->call);
	buf_free(&text);
	buf_free(&error);
}

static inline void retry(struct modern *m, int id, const char *state, const char *responses)
{
	char params[1500];

	snprintf(params, sizeof(params), PARAMS ",\"requestState\":%s,\"inputResponses\":%s", state, responses);
	submit(m, id, params);
	run(m->s);
}

static inline void open_modern(struct stage *s, struct modern *m)
{
	struct backend_conf conf = server_conf(ISOLATION_SHARED);

	stage_open(s, &conf);
	*m = (struct modern){ .s = s };
}

#endif
