#include "unit.h"

#include "certs.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(BIO *bio)
{
	char *at = NULL;
	size_t n = (size_t)BIO_get_mem_data(bio, &at);
	char *text = calloc(1, n + 1);

	memcpy(text, at, n);
	BIO_free(bio);
	return text;
}

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert_non_null(extension);
	X509_add_ext(x, extension, -1);
	X509_EXTENSION_free(extension);
}

void cert_make(struct cert *c, const char *names, const struct cert *issuer, int from_days, int to_days)
{
	long serial = 0;

	c->private_key = EVP_EC_gen("P-256");
	c->x = X509_new();
	assert_int_equal(RAND_bytes((unsigned char *)&serial, 4), 1);
	X509_set_version(c->x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c->x), serial);
	X509_gmtime_adj(X509_getm_notBefore(c->x), from_days * 86400L - 3600);
	X509_gmtime_adj(X509_getm_notAfter(c->x), to_days * 86400L);
	X509_set_pubkey(c->x, c->private_key);
	X509_NAME *name = X509_get_subject_name(c->x);
	X509_NAME_add_entry_by_txt(
	        name, "CN", MBSTRING_ASC, (const unsigned char *)(names == NULL ? "test CA" : "test"), -1, -1, 0);
	X509 *by = issuer != NULL ? issuer->x : c->x;
	X509_set_issuer_name(c->x, X509_get_subject_name(by));
	add_extension(c->x, by, NID_basic_constraints, names == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(c->x, by, NID_subject_key_identifier, "hash");
	if (names != NULL)
		add_extension(c->x, by, NID_subject_alt_name, names);
	assert_true(X509_sign(c->x, issuer != NULL ? issuer->private_key : c->private_key, EVP_sha256()) > 0);
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, c->x);
	c->pem = text_of(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PKCS8PrivateKey(bio, c->private_key, NULL, NULL, 0, NULL, NULL);
	c->key = text_of(bio);
}

char *cert_encrypted_key(const struct cert *c)
{
	static char passphrase[] = "secret";
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_PKCS8PrivateKey(
	        bio, c->private_key, EVP_aes_128_cbc(), passphrase, (int)strlen(passphrase), NULL, NULL);
	return text_of(bio);
}

void cert_clear(struct cert *c)
{
	X509_free(c->x);
	EVP_PKEY_free(c->private_key);
	free(c->pem);
	free(c->key);
	*c = (struct cert){ 0 };
}
