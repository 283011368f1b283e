#include "mcp/modern.h"

#include "mcp/client.h"
#include "mcp/header_value.h"
#include "mcp/revision.h"
#include "json/write.h"

#define LEVEL_TEXT_MAX 64

static bool refuse(struct modern_fault *fault, int status, int code, const char *sentence)
{
	*fault = (struct modern_fault){ status, code, sentence };
	return false;
}

bool modern_is_named(struct span header)
{
	return span_is_set(header) && revision_is_modern(revision_parse(header));
}

bool modern_classify(const struct message *m, const struct request_meta *meta, struct span header, enum era *era,
        struct modern_fault *fault)
{
	bool named = modern_is_named(header), claimed = span_is_set(meta->version);

	*era = ERA_LEGACY;
	*fault = (struct modern_fault){ 0 };
	if (m->kind == MESSAGE_RESULT || m->kind == MESSAGE_ERROR)
		return true;
	if (claimed || (named && m->kind == MESSAGE_NOTIFICATION)) {
		*era = ERA_MODERN;
		return true;
	}
	if (!named)
		return true;
	if (m->method_id == METHOD_INITIALIZE)
		return refuse(fault, 400, RPC_HEADER_MISMATCH,
		        "initialize belongs to the legacy revisions, and MCP-Protocol-Version names a modern one");
	return refuse(fault, 400, RPC_INVALID_PARAMS,
	        "params._meta must have " META_VERSION ", as MCP-Protocol-Version names a modern revision");
}

static bool is_level(struct span value)
{
	char room[LEVEL_TEXT_MAX];

	return json_type_of(value) == JSON_STRING && value.n <= sizeof(room) &&
	       message_level_parse(json_decode(value, room)) >= 0;
}

static bool check_meta(const struct request_meta *meta, struct modern_fault *fault)
{
	if (meta->twice)
		return refuse(fault, 400, RPC_INVALID_PARAMS, "params._meta has a key of the protocol twice");
	if (json_type_of(meta->version) != JSON_STRING)
		return refuse(fault, 400, RPC_INVALID_PARAMS, "params._meta." META_VERSION " must be a string");
	if (json_type_of(meta->capabilities) != JSON_OBJECT)
		return refuse(fault, 400, RPC_INVALID_PARAMS, "params._meta." META_CAPABILITIES " must be an object");
	if (span_is_set(meta->info) && json_type_of(meta->info) != JSON_OBJECT)
		return refuse(fault, 400, RPC_INVALID_PARAMS, "params._meta." META_CLIENT " must be an object");
	if (span_is_set(meta->level) && !is_level(meta->level))
		return refuse(
		        fault, 400, RPC_INVALID_PARAMS, "params._meta." META_LEVEL " is none of the eight levels");
	return true;
}

static bool check_version(const struct request_meta *meta, const struct modern_headers *h, struct modern_fault *fault)
{
	if (h != NULL && span_is_set(h->version) && !json_string_is(meta->version, h->version))
		return refuse(
		        fault, 400, RPC_HEADER_MISMATCH, "MCP-Protocol-Version is not the version in params._meta");
	if (!json_string_is(meta->version, revision_name(REVISION_MODERN)))
		return refuse(fault, 400, RPC_VERSION_UNSUPPORTED, "the protocol version is not supported");
	return true;
}

struct span modern_named(const struct message *m)
{
	switch (m->method_id) {
	case METHOD_TOOLS_CALL:
	case METHOD_PROMPTS_GET:
		return m->name;
	case METHOD_RESOURCES_READ:
		return m->uri;
	case METHOD_TASKS_GET:
	case METHOD_TASKS_UPDATE:
	case METHOD_TASKS_CANCEL:
		return m->task_id;
	default:
		return SPAN_NONE;
	}
}

static bool says(struct span header, struct span value)
{
	struct buf text = { 0 };
	bool same = header_value_decode(header, &text) && json_string_is(value, buf_span(&text));

	buf_free(&text);
	return same;
}

static bool check_headers(const struct message *m, const struct modern_headers *h, struct modern_fault *fault)
{
	struct span name = modern_named(m);

	if (h->twice)
		return refuse(fault, 400, RPC_HEADER_MISMATCH, "a header of the protocol came twice");
	if (!span_is_set(h->version))
		return refuse(fault, 400, RPC_HEADER_MISMATCH, "the header MCP-Protocol-Version is missing");
	if (!span_is_set(h->method))
		return refuse(fault, 400, RPC_HEADER_MISMATCH, "the header Mcp-Method is missing");
	if (!json_string_is(m->method, h->method))
		return refuse(fault, 400, RPC_HEADER_MISMATCH, "Mcp-Method is not the method of the request");
	if (json_type_of(name) != JSON_STRING)
		return true;
	if (!span_is_set(h->name))
		return refuse(fault, 400, RPC_HEADER_MISMATCH, "the header Mcp-Name is missing");
	if (!says(h->name, name))
		return refuse(fault, 400, RPC_HEADER_MISMATCH, "Mcp-Name is not what the request names");
	return true;
}

bool modern_check(const struct message *m, const struct request_meta *meta, const struct modern_headers *h,
        struct modern_fault *fault)
{
	*fault = (struct modern_fault){ 0 };
	if (!check_meta(meta, fault) || !check_version(meta, h, fault) || (h != NULL && !check_headers(m, h, fault)))
		return false;
	if (m->method_id != METHOD_UNKNOWN && !method_is_modern(m->method_id))
		return refuse(fault, 404, RPC_METHOD_NOT_FOUND, "the method is not part of revision 2026-07-28");
	return true;
}

void modern_put_fault(
        struct buf *out, struct span id, const struct modern_fault *fault, const struct request_meta *meta)
{
	struct buf data = { 0 };
	struct json_writer w = json_writer(&data);

	if (fault->code != RPC_VERSION_UNSUPPORTED) {
		rpc_put_error(out, id, fault->code, span_of(fault->sentence));
		return;
	}
	json_open(&w, '{');
	json_key(&w, "supported");
	json_open(&w, '[');
	json_text(&w, revision_name(REVISION_MODERN));
	json_close(&w, ']');
	json_member_raw(&w, "requested", meta->version);
	json_close(&w, '}');
	rpc_put_error_data(out, id, fault->code, span_of(fault->sentence), buf_span(&data));
	buf_free(&data);
}
