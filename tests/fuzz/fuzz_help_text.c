/*
 * Help texts. Whatever a program writes: what is read from it keeps the bounds, a subcommand is a word that cannot be
 * taken for a flag, and a flag is a dash with one word, so that nothing in the text can slip a second argument in.
 */
#include <stdlib.h>

#include "backend/help_text.h"

#include "fuzz.h"

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static bool is_word(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7F || s.p[i] == '=')
			return false;
	return s.n > 0;
}

static void check_flag(const struct help_flag *f)
{
	demand(is_word(f->name) && f->name.n <= HELP_NAME_MAX + 1 && f->name.p[0] != '-');
	demand(is_word(f->flag) && f->flag.p[0] == '-' && f->flag.n <= HELP_NAME_MAX + 2);
	demand(!span_is_set(f->negative) || (is_word(f->negative) && f->negative.p[0] == '-'));
	demand(span_is_set(f->value) || f->type == HELP_BOOLEAN);
	demand(f->choice_count <= HELP_CHOICES_MAX && f->description.n <= HELP_DESCRIPTION_MAX);
	for (size_t i = 0; i < f->choice_count; i++)
		demand(f->choices[i].n > 0 && f->choices[i].n <= HELP_NAME_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = { 0 };
	struct help_text h;
	size_t flags = 0, commands = 0;

	help_text_read(&a, (struct span){ (const char *)data, size }, SPAN("prog"), &h);
	for (const struct help_flag *f = h.flags; f != NULL; f = f->next, flags++)
		check_flag(f);
	for (const struct help_command *c = h.commands; c != NULL; c = c->next, commands++) {
		demand(is_word(c->name) && c->name.p[0] != '-' && c->name.n <= HELP_NAME_MAX);
		demand(c->description.n <= HELP_DESCRIPTION_MAX);
	}
	demand(flags == h.flag_count && flags <= HELP_FLAGS_MAX);
	demand(commands == h.command_count && commands <= HELP_COMMANDS_MAX);
	demand(h.description.n <= HELP_DESCRIPTION_MAX);
	arena_free(&a);
	return 0;
}
