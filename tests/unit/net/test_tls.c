/* Contexts: what they are made from, and what is said of what is wrong with it. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "certs.h"
#include "net/tls.h"

struct scene {
	struct cert authority, server, other;
	char folder[32];
	char cert[64], key[64]; /* paths */
	char told[4096];        /* "reads PATH" and "warns SENTENCE", in their order */
	struct tls_notes notes;
};

static void add_told(struct scene *s, const char *what, const char *text)
{
	size_t n = strlen(s->told);

	snprintf(s->told + n, sizeof(s->told) - n, "%s %s\n", what, text);
}

static void on_reads(void *arg, const char *path)
{
	add_told(arg, "reads", path);
}

static void on_warns(void *arg, const char *sentence)
{
	add_told(arg, "warns", sentence);
}

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

	cert_make(&s->authority, NULL, NULL, -1, 10);
	cert_make(&s->server, "DNS:localhost", &s->authority, -1, 10);
	cert_make(&s->other, "DNS:localhost", &s->authority, -1, 10);
	snprintf(s->folder, sizeof(s->folder), "/tmp/test-tls-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	snprintf(s->cert, sizeof(s->cert), "%s/tls.crt", s->folder);
	snprintf(s->key, sizeof(s->key), "%s/tls.key", s->folder);
	put_file(s->cert, s->server.pem);
	put_file(s->key, s->server.key);
	s->notes = (struct tls_notes){ .reads = on_reads, .warns = on_warns, .arg = s };
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	unlink(s->cert);
	unlink(s->key);
	rmdir(s->folder);
	cert_clear(&s->authority);
	cert_clear(&s->server);
	cert_clear(&s->other);
	free(s);
	return 0;
}

static struct tls_context *make(struct scene *s, const char *cert, const char *key, const char *client_ca)
{
	const struct tls_server_conf conf = { .cert = cert, .key = key, .client_ca = client_ca };
	struct err e;
	struct tls_context *t = tls_server_new(&conf, &s->notes, &e);

	if (t == NULL)
		fail_msg("%s", e.text);
	return t;
}

static void expect_fault(struct scene *s, const char *cert, const char *key, const char *ca, const char *wanted)
{
	const struct tls_server_conf conf = { .cert = cert, .key = key, .client_ca = ca };
	struct err e;

	assert_null(tls_server_new(&conf, &s->notes, &e));
	if (strstr(e.text, wanted) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, wanted);
}

static void test_files_and_texts_are_the_same(void **state)
{
	struct scene *s = *state;
	struct tls_context *of_files = make(s, s->cert, s->key, NULL);
	char told[256];

	snprintf(told, sizeof(told), "reads %s\nreads %s\n", s->cert, s->key);
	assert_string_equal(s->told, told);
	struct tls_context *of_texts = make(s, s->server.pem, s->server.key, NULL);
	assert_string_equal(s->told, told);
	assert_true(tls_context_same(of_files, of_texts));
	tls_context_unref(&of_files);
	assert_null(of_files);
	tls_context_unref(&of_texts);
}

static void test_contexts_of_other_bytes_differ(void **state)
{
	struct scene *s = *state;
	struct tls_context *one = make(s, s->cert, s->key, NULL);
	struct tls_context *other = make(s, s->other.pem, s->other.key, NULL);
	struct tls_context *with_clients = make(s, s->cert, s->key, s->authority.pem);

	assert_false(tls_context_same(one, other));
	assert_false(tls_context_same(one, with_clients));
	assert_false(tls_context_same(one, NULL));
	assert_false(tls_context_same(NULL, one));
	assert_true(tls_context_same(NULL, NULL));
	tls_context_unref(&one);
	tls_context_unref(&other);
	tls_context_unref(&with_clients);
}

static void test_a_context_lives_as_long_as_somebody_holds_it(void **state)
{
	struct tls_context *t = make(*state, ((struct scene *)*state)->cert, ((struct scene *)*state)->key, NULL);
	struct tls_context *held = tls_context_ref(t);

	tls_context_unref(&t);
	assert_true(tls_context_same(held, held));
	tls_context_unref(&held);
	tls_context_unref(&held); /* nothing */
	assert_null(tls_context_ref(NULL));
}

static void test_faults_name_the_file_and_what_is_wrong(void **state)
{
	struct scene *s = *state;
	char missing[64], encrypted_path[64], wanted[256];
	char *encrypted = cert_encrypted_key(&s->server);

	snprintf(missing, sizeof(missing), "%s/none.pem", s->folder);
	expect_fault(s, missing, s->key, NULL, missing);
	expect_fault(s, missing, s->key, NULL, "No such file");
	expect_fault(s, s->cert, missing, NULL, missing);
	expect_fault(s, s->cert, s->key, missing, missing);
	expect_fault(s, s->folder, s->key, NULL, s->folder);
	snprintf(wanted, sizeof(wanted), "%s: there is no certificate in it", s->key);
	expect_fault(s, s->key, s->key, NULL, wanted);
	snprintf(wanted, sizeof(wanted), "%s: there is no private key in it", s->cert);
	expect_fault(s, s->cert, s->cert, NULL, wanted);
	snprintf(wanted, sizeof(wanted), "the text of \"key\": the key does not belong to the certificate in %s",
	        s->cert);
	expect_fault(s, s->cert, s->other.key, NULL, wanted);
	snprintf(encrypted_path, sizeof(encrypted_path), "%s/encrypted.key", s->folder);
	put_file(encrypted_path, encrypted);
	snprintf(wanted, sizeof(wanted), "%s: the key is encrypted", encrypted_path);
	expect_fault(s, s->cert, encrypted_path, NULL, wanted);
	unlink(encrypted_path);
	expect_fault(s, s->cert, NULL, NULL, "the key is missing");
	expect_fault(s, NULL, s->key, NULL, "the certificate is missing");
	expect_fault(s, NULL, NULL, NULL, "a server needs a certificate");
	free(encrypted);
}

static void test_a_broken_certificate_is_told_by_its_number(void **state)
{
	struct scene *s = *state;
	char text[8192];

	snprintf(text, sizeof(text), "%s-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n",
	        s->server.pem);
	expect_fault(s, text, s->key, NULL, "the text of \"cert\": certificate 2 in it is broken");
	snprintf(text, sizeof(text), "%s%s", s->server.pem, s->authority.pem);
	struct tls_context *t = make(s, text, s->key, NULL); /* a chain */
	tls_context_unref(&t);
}

static void test_dates_are_a_warning(void **state)
{
	struct scene *s = *state;
	struct cert old = { 0 }, young = { 0 };

	cert_make(&old, "DNS:localhost", &s->authority, -10, -1);
	cert_make(&young, "DNS:localhost", &s->authority, 2, 10);
	struct tls_context *t = make(s, old.pem, old.key, NULL);
	assert_non_null(strstr(s->told, "warns the text of \"cert\": the certificate has expired on "));
	tls_context_unref(&t);
	t = make(s, young.pem, young.key, NULL);
	assert_non_null(strstr(s->told, "the certificate is not valid before "));
	tls_context_unref(&t);
	cert_clear(&old);
	cert_clear(&young);
}

static void test_clients(void **state)
{
	struct scene *s = *state;
	struct tls_roots *roots = NULL;
	struct tls_notes notes = { .roots = &roots };
	struct err e;
	struct tls_context *t[] = {
		tls_client_new(&(struct tls_client_conf){ .ca = s->authority.pem }, NULL, &e),
		tls_client_new(
		        &(struct tls_client_conf){ .ca = s->authority.pem, .cert = s->cert, .key = s->key }, NULL, &e),
		tls_client_new(&(struct tls_client_conf){ 0 }, &notes, &e),
		tls_client_new(&(struct tls_client_conf){ 0 }, &notes, &e),
		tls_client_new(&(struct tls_client_conf){ .unverified = true }, NULL, &e),
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_non_null(t[i]);
	assert_non_null(roots); /* of the third, and the fourth has taken them too */
	assert_true(tls_context_same(t[2], t[3]));
	assert_false(tls_context_same(t[0], t[1]));
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		tls_context_unref(&t[i]);
	tls_roots_free(&roots);
	tls_roots_free(&roots);
	assert_null(tls_client_new(&(struct tls_client_conf){ .ca = s->key }, NULL, &e));
	assert_null(tls_client_new(&(struct tls_client_conf){ .cert = s->cert }, NULL, &e));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_files_and_texts_are_the_same),
		TEST(test_contexts_of_other_bytes_differ),
		TEST(test_a_context_lives_as_long_as_somebody_holds_it),
		TEST(test_faults_name_the_file_and_what_is_wrong),
		TEST(test_a_broken_certificate_is_told_by_its_number),
		TEST(test_dates_are_a_warning),
		TEST(test_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
