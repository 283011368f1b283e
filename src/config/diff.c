#include "config/diff.h"

#include "config/keys.h"

static bool same_servers(const struct config *a, const struct config *b)
{
	if (a->server_count != b->server_count)
		return false;
	for (size_t i = 0; i < a->server_count; i++)
		if (strcmp(a->servers[i].name, b->servers[i].name) != 0 ||
		        backend_conf_compare(&a->servers[i], &b->servers[i]) != BACKEND_SAME)
			return false;
	return true;
}

static bool same_session_keys(const struct config_session *a, const struct config_session *b)
{
	if (a->key_count != b->key_count)
		return false;
	for (unsigned i = 0; i < a->key_count; i++)
		if (!span_eq(a->keys[i].id, b->keys[i].id) ||
		        memcmp(a->keys[i].secret, b->keys[i].secret, SEAL_KEY_BYTES) != 0)
			return false;
	return true;
}

static void note_live(void *arg, const struct key *key, const char *path)
{
	struct config_diff *diff = arg;

	if (!key->live)
		return;
	if (span_starts(span_of(path), SPAN("log.")))
		diff->log_level = true;
	else if (!span_starts(span_of(path), SPAN("http.tls."))) /* what is in the files is what counts */
		diff->lifecycle = true;
}

static void add_restart(struct config_diff *diff, const char *path)
{
	buf_printf(&diff->restart, "%s%s", buf_size(&diff->restart) > 0 ? ", " : "", path);
}

static void note_restart(void *arg, const struct key *key, const char *path)
{
	if (!key->live)
		add_restart(arg, path);
}

/* A port does not change its protocol while it is open. */
static void compare_tls(
        const struct config *started, const struct config *live, const struct config *next, struct config_diff *diff)
{
	if ((started->http.tls != NULL) != (next->http.tls != NULL))
		add_restart(diff, "http.tls");
	else
		diff->tls = started->http.tls != NULL && !tls_context_same(live->http.tls, next->http.tls);
}

void config_diff(const struct config *started, const struct config *live, struct config *next, struct config_diff *diff)
{
	*diff = (struct config_diff){ 0 };
	config_hand_out(&started->limits, next);
	diff->servers = !same_servers(live, next);
	diff->session_keys = !same_session_keys(&live->session, &next->session);
	keys_compare(config_keys, live, next, note_live, diff);
	keys_compare(config_keys, started, next, note_restart, diff);
	compare_tls(started, live, next, diff);
}

void config_diff_free(struct config_diff *diff)
{
	buf_free(&diff->restart);
}

bool config_diff_is_live(const struct config_diff *diff)
{
	return diff->servers || diff->session_keys || diff->lifecycle || diff->log_level || diff->tls;
}
