#include "config/keys.h"

/* Which context is being made. */
struct place {
	struct reading *r;
	const struct json_node *at;
};

static void place_file(void *arg, const char *path)
{
	const struct place *place = arg;

	config_files_add(place->r->files, path);
}

static void place_warning(void *arg, const char *sentence)
{
	const struct place *place = arg;

	reading_warn(place->r, place->at, "%s", sentence);
}

struct tls_context *reading_tls_server(
        struct reading *r, const struct json_node *at, const struct tls_server_conf *conf)
{
	struct place place = { r, at };
	const struct tls_notes notes = { .reads = place_file, .warns = place_warning, .arg = &place };
	struct err e;
	struct tls_context *t = tls_server_new(conf, &notes, &e);

	if (t == NULL)
		reading_fault(r, at, "%s", e.text);
	return t;
}

struct tls_context *reading_tls_client(
        struct reading *r, const struct json_node *at, const struct tls_client_conf *conf)
{
	struct place place = { r, at };
	const struct tls_notes notes = {
		.reads = place_file, .warns = place_warning, .arg = &place, .roots = &r->roots
	};
	struct err e;
	struct tls_context *t = tls_client_new(conf, &notes, &e);

	if (t == NULL)
		reading_fault(r, at, "%s", e.text);
	return t;
}
