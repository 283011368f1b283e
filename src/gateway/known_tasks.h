/*
 * Tasks of 2025-11-25 that the gateway has seen begin: whose each is, and by which number its server tells of its
 * progress, which goes on after the answer that has made the task. They are forgotten when their time to live is over,
 * with their session, or for newer ones; the progress alone when the task has come to its end. Pure.
 *
 * Tasks belong to the memory, and what they point to does not; a pointer to one is good until the next change.
 */
#ifndef SLUICE_GATEWAY_KNOWN_TASKS_H
#define SLUICE_GATEWAY_KNOWN_TASKS_H

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"

#define KNOWN_TASKS_MAX 1024     /* beyond: the oldest is forgotten */
#define KNOWN_TASK_TEXT_MAX 1024 /* of an id or a token: one that is longer is not remembered */

/* Ids and numbers are the server's own, and unique there, or in the part of it that one client session has. */
struct task_place {
	struct span server;
	uint64_t part; /* 0: shared */
};

struct known_task {
	struct list node;
	void *owner;
	mono_t until;
	struct span token; /* the client's, raw JSON; not set: nobody wants to hear of its progress, or it is over */
	struct span id_key, number_key; /* in the maps; number_key is not set without a token */
	char bytes[];
};

struct known_tasks {
	struct map by_id, by_number;
	struct list all; /* the oldest first */
};

void known_tasks_init(struct known_tasks *k);
void known_tasks_clear(struct known_tasks *k);

/* `id`: between its quotes. `token`: not set if no progress is wanted; else it comes under `number`. */
void known_tasks_add(struct known_tasks *k, const struct task_place *place, struct span id, void *owner, mono_t until,
        uint64_t number, struct span token);

/* NULL: not known, or no more. */
struct known_task *known_tasks_find(struct known_tasks *k, const struct task_place *place, struct span id, mono_t now);
struct known_task *known_tasks_find_number(
        struct known_tasks *k, const struct task_place *place, uint64_t number, mono_t now);

/* The task has come to its end: it makes no progress any more. */
void known_tasks_end_progress(struct known_tasks *k, struct known_task *task);

/* A server of that name counts its calls from the beginning again: progress by the numbers so far is nobody's. */
void known_tasks_renumbered(struct known_tasks *k, struct span server);

void known_tasks_forget(struct known_tasks *k, const void *owner);

#endif
