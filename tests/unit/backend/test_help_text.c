/*
 * Help texts in the styles of many makers, in tests/fuzz/corpus/help_text (the fuzzer starts from them, too), and what
 * is to be read from each, in help/NAME.want beside this.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/help_text.h"
#include "base/buf.h"
#include "base/fd.h"

static const struct {
	const char *name, *program;
} samples[] = {
	{ "argparse", "orchard" },
	{ "argparse_commands", "orchard" },
	{ "bare", "dial" },
	{ "bsd", "rake" },
	{ "busybox", "scale" },
	{ "bytes", "x" },
	{ "clap", "loom" },
	{ "clap_commands", "loom" },
	{ "click", "ferry" },
	{ "click_commands", "ferry" },
	{ "cobra", "beacon" },
	{ "commander", "kite" },
	{ "coreutils", "sieve" },
	{ "docker", "crane" },
	{ "docker_commands", "crane" },
	{ "gh", "span" },
	{ "git", "ledger" },
	{ "git_sub", "ledger" },
	{ "goflag", "tide" },
	{ "kubectl", "reaper" },
	{ "man", "sift" },
	{ "npm", "mill" },
	{ "npm_sub", "mill" },
	{ "odd", "x" },
	{ "prose", "press" },
	{ "typer", "kiln" },
	{ "yargs", "nest.js" },
};

static void put(struct buf *out, const char *what, struct span text)
{
	if (span_is_set(text))
		buf_printf(out, "%s %.*s\n", what, SPAN_ARG(text));
}

static void put_flag(struct buf *out, const struct help_flag *f)
{
	static const char *const types[] = { "text", "boolean", "integer", "number" };

	buf_printf(out, "flag %.*s = %.*s", SPAN_ARG(f->name), SPAN_ARG(f->flag));
	if (span_is_set(f->negative))
		buf_printf(out, " or %.*s", SPAN_ARG(f->negative));
	if (span_is_set(f->value))
		buf_printf(out, " <%.*s>", SPAN_ARG(f->value));
	buf_printf(out, " %s%s%s%s", types[f->type], f->joined ? " joined" : "", f->repeated ? " repeated" : "",
	        f->on ? " on" : "");
	for (size_t i = 0; i < f->choice_count; i++)
		buf_printf(out, "%s%.*s", i == 0 ? " one of " : "|", SPAN_ARG(f->choices[i]));
	buf_printf(out, ": ");
	buf_add(out, f->description);
	buf_add_char(out, '\n');
}

static void put_named(struct buf *out, const char *what, struct span name, struct span description)
{
	buf_printf(out, "%s %.*s: ", what, SPAN_ARG(name));
	buf_add(out, description);
	buf_add_char(out, '\n');
}

static void put_all(struct buf *out, const struct help_text *h)
{
	put(out, "description", h->description);
	put(out, "usage", h->usage);
	put(out, "arguments", h->arguments);
	for (const struct help_argument *a = h->described; a != NULL; a = a->next)
		put_named(out, "argument", a->name, a->description);
	for (const struct help_command *c = h->commands; c != NULL; c = c->next)
		put_named(out, "command", c->name, c->description);
	for (const struct help_flag *f = h->flags; f != NULL; f = f->next)
		put_flag(out, f);
}

static char *read_file(const char *format, const char *name, size_t *n)
{
	char path[256], *text;
	struct err e;

	snprintf(path, sizeof(path), format, SOURCE_ROOT, name);
	if (!fd_read_file(path, 1 << 20, &text, n, &e))
		fail_msg("%s", e.text);
	return text;
}

/* HELP_WANT=FOLDER writes what is read there, for a new sample. */
static void keep(const char *name, struct span text)
{
	char path[256];

	if (getenv("HELP_WANT") == NULL)
		return;
	snprintf(path, sizeof(path), "%s/%s.want", getenv("HELP_WANT"), name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fwrite(text.p, 1, text.n, f);
	fclose(f);
}

static void check(const char *name, const char *program)
{
	struct arena a = { 0 };
	struct buf got = { 0 };
	struct help_text h;
	size_t n, wanted_n;
	char *text = read_file("%s/tests/fuzz/corpus/help_text/%s.txt", name, &n);

	help_text_read(&a, (struct span){ text, n }, span_of(program), &h);
	put_all(&got, &h);
	keep(name, buf_span(&got));
	char *wanted = read_file("%s/tests/unit/backend/help/%s.want", name, &wanted_n);
	if (!span_eq(buf_span(&got), (struct span){ wanted, wanted_n }))
		fail_msg("%s:\n%.*s", name, SPAN_ARG(buf_span(&got)));
	free(wanted);
	free(text);
	buf_free(&got);
	arena_free(&a);
}

static void test_what_is_read_from_the_texts_of_many_makers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		check(samples[i].name, samples[i].program);
}

static void test_a_text_that_is_no_help_is_not_known_as_one(void **state)
{
	static const char *const texts[] = { "", "\n\n", "hello\n", "Error: no such file\n", "--help\n",
		"a  b\n c  d\n", "unknown option: --help\nTry something else.\n" };
	struct help_text h;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct arena a = { 0 };
		help_text_read(&a, span_of(texts[i]), SPAN("x"), &h);
		if (help_text_is_known(&h))
			fail_msg("known: %s", texts[i]);
		arena_free(&a);
	}
}

static void test_there_are_bounds(void **state)
{
	struct arena a = { 0 };
	struct buf text = { 0 };
	struct help_text h;

	(void)state;
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "  --flag-%d=X  what it does\n", i);
	buf_printf(&text, "Commands:\n");
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "  command-%d  what it does\n", i);
	help_text_read(&a, buf_span(&text), SPAN("x"), &h);
	assert_int_equal(h.flag_count, HELP_FLAGS_MAX);
	assert_int_equal(h.command_count, HELP_COMMANDS_MAX);
	buf_free(&text);

	buf_printf(&text, "  --flag  ");
	for (int i = 0; i < 100000; i++)
		buf_add(&text, SPAN("\xc3\xa9"));
	help_text_read(&a, buf_span(&text), SPAN("x"), &h);
	assert_int_equal(h.flags->description.n, HELP_DESCRIPTION_MAX);
	buf_free(&text);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_read_from_the_texts_of_many_makers),
		cmocka_unit_test(test_a_text_that_is_no_help_is_not_known_as_one),
		cmocka_unit_test(test_there_are_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
