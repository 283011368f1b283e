/*
 * From a call's arguments to those of a program. Whatever the client sends: a word that begins with a dash is a flag
 * that the tool has, alone or with "=" and a value, or it stands behind "--"; and the words are strings without a NUL.
 */
#include <stdlib.h>

#include "backend/command_tool.h"
#include "json/scan.h"

#include "fuzz.h"

static const char help[] = "usage: prog [-f] [--mode=MODE] WORD...\n"
                           "  -f           short\n"
                           "  -o FILE      short with a value\n"
                           "  --mode=MODE  long; may be repeated\n"
                           "  --dry-run    long\n"
                           "  --[no-]wait  both ways\n"
                           "  --n INTEGER  a number\n"
                           "  --k {a,b}    a choice\n"
                           "  --c[=X]      optional\n"
                           "  -go VALUE    one dash\n"
                           "  --on         on (default true)\n";

static const char schema[] = "{\"type\":\"object\",\"properties\":{\"args\":{\"type\":\"string\"},\"o\":{},"
                             "\"mode\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}}},\"required\":[\"o\"]}";

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static bool is_flag(struct span word, struct span flag)
{
	return span_is_set(flag) && span_starts(word, flag) && (word.n == flag.n || word.p[flag.n] == '=');
}

static bool is_known(const struct command_tool *tool, struct span word)
{
	for (const struct help_flag *f = tool->flags; f != NULL; f = f->next)
		if (is_flag(word, f->flag) || is_flag(word, f->negative))
			return true;
	return false;
}

static void check(struct arena *a, const struct command_tool *tool, struct span arguments)
{
	static const char *const base[] = { "prog", "--fixed", NULL };
	struct err e;
	const char *const *argv = command_tool_argv(a, tool, base, arguments, &e);

	if (argv == NULL)
		return;
	demand(strcmp(argv[0], "prog") == 0 && strcmp(argv[1], "--fixed") == 0);
	for (argv += 2; *argv != NULL && strcmp(*argv, "--") != 0; argv++)
		demand(argv[0][0] != '-' || argv[0][1] == '\0' || is_known(tool, span_of(*argv)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const words[] = { NULL };
	const struct command_preset preset = { .name = "t", .args = words, .schema = schema };
	struct span text = { (const char *)data, size };
	struct json_fault fault;
	struct command_tool tool;
	struct help_text h;
	struct arena a = { 0 };

	if (!json_scan(text, 64, NULL, NULL, &fault))
		return 0;
	while (text.n > 0 && strchr(" \t\r\n", text.p[0]) != NULL) /* as in a message */
		text = span_skip(text, 1);
	while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]) != NULL)
		text.n--;
	help_text_read(&a, span_of(help), SPAN("prog"), &h);
	command_tool_from_help(&a, "prog", words, SPAN(""), &h, &tool);
	check(&a, &tool, text);
	command_tool_from_preset(&a, &preset, &tool);
	check(&a, &tool, text);
	arena_free(&a);
	return 0;
}
