/*
 * Tasks: calls that go on at their server after their answer (mcp/task.h). They live there; the gateway only finds the
 * way back. In the lists of all servers a task's id gets its server's name in front, as tools do, so that it says where
 * it belongs, also after a restart and on another replica. A client sees tasks only of servers that share an era with
 * it; for the others its calls are ordinary ones.
 *
 * Whose task it is, is remembered for the last ones: its status, its progress and what its server asks about it go to
 * that session. A modern client listens for those whose news it wants to hear. A task is no call, and nothing waits for
 * its end. For the gateway's own sources.
 */
#ifndef SLUICE_GATEWAY_TASKS_H
#define SLUICE_GATEWAY_TASKS_H

#include "gateway/gateway.h"
#include "gateway/known_tasks.h"

struct slot;

struct tasks {
	struct known_tasks known; /* their owners are sessions */
};

/* Whether the ids of tasks have their server's name in front in this scope. */
bool tasks_have_prefix(const struct gateway *gw, int scope);

/* Whose task that is, by the client's id of it as text, and the server's id, the end of that. NULL: nobody's. */
struct slot *tasks_slot(const struct gateway *gw, int scope, struct span id, struct span *local);

/* Its id in a message, as the client has to see it; may be no splice. */
struct splice tasks_id_splice(const struct slot *slot, int scope, struct span id);

/* tasks/... of a client. */
void serve_task(struct call *c, const struct message *m);

/* The error for who does not declare the extension. */
void tasks_put_lack(struct buf *out, struct span id);

/*
 * A tools/call, as far as it is about tasks. True: it was answered, because this client cannot call that tool, or was
 * sent without the `task` that its server would not understand as the client means it; else it is to be sent as it is.
 */
bool tasks_serve_call(
        struct call *c, struct slot *slot, const struct message *m, struct splice name, bool only_as_task);

/* The server has answered with a result: a task may have begun, or be over. */
void tasks_answered(struct call *c, const struct message *answer);

#define TASK_SPLICES 2

/* What a client has to see otherwise, in an answer to the call and in any other message; each may be no splice. */
unsigned tasks_put_prefixes(const struct call *c, const struct message *answer, struct splice *splices);
struct splice tasks_related_splice(const struct slot *slot, int scope, const struct message *m);

/* ... in what a server asks, on the stream of the call if that has one, else on the push. */
struct splice tasks_ask_splice(
        const struct slot *slot, const struct call *c, const struct push *push, const struct message *m);

/* Appends the result that a client answers with, as its server has to see it. */
void tasks_append_answer(struct pieces *p, const struct slot *slot, const struct message *m);

/* notifications/tasks/status, and progress that is of no call in flight: for the session whose task it is. */
void tasks_status(struct slot *slot, const struct backend_link *from, const struct message *m);
void tasks_progress(struct slot *slot, const struct backend_link *from, const struct message *m);

/* notifications/tasks: for the modern clients that listen for it. */
void tasks_news(struct slot *slot, const struct backend_link *from, const struct message *m);

/* Whose task a message of a shared server belongs to, and a call of that session there that can show something. NULL:
 * it names no task, or one that is not known. */
struct session *tasks_owner(
        const struct slot *slot, const struct backend_link *link, const struct message *m, struct call **call);

#endif
