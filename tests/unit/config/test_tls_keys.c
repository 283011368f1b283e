/* http.tls: from keys to a context, and what differs between two of them. */
#include "unit.h"

#include <unistd.h>

#include "certs.h"
#include "config/diff.h"
#include "load.h"

struct scene {
	struct cert one, two;
	char folder[32], cert[64], key[64], other[64];
};

static void put_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	cert_make(&s->one, "DNS:localhost", NULL, -1, 10);
	cert_make(&s->two, "DNS:localhost", NULL, -10, -2);
	snprintf(s->folder, sizeof(s->folder), "/tmp/test-tls-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	snprintf(s->cert, sizeof(s->cert), "%s/tls.crt", s->folder);
	snprintf(s->key, sizeof(s->key), "%s/tls.key", s->folder);
	snprintf(s->other, sizeof(s->other), "%s/same.crt", s->folder);
	put_file(s->cert, s->one.pem);
	put_file(s->key, s->one.key);
	put_file(s->other, s->one.pem);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	unlink(s->cert);
	unlink(s->key);
	unlink(s->other);
	rmdir(s->folder);
	cert_clear(&s->one);
	cert_clear(&s->two);
	free(s);
	return 0;
}

static struct loaded load_pair(const char *cert, const char *key)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"http\":{\"tls\":{\"cert\":\"%s\",\"key\":\"%s\"}}}", cert, key);
	return load_text(text, NULL);
}

static void test_a_pair_of_files_makes_a_context_and_both_are_remembered(void **state)
{
	struct scene *s = *state;
	struct loaded l = load_pair(s->cert, s->key);

	assert_loaded(&l);
	assert_non_null(l.config->http.tls);
	assert_int_equal(l.files.count, 2);
	assert_string_equal(l.files.items[0].path, s->cert);
	assert_string_equal(l.files.items[1].path, s->key);
	unload(&l);
	l = load_text("{\"http\":{}}", NULL);
	assert_loaded(&l);
	assert_null(l.config->http.tls);
	unload(&l);
}

static void test_texts_may_come_from_variables(void **state)
{
	struct scene *s = *state;
	char cert[4096], key[4096];
	const char *variables[] = { cert, key, NULL };

	snprintf(cert, sizeof(cert), "CERT=%s", s->one.pem);
	snprintf(key, sizeof(key), "KEY=%s", s->one.key);
	struct loaded l = load_text("{\"http\":{\"tls\":{\"cert\":\"${CERT}\",\"key\":\"${KEY}\"}}}", variables);
	assert_loaded(&l);
	assert_non_null(l.config->http.tls);
	unload(&l);
}

static void expect_fault(struct loaded l, const char *sentence)
{
	assert_null(l.config);
	if (strstr(messages_of(&l), sentence) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", messages_of(&l), sentence);
	assert_int_equal(l.messages.count[CONFIG_ERROR], 1);
	unload(&l);
}

static void test_faults_stand_at_the_key_and_name_the_file(void **state)
{
	struct scene *s = *state;
	char missing[80], wanted[256];

	snprintf(missing, sizeof(missing), "%s/none", s->folder);
	snprintf(wanted, sizeof(wanted), "http.tls: %s: No such file", missing);
	expect_fault(load_pair(missing, s->key), wanted);
	put_file(s->cert, s->two.pem);
	snprintf(wanted, sizeof(wanted), "http.tls: %s: the key does not belong to the certificate in %s", s->key,
	        s->cert);
	expect_fault(load_pair(s->cert, s->key), wanted);
	expect_fault(load_text("{\"http\":{\"tls\":{}}}", NULL), "http.tls: a server needs a certificate and its key");
	expect_fault(
	        load_text("{\"http\":{\"tls\":{\"cert\":1,\"key\":\"x\"}}}", NULL), "http.tls.cert: must be a string");
	expect_fault(load_text("{\"http\":{\"tls\":true}}", NULL), "http.tls: must be an object");
}

static void test_an_expired_certificate_is_a_warning(void **state)
{
	struct scene *s = *state;

	put_file(s->cert, s->two.pem);
	put_file(s->key, s->two.key);
	struct loaded l = load_pair(s->cert, s->key);
	assert_loaded(&l);
	assert_int_equal(l.messages.count[CONFIG_WARNING], 2); /* and there is no server */
	assert_non_null(strstr(messages_of(&l), "the certificate has expired on"));
	unload(&l);
}

static void expect_diff(struct loaded *a, struct loaded *b, bool tls, const char *restart)
{
	struct config_diff d;

	assert_loaded(a);
	assert_loaded(b);
	config_diff(a->config, a->config, b->config, &d);
	assert_int_equal(d.tls, tls);
	assert_int_equal(config_diff_is_live(&d), tls);
	assert_span_is(buf_span(&d.restart), span_of(restart));
	config_diff_free(&d);
}

static void test_what_is_in_the_files_is_what_counts(void **state)
{
	struct scene *s = *state;
	struct loaded none = load_text("{}", NULL), a = load_pair(s->cert, s->key), b = load_pair(s->other, s->key);

	put_file(s->cert, s->two.pem);
	put_file(s->key, s->two.key);
	struct loaded c = load_pair(s->cert, s->key);
	expect_diff(&a, &a, false, "");
	expect_diff(&a, &b, false, "");
	expect_diff(&a, &c, true, "");
	expect_diff(&none, &none, false, "");
	expect_diff(&none, &a, false, "http.tls");
	expect_diff(&a, &none, false, "http.tls");
	unload(&none);
	unload(&a);
	unload(&b);
	unload(&c);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_pair_of_files_makes_a_context_and_both_are_remembered),
		TEST(test_texts_may_come_from_variables),
		TEST(test_faults_stand_at_the_key_and_name_the_file),
		TEST(test_an_expired_certificate_is_a_warning),
		TEST(test_what_is_in_the_files_is_what_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
