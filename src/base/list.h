/*
 * Intrusive doubly linked lists. A node knows its list, so it is taken out without naming it, and taking out a node
 * that is in no list does nothing. A zeroed node is in no list; a head must be set up by list_init.
 */
#ifndef SLUICE_BASE_LIST_H
#define SLUICE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define list_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool list_is_linked(const struct list *node)
{
	return node->next != NULL;
}

static inline void list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_unlink(struct list *node)
{
	if (node->next == NULL)
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = NULL;
}

static inline struct list *list_first(const struct list *head)
{
	return list_is_empty(head) ? NULL : head->next;
}

/* Takes the first node out and returns it; NULL when there is none. */
static inline struct list *list_take_first(struct list *head)
{
	struct list *node = list_first(head);

	if (node != NULL)
		list_unlink(node);
	return node;
}

/* Moves all nodes of `from` to the empty head `to`, so that a walk is safe from what its body appends. */
static inline void list_move_all(struct list *from, struct list *to)
{
	list_init(to);
	if (list_is_empty(from))
		return;
	to->next = from->next;
	to->prev = from->prev;
	to->next->prev = to->prev->next = to;
	list_init(from);
}

/* The body may take out the node that it is at, and no other. */
#define list_each(node, head)                                                             \
	for (struct list *node = (head)->next, *node##_next = node->next; node != (head); \
	        node = node##_next, node##_next = node->next)

#endif
