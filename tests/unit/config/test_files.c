#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "load.h"

#define MAX_PATH 64

struct place {
	char folder[32], config[MAX_PATH], secret[MAX_PATH], text[400];
};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void make_place(struct place *p)
{
	snprintf(p->folder, sizeof(p->folder), "/tmp/sluice-test-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->config, sizeof(p->config), "%s/servers.json", p->folder);
	snprintf(p->secret, sizeof(p->secret), "%s/secret", p->folder);
	snprintf(p->text, sizeof(p->text),
	        "{\"mcpServers\":{\"a\":{\"command\":\"sh\",\"env\":{\"A\":\"${file:%s}\",\"B\":\"${file:%s}\"}}}}",
	        p->secret, p->secret);
	write_file(p->config, p->text);
}

static void leave_place(struct place *p)
{
	unlink(p->config);
	unlink(p->secret);
	assert_int_equal(rmdir(p->folder), 0);
}

static struct loaded load_place(const struct place *p)
{
	const char *const environment[] = { NULL };

	return load_from(&(struct config_sources){ .file = p->config, .environment = environment });
}

static void test_the_files_that_were_read_are_told_once_each(void **state)
{
	struct place p;

	(void)state;
	make_place(&p);
	write_file(p.secret, "x");
	struct loaded l = load_place(&p);
	assert_loaded(&l);
	assert_int_equal(l.files.count, 2);
	assert_string_equal(l.files.items[0].path, p.config);
	assert_string_equal(l.files.items[1].path, p.secret);
	assert_true(config_files_are_fresh(&l.files));
	unload(&l);
	leave_place(&p);
}

static void test_a_file_that_was_replaced_or_removed_is_not_fresh(void **state)
{
	char other[MAX_PATH];
	struct place p;

	(void)state;
	make_place(&p);
	write_file(p.secret, "x");
	snprintf(other, sizeof(other), "%s/other", p.folder);
	struct loaded l = load_place(&p);
	write_file(other, "x");
	assert_true(config_files_are_fresh(&l.files));
	assert_int_equal(rename(other, p.secret), 0);
	assert_false(config_files_are_fresh(&l.files));
	unload(&l);
	l = load_place(&p);
	assert_true(config_files_are_fresh(&l.files));
	unlink(p.secret);
	assert_false(config_files_are_fresh(&l.files));
	unload(&l);
	leave_place(&p);
}

static void test_a_file_that_is_missing_is_told_too_and_fresh_until_it_comes(void **state)
{
	struct place p;

	(void)state;
	make_place(&p);
	struct loaded l = load_place(&p);
	assert_null(l.config);
	assert_int_equal(l.files.count, 2);
	assert_true(config_files_are_fresh(&l.files));
	write_file(p.secret, "x");
	assert_false(config_files_are_fresh(&l.files));
	unload(&l);
	leave_place(&p);
}

static void test_a_configuration_in_the_environment_has_no_file(void **state)
{
	struct loaded l = load_text("{}", NULL);

	(void)state;
	assert_loaded(&l);
	assert_int_equal(l.files.count, 0);
	unload(&l);
}

static void test_files_beyond_the_bound_are_not_looked_after(void **state)
{
	struct config_files files = { 0 };
	char path[MAX_PATH];

	(void)state;
	for (int i = 0; i < CONFIG_FILES_MAX + 10; i++) {
		snprintf(path, sizeof(path), "/nowhere/%d", i);
		config_files_add(&files, path);
	}
	assert_int_equal(files.count, CONFIG_FILES_MAX);
	config_files_free(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_files_that_were_read_are_told_once_each),
		cmocka_unit_test(test_a_file_that_was_replaced_or_removed_is_not_fresh),
		cmocka_unit_test(test_a_file_that_is_missing_is_told_too_and_fresh_until_it_comes),
		cmocka_unit_test(test_a_configuration_in_the_environment_has_no_file),
		cmocka_unit_test(test_files_beyond_the_bound_are_not_looked_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
