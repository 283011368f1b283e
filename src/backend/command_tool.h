/*
 * A tool that is a command-line program, or one of its subcommands: its item in tools/list, made from a help text or
 * from the configuration, and the way from a call's arguments to those of the program.
 *
 * The program gets an array of arguments, never a line that somebody takes apart. A value cannot become a flag: it is
 * joined to its flag by "=", or refused when it begins with "-" and cannot be joined; and what is positional comes
 * behind "--" as soon as one of it begins with "-". Pure; what it makes lies in the caller's arena.
 */
#ifndef SLUICE_BACKEND_COMMAND_TOOL_H
#define SLUICE_BACKEND_COMMAND_TOOL_H

#include "backend/backend.h"
#include "backend/help_text.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define COMMAND_WORD_MAX 100000  /* bytes of one argument; the kernel has a limit of 128 KiB */
#define COMMAND_LINE_MAX 1000000 /* of all together */
#define COMMAND_WORDS_MAX 4096
#define COMMAND_ARGS "args" /* the argument that holds what is positional */

struct command_tool {
	struct span name, description;
	const char *const *words; /* the subcommand, behind the program's own arguments; NULL-terminated */
	const struct help_flag *flags;
	bool one_argument;            /* `args` is a string, not an array of them */
	struct span arguments;        /* what `args` holds, for people */
	struct span schema, required; /* as the configuration has them, raw JSON; not set: made from the flags */
};

/* "git_remote_add": what may stand in a tool's name, and "_" for all else. */
struct span command_tool_name(struct arena *a, const char *program, const char *const *words);

/* `summary`: what the text above it says of it, used when its own is silent; `help` may be NULL. */
void command_tool_from_help(struct arena *a, const char *program, const char *const *words, struct span summary,
        const struct help_text *help, struct command_tool *tool);
void command_tool_from_preset(struct arena *a, const struct command_preset *preset, struct command_tool *tool);

/* The item of tools/list. */
void command_tool_put(struct buf *out, const struct command_tool *tool);

/*
 * The whole argv of a call, NULL-terminated: `base`, the subcommand, flags, positional arguments. `arguments` is raw
 * JSON that json_scan has accepted, or not set. NULL and a sentence that names the argument when it is not right.
 */
const char *const *command_tool_argv(struct arena *a, const struct command_tool *tool, const char *const *base,
        struct span arguments, struct err *e);

#endif
