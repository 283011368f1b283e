#include "backend/help_text.h"

#include "backend/help_private.h"
#include "base/buf.h"

#define HEADING_MAX 80 /* bytes */
#define USAGE_MAX 2000
#define NO_BASE SIZE_MAX

enum section { INTRO, NAME, USAGE, COMMANDS, POSITIONALS, OTHER, IGNORED };

struct reader {
	struct arena *arena;
	struct span program;
	struct help_text *out;
	struct help_flag **flags_end;
	struct help_command **commands_end;
	struct help_argument **described_end;
	enum section section;
	size_t base;      /* indentation of the section's entries; NO_BASE: none yet */
	size_t outer;     /* of argparse's "{a,b}", below which its subcommands stand */
	bool plain;       /* the list has names only */
	bool usage_open;  /* the usage goes on in the next line */
	bool manual;      /* a manual page: its headings are in capitals */
	bool prose;       /* the line before was nothing but text */
	bool blank;       /* the line before was empty */
	size_t indent;    /* of the line at hand */
	struct buf usage; /* of the first usage */
	/* the entry whose description goes on in the next lines */
	struct span *into;
	struct help_flag *flag;
	size_t entry; /* its indentation */
	bool paragraph;
	struct buf text;
};

/* --- descriptions --- */

static void close_entry(struct reader *r)
{
	struct span text = help_cut(buf_span(&r->text), HELP_DESCRIPTION_MAX);

	if (r->into != NULL && text.n > 0)
		*r->into = arena_copy(r->arena, text);
	if (r->flag != NULL)
		help_flag_refine(r->arena, r->flag);
	buf_reset(&r->text);
	r->into = NULL;
	r->flag = NULL;
	r->paragraph = false;
}

static void add_text(struct reader *r, struct span text)
{
	if (text.n == 0 || buf_size(&r->text) > HELP_DESCRIPTION_MAX)
		return;
	if (buf_size(&r->text) > 0)
		buf_add_char(&r->text, ' ');
	for (size_t i = 0; i < text.n; i++) /* columns are of no use here */
		if (text.p[i] != ' ' || i == 0 || text.p[i - 1] != ' ')
			buf_add_char(&r->text, text.p[i]);
}

static void open_entry(struct reader *r, struct span *into, struct span text)
{
	close_entry(r);
	r->into = into;
	r->entry = r->indent;
	add_text(r, text);
}

/* --- what is found --- */

/* Help and version are for people who sit at a terminal. */
static bool is_of_no_use(const struct help_flag *f)
{
	return span_eq(f->name, SPAN("help")) || span_eq(f->name, SPAN("version")) ||
	       (f->name.n == 1 && strchr("hHV?", f->name.p[0]) != NULL &&
	               (f->description.n == 0 || help_contains(f->description, "help") ||
	                       help_contains(f->description, "version")));
}

static bool has_flag(const struct help_text *h, struct span name)
{
	for (const struct help_flag *f = h->flags; f != NULL; f = f->next)
		if (span_eq(f->name, name))
			return true;
	return false;
}

/* NULL: it is there already, or there are too many. */
static struct help_flag *add_flag(struct reader *r, const struct help_flag *f)
{
	if (r->out->flag_count == HELP_FLAGS_MAX || has_flag(r->out, f->name) || is_of_no_use(f))
		return NULL;
	struct help_flag *kept = ARENA_NEW(r->arena, struct help_flag);
	*kept = *f;
	*r->flags_end = kept;
	r->flags_end = &kept->next;
	r->out->flag_count++;
	return kept;
}

static struct help_command *find_command(const struct help_text *h, struct span name)
{
	for (struct help_command *c = h->commands; c != NULL; c = c->next)
		if (span_eq(c->name, name))
			return c;
	return NULL;
}

static void add_command(struct reader *r, struct span name, struct span description)
{
	static const char *const useless[] = { "help", "completion", "completions" };
	struct help_command *c = find_command(r->out, name);

	for (size_t i = 0; i < sizeof(useless) / sizeof(useless[0]); i++)
		if (span_eq(name, span_of(useless[i])))
			return;
	if (c == NULL && r->out->command_count == HELP_COMMANDS_MAX)
		return;
	if (c == NULL) {
		c = ARENA_NEW(r->arena, struct help_command);
		c->name = name;
		*r->commands_end = c;
		r->commands_end = &c->next;
		r->out->command_count++;
	}
	if (c->description.n == 0)
		open_entry(r, &c->description, description);
}

static void command_found(void *arg, struct span name, struct span description)
{
	add_command(arg, name, description);
}

/* --- headings --- */

static bool is_capital(struct span text)
{
	unsigned letters = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] >= 'a' && text.p[i] <= 'z')
			return false;
		if (strchr("<[{|=", text.p[i]) != NULL)
			return false;
		letters += text.p[i] >= 'A' && text.p[i] <= 'Z';
	}
	return letters >= 3;
}

static bool is_heading(const struct reader *r, struct span text)
{
	if (text.n > HEADING_MAX || text.p[0] == '-' || text.p[0] == '[')
		return false;
	if (r->section == COMMANDS && r->base != NO_BASE && r->indent >= r->base && r->base > 0)
		return false; /* "get:" in a list of commands */
	if (r->indent == 0 && is_capital(text))
		return true;
	if (r->manual || (r->prose && !r->blank && text.p[0] >= 'a' && text.p[0] <= 'z'))
		return false; /* a sentence that ends with a colon */
	return r->indent <= 2 && text.p[text.n - 1] == ':';
}

static bool has_any(struct span text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (help_contains(text, *words))
			return true;
	return false;
}

static enum section kind_of(struct span heading)
{
	static const char *const ignored[] = { "example", "alias", "environment", "exit status", "exit code",
		"see also", "author", "reporting bugs", "copyright", "learn more", "topics", NULL };
	static const char *const commands[] = { "command", "applet", "defined functions", "actions:", "verbs", NULL };
	static const char *const flags[] = { "option", "flag", "command line", "command-line", NULL };

	if (heading.p[heading.n - 1] == ':')
		heading.n--;
	if (span_eq_nocase(heading, SPAN("name")))
		return NAME;
	if (span_eq_nocase(heading, SPAN("description")))
		return INTRO;
	if (span_eq_nocase(heading, SPAN("usage")) || span_eq_nocase(heading, SPAN("synopsis")))
		return USAGE;
	if (has_any(heading, flags))
		return OTHER;
	if (has_any(heading, ignored))
		return IGNORED;
	if (has_any(heading, commands))
		return COMMANDS;
	if (help_contains(heading, "argument") || help_contains(heading, "positional") ||
	        span_eq_nocase(heading, SPAN("args")))
		return POSITIONALS;
	return OTHER;
}

static void begin_section(struct reader *r, enum section section)
{
	close_entry(r);
	r->section = section;
	r->manual |= section == NAME;
	r->base = NO_BASE;
	r->outer = 0;
	r->plain = false;
	r->usage_open = section == USAGE;
}

/* --- lines --- */

static void add_usage(struct reader *r, struct span text)
{
	text = span_cut(text, help_gap(text)); /* npm has descriptions there */
	if (text.n == 0 || buf_size(&r->usage) > USAGE_MAX)
		return;
	if (buf_size(&r->usage) > 0)
		buf_add_char(&r->usage, ' ');
	buf_add(&r->usage, text);
}

/* "usage: prog [-h] ..." with the text behind it; "or:" is another way to call it. */
static bool read_usage_line(struct reader *r, struct span text)
{
	static const struct span usage = { "usage:", 6 };

	if (span_eq_nocase(span_cut(text, usage.n), usage) && text.n > usage.n) {
		bool first = buf_size(&r->usage) == 0;
		begin_section(r, USAGE);
		r->usage_open = first;
		if (first)
			add_usage(r, span_trim(span_skip(text, usage.n)));
		return true;
	}
	if (r->section == USAGE && r->usage_open && span_starts(text, SPAN("or:"))) {
		r->usage_open = false;
		return true;
	}
	return false;
}

/* "prog [options]": a way to call it, while "prog is a tool" and "prog - a tool" are none. */
static bool is_call(const struct reader *r, struct span text)
{
	struct span rest = span_skip(text, r->program.n), token;

	if (r->program.n == 0 || !span_starts(text, r->program) || rest.n < 2 || rest.p[0] != ' ')
		return false;
	return r->section == USAGE || (help_next_token(&rest, &token) && help_is_placeholder(token));
}

/* The lines behind "Usage:" alone: the first is taken, and what is deeper than it goes on. */
static bool read_usage(struct reader *r, struct span text)
{
	bool first = buf_size(&r->usage) == 0;

	if ((r->section == INTRO || r->section == USAGE) && is_call(r, text)) {
		if (first)
			add_usage(r, text);
		return true;
	}
	if (r->section != USAGE || !r->usage_open || text.p[0] == '-')
		return false;
	if (first) {
		r->base = r->indent;
	} else if (r->indent == 0 && r->base == NO_BASE) { /* right behind "usage: ..." and not indented */
		r->usage_open = false;
		return false;
	} else if (r->base != NO_BASE && r->indent <= r->base) { /* a second form */
		return true;
	}
	add_usage(r, text);
	return true;
}

/* A flag stands at the beginning of its line, left of the description of the one before. */
static bool read_flag(struct reader *r, struct span text)
{
	struct help_flag f;

	if (r->section == IGNORED || text.p[0] != '-' || (r->flag != NULL && r->indent > r->entry + 6))
		return false;
	if (r->section == COMMANDS && r->base != NO_BASE && r->indent > r->base)
		return true; /* of a subcommand; it will tell itself */
	if (!help_flag_read(r->arena, text, &f))
		return false;
	struct help_flag *kept = add_flag(r, &f);
	open_entry(r, kept != NULL ? &kept->description : NULL, f.description);
	r->flag = kept;
	return true;
}

static void bracketed_found(void *arg, struct help_flag *f)
{
	add_flag(arg, f);
}

/* npm: "[-S|--save] [--omit <dev>]" in a section of options */
static bool read_bracketed(struct reader *r, struct span text)
{
	if (r->section != OTHER || !span_starts(text, SPAN("[-")))
		return false;
	close_entry(r);
	help_usage_flags(r->arena, text, bracketed_found, r);
	return true;
}

/* A list of commands without a heading, when the usage says that there are some. */
static bool is_bare_list(const struct reader *r, struct span text)
{
	return (r->section == INTRO || r->section == USAGE) && r->blank && r->indent > 0 && help_gap(text) < text.n &&
	       help_contains(buf_span(&r->usage), "command");
}

static bool read_command(struct reader *r, struct span text)
{
	if (is_bare_list(r, text))
		begin_section(r, COMMANDS);
	if (r->section != COMMANDS || r->indent == 0 || (r->base != NO_BASE && r->indent > r->base))
		return false;
	if (r->outer > 0 && r->indent < r->outer) { /* behind argparse's subcommands */
		r->section = POSITIONALS;
		return false;
	}
	size_t before = r->out->command_count;
	size_t n = help_commands_read(text, r->program, r->plain, command_found, r);
	if (n == 0)
		return false;
	r->plain = r->plain || r->out->command_count > before + 1;
	r->base = r->indent;
	return true;
}

/* argparse: a positional that the usage shows as "{a,b} ..." or "command ..." stands for subcommands. */
static bool stands_for_commands(struct reader *r, struct span name)
{
	struct span rest = buf_span(&r->usage), token;

	while (help_next_token(&rest, &token))
		if (span_eq(token, name) && span_starts(rest, SPAN(" ...")))
			return true;
	return false;
}

static void add_braced(struct reader *r, struct span name)
{
	struct span list = span_between(name.p + 1, span_end(name) - 1), part;

	if (name.n < 3 || name.p[0] != '{' || name.p[name.n - 1] != '}')
		return;
	while (span_next(&list, ',', &part))
		if (help_is_command(part))
			add_command(r, part, SPAN(""));
	close_entry(r);
}

static void begin_subcommands(struct reader *r, struct span name)
{
	begin_section(r, COMMANDS);
	r->outer = r->indent + 1;
	add_braced(r, name);
}

static void add_positional(struct reader *r, struct span name, struct span description)
{
	struct help_argument *argument = ARENA_NEW(r->arena, struct help_argument);

	argument->name = name;
	*r->described_end = argument;
	r->described_end = &argument->next;
	open_entry(r, &argument->description, description);
}

static bool read_positional(struct reader *r, struct span text)
{
	struct span rest = text, name;
	bool deeper = r->base != NO_BASE && r->indent > r->base;

	if ((r->section != POSITIONALS && r->section != COMMANDS) || r->indent == 0 || deeper)
		return false;
	if (!help_next_token(&rest, &name))
		return false;
	if (stands_for_commands(r, name)) {
		begin_subcommands(r, name);
		return true;
	}
	size_t gap = help_gap(text);
	if (r->section == COMMANDS || name.n > HELP_NAME_MAX || (gap < text.n && name.n > gap))
		return false;
	r->base = r->indent;
	add_positional(r, span_cut(text, gap), span_trim(span_skip(text, gap)));
	return true;
}

/* Manual pages: "ls - list directory contents" */
static bool read_name(struct reader *r, struct span text)
{
	static const struct span dash = { " - ", 3 };

	if (r->section != NAME)
		return false;
	for (size_t at = 0; at + dash.n < text.n; at++) {
		if (!span_starts(span_skip(text, at), dash))
			continue;
		open_entry(r, &r->out->description, span_skip(text, at + dash.n));
		break;
	}
	begin_section(r, OTHER);
	return true;
}

static bool continues(const struct reader *r)
{
	return r->into != NULL && (r->paragraph ? !r->blank : r->indent > r->entry);
}

/* BusyBox introduces itself before each of its programs. */
static bool may_describe(const struct reader *r, struct span text)
{
	const struct help_text *h = r->out;

	return (r->section == INTRO || r->section == USAGE) && !span_is_set(h->description) && h->flags == NULL &&
	       h->commands == NULL && !help_contains(text, "multi-call binary");
}

static void read_text(struct reader *r, struct span text)
{
	r->prose = true;
	if (continues(r)) {
		add_text(r, text);
		return;
	}
	close_entry(r);
	if (!may_describe(r, text))
		return;
	open_entry(r, &r->out->description, text);
	r->paragraph = true;
}

static void read_line(struct reader *r, struct span line)
{
	struct span text = span_trim(line);

	if (text.n == 0) {
		r->usage_open = r->usage_open && buf_size(&r->usage) == 0;
		r->blank = true;
		return;
	}
	r->indent = (size_t)(text.p - line.p);
	if (read_usage_line(r, text) || read_usage(r, text)) {
		r->blank = false;
		return;
	}
	bool heading = is_heading(r, text);
	r->prose = false;
	if (heading)
		begin_section(r, kind_of(text));
	else if (!read_name(r, text) && !read_flag(r, text) && !read_bracketed(r, text) && !read_command(r, text) &&
	         !read_positional(r, text))
		read_text(r, text);
	r->blank = false;
}

static void finish(struct reader *r)
{
	struct help_text *h = r->out;

	close_entry(r);
	if (buf_size(&r->usage) > 0)
		h->usage = arena_copy(r->arena, help_cut(buf_span(&r->usage), USAGE_MAX));
	if (h->flags == NULL && span_is_set(h->usage))
		help_usage_flags(r->arena, h->usage, bracketed_found, r);
	if (span_is_set(h->usage))
		h->arguments = help_usage_arguments(r->arena, h->usage);
	buf_free(&r->usage);
	buf_free(&r->text);
}

void help_text_read(struct arena *a, struct span text, struct span program, struct help_text *out)
{
	struct reader r = { .arena = a, .program = program, .out = out, .base = NO_BASE };
	struct span rest = help_clean(a, text), line;

	*out = (struct help_text){ 0 };
	r.flags_end = &out->flags;
	r.commands_end = &out->commands;
	r.described_end = &out->described;
	for (size_t i = 0; i < HELP_LINES_MAX && span_next(&rest, '\n', &line); i++)
		read_line(&r, span_cut(line, HELP_LINE_MAX));
	finish(&r);
}
