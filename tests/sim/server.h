/*
 * A simulated MCP server: what would run in a child process. Its temper is drawn by chance when it starts: quick or
 * slow, polite or stubborn, healthy or about to die at any moment.
 */
#ifndef SLUICE_TESTS_SIM_SERVER_H
#define SLUICE_TESTS_SIM_SERVER_H

#include "world.h"

struct server;

struct server *server_new(struct world *w, struct child *process);
void server_end(struct server **s);

bool server_is_deaf(const struct server *s); /* it does not read its stdin, for now or for ever */
void server_input(struct server *s, struct span bytes);
void server_eof(struct server *s);
void server_term(struct server *s);

/* What it can do to its process; in world.c. */
void process_write(struct child *c, struct span text);
void process_exit(struct child *c, int code);
void process_die_of(struct child *c, int signo);

#endif
