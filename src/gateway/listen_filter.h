/*
 * What a modern client listens for: the filter of its subscriptions/listen, and what of that can be had. Topics are
 * known at once; of resources and tasks the servers say whether they tell of them, and only what they have agreed to
 * is acknowledged. Part of listen.h; for the gateway's own sources.
 */
#ifndef SLUICE_GATEWAY_LISTEN_FILTER_H
#define SLUICE_GATEWAY_LISTEN_FILTER_H

#include "gateway/listen.h"
#include "json/write.h"

/* A bit of `topics`, and its name in the filter. Templates are told with resources. */
enum listen_topic { LISTEN_TOOLS = 1, LISTEN_PROMPTS = 2, LISTEN_RESOURCES = 4 };

struct listen_topic_row {
	enum listen_topic topic;
	const char *member;
	enum list_kind kinds[2]; /* whose changes it tells; one or two */
	unsigned count;
};

#define LISTEN_TOPICS 3
extern const struct listen_topic_row listen_topics[LISTEN_TOPICS];

/* What is wrong with the filter, or NULL. A topic of which we know nothing is not for us to refuse. */
const char *listen_filter_fault(const struct message *m);

/* It asks for news of tasks, which only who declares the extension may. */
bool listen_filter_lacks_extension(const struct message *m);

/* Asks the servers for all that they may have. */
void listen_filter_ask(struct listen *l, const struct message *m);

/* Every server has said whether it agrees. */
bool listen_filter_is_settled(const struct listen *l);

/* Whoever has not agreed yet is not waited for any more. */
void listen_filter_settle(struct listen *l);

/* What is left, as the members of the acknowledgement's filter. */
void listen_filter_put(const struct listen *l, struct json_writer *w);

#endif
