/* docs/configuration.md against the tables of keys: what is in the one is in the other, with its default and range. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/duration.h"
#include "base/fd.h"
#include "config/keys.h"

static int read_manual(void **state)
{
	char *text;
	size_t n;
	struct err e;

	if (!fd_read_file(SOURCE_ROOT "/docs/configuration.md", 1 << 20, &text, &n, &e))
		return -1;
	*state = text;
	return 0;
}

static int free_manual(void **state)
{
	free(*state);
	return 0;
}

/* From the heading of a block to the next heading. */
static struct span section_of(const char *manual, const char *block)
{
	char heading[96];

	snprintf(heading, sizeof(heading), "\n## %s\n", block);
	const char *from = strstr(manual, heading);
	assert_non_null(from);
	const char *to = from != NULL ? strstr(from + strlen(heading), "\n## ") : NULL;
	return to != NULL ? span_between(from, to) : span_of(from);
}

static bool contains(struct span text, struct span what)
{
	return memmem(text.p, text.n, what.p, what.n) != NULL;
}

/* The table row of a key; not set when there is none. */
static struct span row_of(struct span section, const char *key)
{
	char start[128];
	struct span line;

	snprintf(start, sizeof(start), "| `%s` |", key);
	while (span_next(&section, '\n', &line))
		if (span_starts(line, span_of(start)))
			return line;
	return SPAN_NONE;
}

static void assert_told(struct span row, const char *key, const char *what)
{
	if (!contains(row, span_of(what)))
		fail_msg("the row of %s does not tell %s", key, what);
}

static void check_range(const struct key *key, struct span row, const char *name)
{
	char range[64] = "";

	if (key->most == 0)
		return;
	if (key->read == key_size || key->read == key_unsigned)
		snprintf(range, sizeof(range), "%lld to %lld", (long long)key->least, (long long)key->most);
	else
		snprintf(range, sizeof(range), "`%s` to `%s`", duration_text(key->least).text,
		        duration_text(key->most).text);
	assert_told(row, name, range);
}

static void check_default(const struct key *key, struct span row, const char *name)
{
	bool bare = key->read == key_flag || key->read == key_size || key->read == key_unsigned;
	char preset[64];

	if (key->preset == NULL)
		return;
	snprintf(preset, sizeof(preset), bare ? "`%s`" : "`\"%s\"`", key->preset);
	assert_told(row, name, preset);
}

static void check_block(const char *manual, struct span section, const char *prefix, const struct key *keys)
{
	for (const struct key *key = keys; key->name != NULL; key++) {
		char name[96];
		snprintf(name, sizeof(name), "%s%s", prefix, key->name);
		struct span row = row_of(section, name);
		if (span_is_set(row)) {
			check_range(key, row, name);
			check_default(key, row, name);
		} else if (key->read == key_block) {
			snprintf(name, sizeof(name), "%s%s.", prefix, key->name);
			check_block(manual, section, name, key->block);
		} else {
			snprintf(name, sizeof(name), "`%s`", key->name);
			assert_told(span_of(manual), name, name);
		}
	}
}

static void test_the_manual_tells_every_key_with_its_default_and_range(void **state)
{
	const char *manual = *state;

	check_block(manual, section_of(manual, "Top level"), "", config_keys);
	for (const struct key *key = config_keys; key->name != NULL; key++) {
		char heading[96];
		snprintf(heading, sizeof(heading), "`%s`", key->name);
		if (key->block != NULL && strcmp(key->name, "servers") != 0)
			check_block(manual, section_of(manual, heading), "", key->block);
	}
}

/* The other way round: what the manual tells is there. "stop.eof" is looked for in the block of "stop". */
static const struct key *find(const struct key *keys, struct span path)
{
	size_t dot = span_find(path, '.');

	for (const struct key *key = keys; key->name != NULL; key++)
		if (span_eq(span_cut(path, dot), span_of(key->name)))
			return dot == path.n ? key : find(key->block, span_skip(path, dot + 1));
	return NULL;
}

/* `"text"`, `12`, `true`: what one would write into the file. */
static bool is_value(struct span cell)
{
	return cell.n > 1 && cell.p[0] == '`' && strchr("\"0123456789tf", cell.p[1]) != NULL;
}

/* | `key`, `key` | type | default | meaning | */
static void check_row_is_true(const struct key *keys, struct span row)
{
	struct span cells[3] = { 0 }, rest = span_skip(row, 1), text;

	for (size_t i = 0; i < 3; i++)
		if (!span_next(&rest, '|', &cells[i]))
			fail_msg("a row has too few cells: %.*s", SPAN_ARG(row));
	bool quoted = false;
	for (rest = cells[0]; span_is_set(rest) && span_next(&rest, '`', &text); quoted = !quoted) {
		const struct key *key = quoted ? find(keys, text) : NULL;
		if (quoted && (key == NULL || key->read == key_later || key->read == key_unused))
			fail_msg("there is no key %.*s", SPAN_ARG(text));
		if (quoted && key->preset == NULL && is_value(span_trim(cells[2])))
			fail_msg("%.*s has no such default", SPAN_ARG(text));
	}
}

/* The first table of a section; those of its subsections are about other things. */
static void check_table_is_true(struct span section, const struct key *keys)
{
	struct span line;

	section = span_skip(section, 1 + span_find(span_skip(section, 1), '\n'));
	while (span_next(&section, '\n', &line) && !span_starts(line, SPAN("#")))
		if (span_starts(line, SPAN("| `")))
			check_row_is_true(keys, line);
}

static void test_every_key_that_the_manual_tells_is_there(void **state)
{
	const char *manual = *state;

	check_table_is_true(section_of(manual, "Top level"), config_keys);
	for (const struct key *key = config_keys; key->name != NULL; key++) {
		char heading[96];
		snprintf(heading, sizeof(heading), "`%s`", key->name);
		if (key->block != NULL && strcmp(key->name, "servers") != 0)
			check_table_is_true(section_of(manual, heading), key->block);
	}
}

static bool is_any_live(const struct key *keys)
{
	for (const struct key *key = keys; key->name != NULL; key++)
		if (key->live || (key->read == key_block && is_any_live(key->block)))
			return true;
	return false;
}

/* A block of which nothing can be applied is told as a whole, else its keys are. */
static void check_restart(struct span section, const char *prefix, const struct key *keys)
{
	for (const struct key *key = keys; key->name != NULL; key++) {
		bool used = key->read != key_later && key->read != key_foreign && key->read != key_unused;
		char name[96], quoted[100];
		snprintf(name, sizeof(name), "%s%s", prefix, key->name);
		snprintf(quoted, sizeof(quoted), "`%s`", name);
		if (key->read == key_block && is_any_live(key->block)) {
			snprintf(name, sizeof(name), "%s%s.", prefix, key->name);
			check_restart(section, name, key->block);
		} else if (used && !key->live) {
			assert_told(section, name, quoted);
		} else if (key->live && contains(section, span_of(quoted)) && prefix[0] != '\0') {
			fail_msg("%s needs no restart", name);
		}
	}
}

static void test_the_manual_tells_every_key_that_needs_a_restart(void **state)
{
	struct span section = section_of(*state, "Reload");

	if (!span_is_set(section))
		fail_msg("the manual has no such section");
	const char *list = memmem(section.p, section.n, "These need a restart", 20);
	assert_non_null(list);
	check_restart(span_between(list, span_end(section)), "", config_keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		        test_the_manual_tells_every_key_with_its_default_and_range, read_manual, free_manual),
		cmocka_unit_test_setup_teardown(
		        test_every_key_that_the_manual_tells_is_there, read_manual, free_manual),
		cmocka_unit_test_setup_teardown(
		        test_the_manual_tells_every_key_that_needs_a_restart, read_manual, free_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
