/*
 * JSON-RPC 2.0 messages as MCP uses them: one text, scanned once, seen as spans into it. The message owns nothing; it
 * lives as long as its text. Requests and notifications of both directions and answers share one struct.
 */
#ifndef SLUICE_MCP_JSONRPC_H
#define SLUICE_MCP_JSONRPC_H

#include "base/buf.h"
#include "base/end_reason.h"
#include "mcp/method.h"
#include "json/scan.h"
#include "json/write.h"

enum message_kind { MESSAGE_REQUEST, MESSAGE_NOTIFICATION, MESSAGE_RESULT, MESSAGE_ERROR };

/* Values are raw JSON (strings with their quotes); p == NULL means that the member is not there. */
struct message {
	enum message_kind kind;
	enum method method_id; /* METHOD_UNKNOWN for a method that is not in the table; for answers too */
	bool multiline;        /* line feeds between tokens: they must become spaces on a line-framed transport */
	struct span text;
	struct span id, method, params, result, error;
	/* in params */
	struct span name, uri, cursor, level, arguments, ref, meta, progress_token, request_id, reason;
	struct span ref_type, ref_name, ref_uri;
	struct span protocol_version, capabilities, client_info;
	struct span token, logger; /* params.progressToken of notifications/progress; logger of notifications/message */
	struct span input_responses, request_state; /* of a request that is asked again, modern revision */
	struct span task, task_id;                  /* mcp/task.h */
	/* in result */
	struct span result_meta, next_cursor;
	struct span result_type, ttl_ms, cache_scope; /* modern revision */
};

/* Why a text is not a message: what to tell its sender. */
struct message_fault {
	int code;             /* -32700 (no JSON, or nested too deeply) or -32600 */
	const char *sentence; /* "the member \"id\" is neither a string nor an integer" */
	size_t at;            /* offset, for -32700 */
	struct span id;       /* if one could be read, for the answer; never that of an answer */
};

#define RPC_PARSE_ERROR (-32700)
#define RPC_INVALID_REQUEST (-32600)
#define RPC_METHOD_NOT_FOUND (-32601)
#define RPC_INVALID_PARAMS (-32602)
#define RPC_INTERNAL_ERROR (-32603)
#define RPC_SERVER_ERROR (-32000)
#define RPC_NOT_FOUND (-32002)  /* resource not found, legacy revisions */
#define RPC_URL_NEEDED (-32042) /* URL elicitation required, 2025-11-25 */
/* modern revision */
#define RPC_HEADER_MISMATCH (-32020)
#define RPC_CAPABILITY_MISSING (-32021)
#define RPC_VERSION_UNSUPPORTED (-32022)

/*
 * Checks the text and takes the message apart. Rules: `jsonrpc` is "2.0"; a request's id is a string or an integer,
 * never null (MCP, all revisions); an answer has one of result and error; an error's code is an integer; `params` is an
 * object when there; the members that we read come at most once. What else they hold is for their readers to judge:
 * params.name may be a number here. An error without id, or with id null, has no id (m->id is not set). An array is a
 * fault (-32600): take it apart with json_walk first where batches are allowed.
 */
bool message_parse(struct span text, unsigned max_depth, struct message *m, struct message_fault *fault);

/*
 * Error answers. `id` is raw JSON; when it is not set the member is left out, as the schema of 2025-11-25 wants.
 * rpc_put_error_data: with data, a raw JSON value; not set: without. rpc_put_end: -32603 with the data of interface.md,
 * section 3 (reason, outcome, backend, retryable).
 */
void rpc_put_error(struct buf *out, struct span id, int code, struct span sentence);
void rpc_put_error_data(struct buf *out, struct span id, int code, struct span sentence, struct span data);
struct rpc_end {
	enum end_reason why;
	enum outcome outcome; /* not OUTCOME_KNOWN */
	struct span backend;  /* its name, or not set */
	bool safe_to_repeat;  /* the tool is marked readOnlyHint or idempotentHint */
};
void rpc_put_end(struct buf *out, struct span id, const struct rpc_end *end);

/* {"jsonrpc":"2.0","id":ID,"result":RESULT} */
void rpc_put_result(struct buf *out, struct span id, struct span result);

/* Writes the result of a tool that says one text, and whether that is why it failed. */
void rpc_write_tool_text(struct json_writer *w, struct span text, bool is_error);

#endif
