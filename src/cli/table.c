#include "cli/table.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/text.h"

#define INDENT 2
#define GAP 2

struct table table_new(const struct table_column *columns, unsigned n)
{
	assert(n > 0 && n <= TABLE_COLUMNS_MAX);
	return (struct table){ .columns = columns, .n = n };
}

void table_clear(struct table *t)
{
	arena_free(&t->arena);
	free(t->cells);
	*t = (struct table){ 0 };
}

void table_add(struct table *t, struct span text)
{
	struct buf line = { 0 };

	if (t->count == t->room) {
		t->room = t->room > 0 ? 2 * t->room : 32;
		t->cells = mem_realloc(t->cells, t->room * sizeof(*t->cells));
	}
	text_put_line(&line, text);
	t->cells[t->count++] = arena_copy(&t->arena, buf_span(&line));
	buf_free(&line);
}

static void measure(const struct table *t, unsigned *widths)
{
	for (unsigned i = 0; i < t->n; i++)
		widths[i] = text_width(span_of(t->columns[i].head));
	for (size_t i = 0; i < t->count; i++) {
		unsigned width = text_width(t->cells[i]);
		if (width > widths[i % t->n])
			widths[i % t->n] = width;
	}
}

/* Takes what is too much from the columns that may be cut, from the right. */
static void shrink(const struct table *t, unsigned width, unsigned *widths)
{
	unsigned all = INDENT + GAP * (t->n - 1);

	for (unsigned i = 0; i < t->n; i++)
		all += widths[i];
	for (unsigned i = t->n; i-- > 0 && all > width;) {
		unsigned least = t->columns[i].least;
		if (least == 0 || widths[i] <= least)
			continue;
		unsigned less = all - width < widths[i] - least ? all - width : widths[i] - least;
		widths[i] -= less;
		all -= less;
	}
}

static void put_spaces(struct buf *out, unsigned n)
{
	while (n-- > 0)
		buf_add_char(out, ' ');
}

/* Spaces are put in front of what follows them, so that no line ends in any. */
static void put_row(
        const struct table *t, const struct span *cells, const unsigned *widths, bool colour, struct buf *out)
{
	unsigned due = INDENT;

	for (unsigned i = 0; i < t->n; i++) {
		const struct table_column *column = &t->columns[i];
		bool dressed = colour && column->colour != NULL;
		unsigned width = text_width(cells[i]);
		unsigned rest = width < widths[i] ? widths[i] - width : 0;
		if (cells[i].n == 0) {
			due += widths[i] + GAP;
			continue;
		}
		put_spaces(out, due + (column->right ? rest : 0));
		if (dressed)
			buf_printf(out, "\033[%sm", column->colour);
		text_put_cut(out, cells[i], widths[i]);
		if (dressed)
			buf_add(out, SPAN("\033[0m"));
		due = GAP + (column->right ? 0 : rest);
	}
	buf_add_char(out, '\n');
}

static void put_heads(const struct table *t, const unsigned *widths, bool colour, struct buf *out)
{
	struct table_column plain[TABLE_COLUMNS_MAX];
	struct span heads[TABLE_COLUMNS_MAX];

	for (unsigned i = 0; i < t->n; i++) {
		plain[i] = (struct table_column){ .right = t->columns[i].right, .colour = "1" };
		heads[i] = span_of(t->columns[i].head);
	}
	struct table head = table_new(plain, t->n);
	put_row(&head, heads, widths, colour, out);
}

void table_print(const struct table *t, unsigned width, bool colour, struct buf *out)
{
	unsigned widths[TABLE_COLUMNS_MAX];

	assert(t->count % t->n == 0);
	measure(t, widths);
	shrink(t, width, widths);
	if (t->columns[0].head != NULL)
		put_heads(t, widths, colour, out);
	for (size_t i = 0; i < t->count; i += t->n)
		put_row(t, &t->cells[i], widths, colour, out);
}
