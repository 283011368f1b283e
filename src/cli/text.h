/*
 * Text that comes from a server, made fit for a terminal: nothing in it can move the cursor, change colours, or reorder
 * what is shown. Pure; owns nothing.
 *
 * A column is a guess, as everywhere: one for a character, two for East Asian ones and emoji, none for a mark that is
 * put on the character before it.
 */
#ifndef SLUICE_CLI_TEXT_H
#define SLUICE_CLI_TEXT_H

#include "base/buf.h"

/* As one line: white space, however much of it, becomes one space; none is left at the ends. */
void text_put_line(struct buf *out, struct span text);

/* Line feeds and tabs stay. */
void text_put_block(struct buf *out, struct span text);

/* How many columns it takes, without line feeds in it. */
unsigned text_width(struct span text);

/* All of it if it fits into so many columns; else its beginning, and "…". */
void text_put_cut(struct buf *out, struct span text, unsigned columns);

/* The meaning of a JSON string, in `room` or in the value itself; the text of any other value as it is. */
struct span text_of_json(struct buf *room, struct span value);

/* The member of a JSON object as text; empty when it is not there. */
struct span text_of_member(struct buf *room, struct span object, const char *key);

#endif
