/*
 * The methods of MCP (all revisions), one row each: name, who may send it, whether it is a request.
 */
#ifndef SLUICE_MCP_METHOD_H
#define SLUICE_MCP_METHOD_H

#include "base/span.h"

/* clang-format off */
/*  symbol                 name                                   sender, request */
#define METHODS(X) \
	X(INITIALIZE,              "initialize",                           CLIENT, true) \
	X(PING,                    "ping",                                 BOTH,   true) \
	X(TOOLS_LIST,              "tools/list",                           CLIENT, true) \
	X(TOOLS_CALL,              "tools/call",                           CLIENT, true) \
	X(RESOURCES_LIST,          "resources/list",                       CLIENT, true) \
	X(RESOURCE_TEMPLATES_LIST, "resources/templates/list",             CLIENT, true) \
	X(RESOURCES_READ,          "resources/read",                       CLIENT, true) \
	X(RESOURCES_SUBSCRIBE,     "resources/subscribe",                  CLIENT, true) \
	X(RESOURCES_UNSUBSCRIBE,   "resources/unsubscribe",                CLIENT, true) \
	X(PROMPTS_LIST,            "prompts/list",                         CLIENT, true) \
	X(PROMPTS_GET,             "prompts/get",                          CLIENT, true) \
	X(COMPLETE,                "completion/complete",                  CLIENT, true) \
	X(SET_LEVEL,               "logging/setLevel",                     CLIENT, true) \
	X(DISCOVER,                "server/discover",                      CLIENT, true) \
	X(LISTEN,                  "subscriptions/listen",                 CLIENT, true) \
	X(TASKS_GET,               "tasks/get",                            BOTH,   true) \
	X(TASKS_RESULT,            "tasks/result",                         BOTH,   true) \
	X(TASKS_LIST,              "tasks/list",                           BOTH,   true) \
	X(TASKS_UPDATE,            "tasks/update",                         CLIENT, true) \
	X(TASKS_CANCEL,            "tasks/cancel",                         BOTH,   true) \
	X(ROOTS_LIST,              "roots/list",                           SERVER, true) \
	X(SAMPLING,                "sampling/createMessage",               SERVER, true) \
	X(ELICITATION,             "elicitation/create",                   SERVER, true) \
	X(INITIALIZED,             "notifications/initialized",            CLIENT, false) \
	X(CANCELLED,               "notifications/cancelled",              BOTH,   false) \
	X(PROGRESS,                "notifications/progress",               BOTH,   false) \
	X(MESSAGE,                 "notifications/message",                SERVER, false) \
	X(TOOLS_CHANGED,           "notifications/tools/list_changed",     SERVER, false) \
	X(RESOURCES_CHANGED,       "notifications/resources/list_changed", SERVER, false) \
	X(PROMPTS_CHANGED,         "notifications/prompts/list_changed",   SERVER, false) \
	X(RESOURCE_UPDATED,        "notifications/resources/updated",      SERVER, false) \
	X(ROOTS_CHANGED,           "notifications/roots/list_changed",     CLIENT, false) \
	X(ELICITATION_COMPLETE,    "notifications/elicitation/complete",   SERVER, false) \
	X(TASK_STATUS,             "notifications/tasks/status",           BOTH,   false) \
	X(TASK_NEWS,               "notifications/tasks",                  SERVER, false) \
	X(ACKNOWLEDGED,            "notifications/subscriptions/acknowledged", SERVER, false)
/* clang-format on */

#define X(symbol, name, sender, request) METHOD_##symbol,
enum method { METHODS(X) METHOD_COUNT, METHOD_UNKNOWN = METHOD_COUNT };
#undef X

enum sender { SENDER_CLIENT = 1, SENDER_SERVER = 2, SENDER_BOTH = 3 };

/* `name` is without quotes. */
enum method method_parse(struct span name);
struct span method_name(enum method m);
enum sender method_sender(enum method m);
bool method_is_request(enum method m);
/* A request that a client may send in the modern revision; METHOD_UNKNOWN is none. */
bool method_is_modern(enum method m);

/* The four kinds of lists that a catalog holds. */
enum list_kind { LIST_TOOLS, LIST_RESOURCES, LIST_TEMPLATES, LIST_PROMPTS, LIST_KINDS };

enum method list_method(enum list_kind kind); /* tools/list ... */
const char *list_member(enum list_kind kind); /* "tools", "resources", "resourceTemplates", "prompts" */
const char *list_key(enum list_kind kind);    /* what names an item: "name", "uri", "uriTemplate", "name" */
enum method list_changed_method(enum list_kind kind);

#endif
