#include "mcp/jsonrpc.h"

#include <assert.h>

/* clang-format off */
/*  field of struct message, key,          what is read inside */
#define TOP_MEMBERS(X) \
	X(id,               "id",              NULL) \
	X(method,           "method",          NULL) \
	X(params,           "params",          params_shape) \
	X(result,           "result",          result_shape) \
	X(error,            "error",           error_shape)
#define PARAMS_MEMBERS(X) \
	X(name,             "name",            NULL) \
	X(uri,              "uri",             NULL) \
	X(cursor,           "cursor",          NULL) \
	X(level,            "level",           NULL) \
	X(arguments,        "arguments",       NULL) \
	X(ref,              "ref",             ref_shape) \
	X(meta,             "_meta",           meta_shape) \
	X(request_id,       "requestId",       NULL) \
	X(reason,           "reason",          NULL) \
	X(protocol_version, "protocolVersion", NULL) \
	X(capabilities,     "capabilities",    NULL) \
	X(client_info,      "clientInfo",      NULL) \
	X(token,            "progressToken",   NULL) \
	X(logger,           "logger",          NULL) \
	X(input_responses,  "inputResponses",  NULL) \
	X(request_state,    "requestState",    NULL) \
	X(task,             "task",            NULL) \
	X(task_id,          "taskId",          NULL)
#define META_MEMBERS(X) \
	X(progress_token,   "progressToken",   NULL)
#define REF_MEMBERS(X) \
	X(ref_type,         "type",            NULL) \
	X(ref_name,         "name",            NULL) \
	X(ref_uri,          "uri",             NULL)
#define RESULT_MEMBERS(X) \
	X(result_meta,      "_meta",           NULL) \
	X(next_cursor,      "nextCursor",      NULL) \
	X(result_type,      "resultType",      NULL) \
	X(ttl_ms,           "ttlMs",           NULL) \
	X(cache_scope,      "cacheScope",      NULL)
#define KEPT_MEMBERS(X) TOP_MEMBERS(X) PARAMS_MEMBERS(X) META_MEMBERS(X) REF_MEMBERS(X) RESULT_MEMBERS(X)

#define X(field, key, inner) SLOT_##field,
enum { KEPT_MEMBERS(X) SLOT_jsonrpc, SLOT_code, SLOT_COUNT };
#undef X
_Static_assert(SLOT_COUNT <= JSON_SLOTS, "a slot is a bit of a word");

#define X(field, key, inner) { key, SLOT_##field, inner },
#define END { NULL, 0, NULL }
static const struct json_shape meta_shape[]    = { META_MEMBERS(X) END };
static const struct json_shape ref_shape[]     = { REF_MEMBERS(X) END };
static const struct json_shape params_shape[]  = { PARAMS_MEMBERS(X) END };
static const struct json_shape result_shape[]  = { RESULT_MEMBERS(X) END };
static const struct json_shape error_shape[]   = { X(code, "code", NULL) END };
static const struct json_shape message_shape[] = { X(jsonrpc, "jsonrpc", NULL) TOP_MEMBERS(X) END };
#undef X

#define X(field, key, inner) [SLOT_##field] = "the member \"" key "\" comes twice",
static const char *const twice_sentences[SLOT_COUNT] = {
	KEPT_MEMBERS(X)
	X(jsonrpc, "jsonrpc", NULL)
	X(code, "code", NULL)
};
#undef X
/* clang-format on */

/* Long enough for every method of the table, should somebody write each of its characters as \u00XX. */
#define METHOD_TEXT_MAX 256

static enum method method_of(struct span value)
{
	char decoded[METHOD_TEXT_MAX];

	return value.n <= sizeof(decoded) ? method_parse(json_decode(value, decoded)) : METHOD_UNKNOWN;
}

/* No fraction and no exponent; as big as it likes, since it is text to us. */
static bool is_integer(struct span value)
{
	if (json_type_of(value) != JSON_NUMBER)
		return false;
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] == '.' || value.p[i] == 'e' || value.p[i] == 'E')
			return false;
	return true;
}

static bool is_id(struct span value)
{
	return json_type_of(value) == JSON_STRING || is_integer(value);
}

/* The checks return what is wrong, or NULL when they have set the kind of the message. */
static const char *check_call(struct message *m)
{
	if (json_type_of(m->method) != JSON_STRING)
		return "the member \"method\" is not a string";
	if (span_is_set(m->result) || span_is_set(m->error))
		return "a message with a method has neither a result nor an error";
	if (span_is_set(m->params) && json_type_of(m->params) != JSON_OBJECT)
		return "the member \"params\" is not an object";
	if (span_is_set(m->id) && !is_id(m->id))
		return "the member \"id\" is neither a string nor an integer";
	m->kind = span_is_set(m->id) ? MESSAGE_REQUEST : MESSAGE_NOTIFICATION;
	m->method_id = method_of(m->method);
	return NULL;
}

static const char *check_result(struct message *m)
{
	if (span_is_set(m->error))
		return "an answer has one of \"result\" and \"error\", not both";
	if (!is_id(m->id))
		return "the id of a result is neither a string nor an integer";
	m->kind = MESSAGE_RESULT;
	return NULL;
}

/* JSON-RPC wants null where the sender could not read the id, MCP 2025-11-25 no id; to us both are no id. */
static const char *check_error(struct message *m, struct span code)
{
	if (json_type_of(m->error) != JSON_OBJECT || !is_integer(code))
		return "an error is an object with an integer \"code\"";
	if (json_type_of(m->id) == JSON_NULL)
		m->id = SPAN_NONE;
	if (span_is_set(m->id) && !is_id(m->id))
		return "the id of an error is neither a string nor an integer";
	m->kind = MESSAGE_ERROR;
	return NULL;
}

static const char *check_message(struct message *m, const struct json_found *found)
{
	if (found->twice != 0)
		return twice_sentences[__builtin_ctzll(found->twice)];
	if (!json_string_is(found->slot[SLOT_jsonrpc], SPAN("2.0")))
		return "the member \"jsonrpc\" is not \"2.0\"";
	if (span_is_set(m->method))
		return check_call(m);
	if (span_is_set(m->result))
		return check_result(m);
	if (span_is_set(m->error))
		return check_error(m, found->slot[SLOT_code]);
	return "a message has a method, a result or an error";
}

/* Field by field, in place: this is on the way of every message. */
static void fill(struct message *m, struct span text, const struct json_found *found)
{
	m->kind = MESSAGE_NOTIFICATION;
	m->method_id = METHOD_UNKNOWN;
	m->multiline = found->multiline;
	m->text = text;
#define X(field, key, inner) m->field = found->slot[SLOT_##field];
	KEPT_MEMBERS(X)
#undef X
}

/* The id to answer to: none if there are two, or if the message is an answer itself. */
static struct span id_to_answer(const struct message *m, const struct json_found *found)
{
	bool answer = !span_is_set(m->method) && (span_is_set(m->result) || span_is_set(m->error));
	bool twice = (found->twice >> SLOT_id & 1) != 0;

	return !answer && !twice && is_id(m->id) ? m->id : SPAN_NONE;
}

static char first_token(struct span text)
{
	size_t i = 0;

	while (text.p[i] == ' ' || text.p[i] == '\t' || text.p[i] == '\n' || text.p[i] == '\r')
		i++;
	return text.p[i];
}

bool message_parse(struct span text, unsigned max_depth, struct message *m, struct message_fault *fault)
{
	struct json_found found;
	struct json_fault wrong;

	if (!json_scan(text, max_depth, message_shape, &found, &wrong)) {
		*fault = (struct message_fault){ RPC_PARSE_ERROR, wrong.sentence, wrong.at, SPAN_NONE };
		return false;
	}
	fill(m, text, &found);
	const char *sentence = first_token(text) == '{' ? check_message(m, &found) : "a message is an object";
	if (sentence == NULL)
		return true;
	*fault = (struct message_fault){ RPC_INVALID_REQUEST, sentence, 0, id_to_answer(m, &found) };
	return false;
}

static struct json_writer open_answer(struct buf *out, struct span id)
{
	struct json_writer w = json_writer(out);

	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	if (span_is_set(id))
		json_member_raw(&w, "id", id);
	return w;
}

static void open_error(struct json_writer *w, int code, struct span sentence)
{
	json_key(w, "error");
	json_open(w, '{');
	json_member_int(w, "code", code);
	json_member_text(w, "message", sentence);
}

void rpc_put_error_data(struct buf *out, struct span id, int code, struct span sentence, struct span data)
{
	struct json_writer w = open_answer(out, id);

	open_error(&w, code, sentence);
	if (span_is_set(data))
		json_member_raw(&w, "data", data);
	json_close(&w, '}');
	json_close(&w, '}');
}

void rpc_put_error(struct buf *out, struct span id, int code, struct span sentence)
{
	rpc_put_error_data(out, id, code, sentence, SPAN_NONE);
}

void rpc_put_end(struct buf *out, struct span id, const struct rpc_end *end)
{
	struct json_writer w = open_answer(out, id);

	assert(end->outcome != OUTCOME_KNOWN);
	open_error(&w, RPC_INTERNAL_ERROR, span_of(end_reason_sentence(end->why)));
	json_key(&w, "data");
	json_open(&w, '{');
	json_member_text(&w, "reason", span_of(end_reason_name(end->why)));
	json_member_text(&w, "outcome", span_of(outcome_name(end->outcome)));
	if (span_is_set(end->backend))
		json_member_text(&w, "backend", end->backend);
	json_member_bool(&w, "retryable", end->outcome == OUTCOME_NOT_SENT || end->safe_to_repeat);
	json_close(&w, '}');
	json_close(&w, '}');
	json_close(&w, '}');
}

void rpc_put_result(struct buf *out, struct span id, struct span result)
{
	struct json_writer w = open_answer(out, id);

	json_member_raw(&w, "result", result);
	json_close(&w, '}');
}

void rpc_write_tool_text(struct json_writer *w, struct span text, bool is_error)
{
	json_open(w, '{');
	json_key(w, "content");
	json_open(w, '[');
	json_open(w, '{');
	json_member_text(w, "type", SPAN("text"));
	json_member_text(w, "text", text);
	json_close(w, '}');
	json_close(w, ']');
	json_member_bool(w, "isError", is_error);
	json_close(w, '}');
}
