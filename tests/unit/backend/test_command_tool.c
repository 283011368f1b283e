#include "backend/command_tool.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "json/scan.h"

/* The words are apart by a bar. */
static const char help_text[] = "Usage: prog move [OPTION]... SOURCE... DEST\n"
                                "Moves things.\n"
                                "  -f, --force             do not ask\n"
                                "  -o FILE                 where to\n"
                                "      --mode=MODE         how; may be repeated\n"
                                "      --kind {a,b}        which\n"
                                "      --count INTEGER     how many\n"
                                "      --ratio FLOAT       how much\n"
                                "      --[no-]wait         until it is done\n"
                                "      --sure              ask first (default true)\n"
                                "      --colour[=WHEN]     in colour\n"
                                "  -long VALUE             a long one with one dash\n"
                                "      --args LIST         has the name of ours\n"
                                "      --dry-run           do nothing\n"
                                "      --enable bool       whether\n";

static const char *const words[] = { "move", NULL };
static const char *const base[] = { "/bin/prog", "-C", "/x", NULL };

struct fixture {
	struct arena arena;
	struct help_text help;
	struct command_tool tool;
};

static void open_fixture(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	help_text_read(&f->arena, span_of(help_text), SPAN("prog"), &f->help);
	command_tool_from_help(&f->arena, base[0], words, SPAN("in short"), &f->help, &f->tool);
}

/* What comes behind the fixed part, or the sentence. */
static const char *line_of(struct fixture *f, const char *arguments)
{
	struct buf out = { 0 };
	struct err e;
	struct json_fault fault;

	assert_true(json_scan(span_of(arguments), 64, NULL, NULL, &fault));
	const char *const *argv = command_tool_argv(&f->arena, &f->tool, base, span_of(arguments), &e);
	if (argv == NULL)
		return arena_printf(&f->arena, "! %s", e.text);
	for (int i = 0; i < 3; i++)
		assert_string_equal(argv[i], base[i]);
	assert_string_equal(argv[3], "move");
	for (argv += 4; *argv != NULL; argv++)
		buf_printf(&out, "%s%s", buf_size(&out) > 0 ? "|" : "", *argv);
	const char *line = arena_copy(&f->arena, buf_span(&out)).p;
	buf_free(&out);
	return line;
}

static void test_arguments_become_words(void **state)
{
	static const struct {
		const char *arguments, *line;
	} rows[] = {
		{ "{}", "" },
		{ "{\"force\":true,\"o\":\"x y\"}", "--force|-o|x y" },
		{ "{\"o\":\"x\",\"force\":false}", "-o|x" },
		{ "{\"mode\":[\"a\",\"-b\",\"\"]}", "--mode=a|--mode=-b|--mode=" },
		{ "{\"kind\":\"b\",\"count\":-5,\"ratio\":-1.5e3}", "--kind=b|--count=-5|--ratio=-1.5e3" },
		{ "{\"wait\":true}", "--wait" },
		{ "{\"wait\":false}", "--no-wait" },
		{ "{\"sure\":false}", "--sure=false" },
		{ "{\"sure\":true}", "--sure" },
		{ "{\"enable\":false}", "--enable=false" },
		{ "{\"colour\":\"\"}", "--colour" },
		{ "{\"colour\":\"-x\"}", "--colour=-x" },
		{ "{\"long\":\"v\"}", "-long|v" },
		{ "{\"--args\":\"v\",\"args\":[\"p\"]}", "--args=v|p" },
		{ "{\"dry_run\":true}", "--dry-run" },
		{ "{\"force\":null,\"args\":null}", "" },
		{ "{\"f\\u006frce\":true,\"o\":\"\\u0041\\n\"}", "--force|-o|A\n" },
		{ "{\"args\":[\"a\",\"-\",\"\"],\"force\":true}", "--force|a|-|" },
		{ "{\"args\":[\"a\",\"-x\",\"--y=z\"],\"force\":true}", "--force|--|a|-x|--y=z" },
		{ "{\"args\":[\"--\",\"-x\"]}", "--|-x" },
		{ "{\"args\":[\"a\",\"--\",\"-x\",\"--\"]}", "a|--|-x|--" },
		{ "{\"args\":[]}", "" },
	};
	struct fixture f;

	(void)state;
	open_fixture(&f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(line_of(&f, rows[i].arguments), rows[i].line);
	assert_non_null(command_tool_argv(&f.arena, &f.tool, base, SPAN_NONE, &(struct err){ 0 }));
	arena_free(&f.arena);
}

static void test_what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *arguments, *sentence;
	} rows[] = {
		{ "[]", "! the arguments must be an object" },
		{ "\"x\"", "! the arguments must be an object" },
		{ "{\"forced\":true}", "! there is no argument \"forced\"" },
		{ "{\"--force\":true}", "! there is no argument \"--force\"" },
		{ "{\"\":true}", "! there is no argument \"\"" },
		{ "{\"force\":1}", "! argument \"force\": must be true or false" },
		{ "{\"o\":\"-x\"}", "! argument \"o\": a value that begins with \"-\" cannot be given to -o" },
		{ "{\"o\":\"-\"}", "! argument \"o\": a value that begins with \"-\" cannot be given to -o" },
		{ "{\"long\":\"--x\"}",
		        "! argument \"long\": a value that begins with \"-\" cannot be given to -long" },
		{ "{\"o\":{}}", "! argument \"o\": must be a string" },
		{ "{\"o\":\"a\\u0000b\"}", "! argument \"o\": must not contain a NUL" },
		{ "{\"mode\":\"x\"}", "! argument \"mode\": must be an array" },
		{ "{\"mode\":[1]}", "! argument \"mode\": must be a string" },
		{ "{\"kind\":\"c\"}", "! argument \"kind\": must be one of a, b" },
		{ "{\"count\":1.5}", "! argument \"count\": must be an integer" },
		{ "{\"count\":\"1\"}", "! argument \"count\": must be an integer" },
		{ "{\"ratio\":\"1\"}", "! argument \"ratio\": must be a number" },
		{ "{\"args\":\"x\"}", "! argument \"args\": must be an array of strings" },
		{ "{\"args\":[null]}", "! argument \"args\": must hold strings only" },
		{ "{\"args\":[\"-x\",\"--\"]}", "! argument \"args\": what begins with \"-\" must come behind \"--\"" },
		{ "{\"dry_run\":true,\"dry-run\":true}", "! argument \"dry-run\": given twice" },
	};
	struct fixture f;

	(void)state;
	open_fixture(&f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(line_of(&f, rows[i].arguments), rows[i].sentence);
	arena_free(&f.arena);
}

static void test_the_item_of_the_list(void **state)
{
	struct fixture f;
	struct buf out = { 0 };
	struct json_fault fault;

	(void)state;
	open_fixture(&f);
	command_tool_put(&out, &f.tool);
	assert_true(json_scan(buf_span(&out), 64, NULL, NULL, &fault));
	struct span item = buf_span(&out), schema = json_member(item, "inputSchema");
	struct span properties = json_member(schema, "properties");
	assert_span(json_member(item, "name"), "\"prog_move\"");
	assert_span(json_member(item, "description"), "\"Moves things.\"");
	assert_span(json_member(schema, "additionalProperties"), "false");
	assert_span(json_member(properties, "args"), "{\"type\":\"array\",\"items\":{\"type\":\"string\"},"
	                                             "\"description\":\"Positional arguments: SOURCE... DEST\"}");
	assert_span(json_member(properties, "mode"), "{\"type\":\"array\",\"items\":{\"type\":\"string\"},"
	                                             "\"description\":\"how; may be repeated\"}");
	assert_span(json_member(properties, "kind"),
	        "{\"type\":\"string\",\"enum\":[\"a\",\"b\"],\"description\":\"which\"}");
	assert_span(
	        json_member(properties, "--args"), "{\"type\":\"string\",\"description\":\"has the name of ours\"}");
	buf_free(&out);

	command_tool_from_help(&f.arena, "x/my prog.sh", words, SPAN("in short"), NULL, &f.tool);
	assert_span(f.tool.name, "my_prog_sh_move");
	assert_span(f.tool.description, "in short");
	assert_null(f.tool.flags);
	arena_free(&f.arena);
}

static void test_a_tool_of_the_configuration(void **state)
{
	static const char *const args[] = { "move", "--fixed", NULL };
	struct command_preset preset = { .name = "t", .args = args };
	struct fixture f;
	struct buf out = { 0 };

	(void)state;
	open_fixture(&f);
	command_tool_from_preset(&f.arena, &preset, &f.tool);
	assert_string_equal(line_of(&f, "{\"args\":[\"-x\"]}"), "--fixed|--|-x");
	assert_string_equal(line_of(&f, "{\"x\":1}"), "! there is no argument \"x\"");

	preset.schema =
	        "{\"type\":\"object\",\"properties\":{\"args\":{\"type\":\"string\"},\"x\":{\"type\":\"integer\"},"
	        "\"ids\":{\"type\":\"array\",\"items\":{\"enum\":[\"a\",\"b\"]}},\"yes\":{\"type\":\"boolean\"}},"
	        "\"required\":[\"ids\"]}";
	command_tool_from_preset(&f.arena, &preset, &f.tool);
	assert_string_equal(line_of(&f, "{}"), "! argument \"ids\": is needed");
	assert_string_equal(line_of(&f, "{\"ids\":null}"), "! argument \"ids\": is needed");
	assert_string_equal(line_of(&f, "{\"ids\":[\"c\"]}"), "! argument \"ids\": must be one of a, b");
	assert_string_equal(line_of(&f, "{\"ids\":[\"a\",\"b\"],\"x\":7,\"yes\":true,\"args\":\"-p q\"}"),
	        "--fixed|--ids=a|--ids=b|-x|7|--yes|--|-p q");
	assert_string_equal(line_of(&f, "{\"ids\":[],\"args\":[]}"), "! argument \"args\": must be a string");
	command_tool_put(&out, &f.tool);
	assert_span_is(json_member(buf_span(&out), "inputSchema"), span_of(preset.schema));
	buf_free(&out);
	arena_free(&f.arena);
}

static void test_there_is_a_bound_for_one_word_and_for_all(void **state)
{
	struct fixture f;
	struct buf text = { 0 };

	(void)state;
	open_fixture(&f);
	buf_printf(&text, "{\"mode\":[\"");
	for (int i = 0; i < COMMAND_WORD_MAX; i++)
		buf_add_char(&text, 'x');
	buf_printf(&text, "\"]}");
	buf_add_char(&text, '\0');
	assert_string_equal(line_of(&f, buf_span(&text).p), "! argument \"mode\": longer than 100000 bytes");
	buf_free(&text);
	buf_printf(&text, "{\"args\":[\"x\"");
	for (int i = 0; i < 10000; i++)
		buf_printf(&text, ",\"x\"");
	buf_printf(&text, "]}");
	buf_add_char(&text, '\0');
	assert_string_equal(line_of(&f, buf_span(&text).p), "! argument \"args\": there is too much altogether");
	buf_free(&text);
	arena_free(&f.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments_become_words),
		cmocka_unit_test(test_what_is_wrong_is_named),
		cmocka_unit_test(test_the_item_of_the_list),
		cmocka_unit_test(test_a_tool_of_the_configuration),
		cmocka_unit_test(test_there_is_a_bound_for_one_word_and_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
