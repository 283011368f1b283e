/*
 * Columns for a terminal. Rows are filled cell by cell; their texts are copied and made fit for one line. A column that
 * may be cut gives way when the rows would be wider than the terminal, the last one first. Pure: it prints into a
 * buffer. A table made by table_new holds memory until table_clear.
 */
#ifndef SLUICE_CLI_TABLE_H
#define SLUICE_CLI_TABLE_H

#include "base/arena.h"
#include "base/buf.h"

#define TABLE_COLUMNS_MAX 8

struct table_column {
	const char *head;   /* NULL in all of them: no line of heads */
	unsigned least;     /* cut no further than to so many columns; 0: never cut */
	bool right;         /* for numbers */
	const char *colour; /* parameters of SGR (ECMA-48, 8.3.117), such as "36"; NULL: none */
};

struct table {
	const struct table_column *columns;
	unsigned n;
	struct arena arena;
	struct span *cells;
	size_t count, room;
};

/* `columns` live as long as the table. */
struct table table_new(const struct table_column *columns, unsigned n);
void table_clear(struct table *t);

/* The next cell, from left to right and from top to bottom. */
void table_add(struct table *t, struct span text);

/* Only whole rows. Each line is indented by two spaces. */
void table_print(const struct table *t, unsigned width, bool colour, struct buf *out);

#endif
