#include "backend/backend.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/cstr.h"
#include "base/mem.h"
#include "net/tls.h"

struct conf_copy {
	struct backend_conf conf; /* first */
	struct arena arena;       /* of what it points to */
};

static const char *copy_text(struct arena *a, const char *text)
{
	return text != NULL ? arena_copy(a, span_of(text)).p : NULL;
}

static const char *const *copy_texts(struct arena *a, const char *const *texts)
{
	size_t n = 0;

	if (texts == NULL)
		return NULL;
	while (texts[n] != NULL)
		n++;
	const char **copy = ARENA_ARRAY(a, const char *, n + 1);
	for (size_t i = 0; i < n; i++)
		copy[i] = copy_text(a, texts[i]);
	return copy;
}

static const struct command_preset *copy_presets(struct arena *a, const struct command_preset *presets, size_t n)
{
	struct command_preset *copy = ARENA_ARRAY(a, struct command_preset, n);

	if (presets == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		copy[i] = (struct command_preset){
			.name = copy_text(a, presets[i].name),
			.description = copy_text(a, presets[i].description),
			.args = copy_texts(a, presets[i].args),
			.schema = copy_text(a, presets[i].schema),
		};
	return copy;
}

struct backend_conf *backend_conf_copy(const struct backend_conf *conf)
{
	struct conf_copy *copy = NEW(struct conf_copy);
	struct arena *a = &copy->arena;

	copy->conf = *conf;
	copy->conf.name = copy_text(a, conf->name);
	copy->conf.include = copy_texts(a, conf->include);
	copy->conf.exclude = copy_texts(a, conf->exclude);
	copy->conf.argv = copy_texts(a, conf->argv);
	copy->conf.env = copy_texts(a, conf->env);
	copy->conf.cwd = copy_text(a, conf->cwd);
	copy->conf.url = copy_text(a, conf->url);
	copy->conf.headers = copy_texts(a, conf->headers);
	copy->conf.tls = conf->tls != NULL ? tls_context_ref(conf->tls) : NULL;
	copy->conf.tls_name = copy_text(a, conf->tls_name);
	copy->conf.http_proxy = copy_text(a, conf->http_proxy);
	copy->conf.https_proxy = copy_text(a, conf->https_proxy);
	copy->conf.proxy_spared = copy_text(a, conf->proxy_spared);
	copy->conf.roots = copy_text(a, conf->roots);
	copy->conf.help = copy_texts(a, conf->help);
	copy->conf.only = copy_texts(a, conf->only);
	copy->conf.presets = copy_presets(a, conf->presets, conf->preset_count);
	return &copy->conf;
}

void backend_conf_free(struct backend_conf **conf)
{
	struct conf_copy *copy = (struct conf_copy *)(void *)*conf;

	if (copy == NULL)
		return;
	*conf = NULL;
	tls_context_unref(&copy->conf.tls);
	arena_free(&copy->arena);
	free(copy);
}

static bool same_presets(const struct backend_conf *a, const struct backend_conf *b)
{
	if (a->presets == NULL || b->presets == NULL)
		return a->presets == b->presets;
	if (a->preset_count != b->preset_count)
		return false;
	for (size_t i = 0; i < a->preset_count; i++) {
		const struct command_preset *x = &a->presets[i], *y = &b->presets[i];
		if (!cstr_eq(x->name, y->name) || !cstr_eq(x->description, y->description) ||
		        !cstrs_eq(x->args, y->args) || !cstr_eq(x->schema, y->schema))
			return false;
	}
	return true;
}

/* What a command-line program is asked, and what its answer is taken for. */
static bool same_command(const struct backend_conf *a, const struct backend_conf *b)
{
	return cstrs_eq(a->help, b->help) && a->depth == b->depth && cstrs_eq(a->only, b->only) && same_presets(a, b);
}

static bool same_process(const struct backend_conf *a, const struct backend_conf *b)
{
	return a->kind == b->kind && same_command(a, b) && cstrs_eq(a->argv, b->argv) && cstrs_eq(a->env, b->env) &&
	       cstr_eq(a->cwd, b->cwd) && a->isolation == b->isolation && (a->roots == NULL) == (b->roots == NULL);
}

static bool same_site(const struct backend_conf *a, const struct backend_conf *b)
{
	return cstr_eq(a->url, b->url) && a->http_type == b->http_type && cstrs_eq(a->headers, b->headers) &&
	       tls_context_same(a->tls, b->tls) && cstr_eq(a->tls_name, b->tls_name) &&
	       cstr_eq(a->http_proxy, b->http_proxy) && cstr_eq(a->https_proxy, b->https_proxy) &&
	       cstr_eq(a->proxy_spared, b->proxy_spared);
}

static bool same_tuning(const struct backend_conf *a, const struct backend_conf *b)
{
	return a->startup == b->startup && a->startup_timeout_ms == b->startup_timeout_ms &&
	       a->request_timeout_ms == b->request_timeout_ms &&
	       a->max_request_timeout_ms == b->max_request_timeout_ms && a->idle == b->idle &&
	       a->idle_ms == b->idle_ms && a->min_idle_ms == b->min_idle_ms && a->max_idle_ms == b->max_idle_ms &&
	       a->stop_eof_ms == b->stop_eof_ms && a->stop_term_ms == b->stop_term_ms &&
	       a->max_processes == b->max_processes && a->max_in_flight == b->max_in_flight &&
	       a->max_message_bytes == b->max_message_bytes && a->max_depth == b->max_depth &&
	       cstr_eq(a->roots, b->roots) && cstrs_eq(a->include, b->include) && cstrs_eq(a->exclude, b->exclude);
}

enum backend_change backend_conf_compare(const struct backend_conf *a, const struct backend_conf *b)
{
	if (a->kind != b->kind || !same_process(a, b) || !same_site(a, b))
		return BACKEND_REPLACED;
	return same_tuning(a, b) ? BACKEND_SAME : BACKEND_RETUNED;
}

struct life_conf backend_life_conf(const struct backend_conf *conf)
{
	return (struct life_conf){
		.startup_timeout_ms = conf->startup_timeout_ms,
		.idle = conf->idle,
		.idle_ms = conf->idle_ms,
		.min_idle_ms = conf->min_idle_ms,
		.max_idle_ms = conf->max_idle_ms,
	};
}

enum life_event backend_stop_event(enum backend_stop how)
{
	static const enum life_event events[] = {
		[BACKEND_STOP_LADDER] = LIFE_EV_STOP,
		[BACKEND_STOP_FAST] = LIFE_EV_STOP_FAST,
		[BACKEND_STOP_KILL] = LIFE_EV_STOP_KILL,
	};

	return events[how];
}

unsigned backend_shared_capabilities(const struct backend_conf *conf)
{
	return CLIENT_SAMPLING | CLIENT_ELICITATION | CLIENT_ELICITATION_URL | (conf->roots != NULL ? CLIENT_ROOTS : 0);
}

void item_list_free(struct item_list *list)
{
	free(list->items);
	free(list->text);
	*list = (struct item_list){ 0 };
}
