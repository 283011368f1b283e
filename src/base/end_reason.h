/*
 * Why a call, a stream or a connection ended: one row per reason, from which everything that depends on it is made
 * (name in logs, metrics and `data.reason`, HTTP status when nothing was accepted yet, the sentence for people).
 * An accepted call ends in exactly one of these.
 */
#ifndef SLUICE_BASE_END_REASON_H
#define SLUICE_BASE_END_REASON_H

#include <stdbool.h>

/* clang-format off */
/*  symbol               name in data.reason    HTTP when refused, sentence */
#define END_REASONS(X) \
	X(RESULT,              "result",              200, "the server answered") \
	X(SERVER_ERROR,        "error",               200, "the server answered with an error") \
	X(REFUSED,             "invalid",             400, "the request was not valid") \
	X(DRAINING,            "draining",            503, "the gateway is shutting down") \
	X(BACKEND_EXITED,      "backend_exited",      502, "the server's process ended") \
	X(BACKEND_TIMEOUT,     "backend_timeout",     504, "the server did not answer in time") \
	X(BACKEND_UNAVAILABLE, "backend_unavailable", 503, "the server cannot be reached") \
	X(OVERLOADED,          "overloaded",          503, "too much is in flight") \
	X(MESSAGE_TOO_LARGE,   "message_too_large",   502, "the server's answer is larger than the limit") \
	X(BAD_ANSWER,          "bad_answer",          502, "the server's answer is not valid JSON-RPC") \
	X(CANCELLED,           "cancelled",           200, "the client cancelled the call") \
	X(CLIENT_GONE,         "client_gone",         200, "the client left before the answer")
/* clang-format on */

#define X(symbol, name, status, sentence) END_##symbol,
enum end_reason { END_REASONS(X) END_REASON_COUNT };
#undef X

const char *end_reason_name(enum end_reason why);
const char *end_reason_sentence(enum end_reason why);
int end_reason_http_status(enum end_reason why);

/* What the end says about the backend's side; OUTCOME_KNOWN when it answered. */
enum outcome {
	OUTCOME_KNOWN,
	OUTCOME_NOT_SENT, /* no byte of the call was accepted by a write to the backend: safe to retry */
	OUTCOME_UNKNOWN,  /* it may have taken effect */
};

const char *outcome_name(enum outcome o);

#endif
