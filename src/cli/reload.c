#include "cli/reload.h"

#include <assert.h>

#include "base/mem.h"
#include "config/diff.h"
#include "loop/file_watch.h"
#include "loop/work.h"

#define READINGS_MAX 5 /* while the files change under them */

struct reload {
	struct app *app;
	struct reload_parts parts;
	struct logger log;
	struct file_watch *watch; /* NULL: there is nothing to watch, or it cannot be */
	struct buf told;          /* the keys that wait for a restart, as last told */
	struct err watch_fault;   /* as last told */
	bool busy;                /* the thread is reading; what it reads into is not to be touched */
	bool again;               /* there was a reason to read once more meanwhile */
	bool asked;               /* by a signal, and not yet answered */
	bool missed;              /* ignored one, because we drain */
	/* what the thread reads from, and into */
	struct config_sources from;
	struct config *next;
	struct config_messages messages;
	struct config_files files;
	bool settled; /* the files did not change while they were read */
	mono_t began;
};

static bool is_draining(const struct reload *r)
{
	enum phase phase = lifecycle_phase(r->parts.lifecycle);

	return phase != PHASE_STARTING && phase != PHASE_READY;
}

static void ignore(struct reload *r)
{
	r->missed = true;
	r->asked = false;
	log_info(&r->log, "reload_ignored", "no new configuration is applied while the gateway drains");
	service_reloaded(r->parts.service);
}

/* ---- in the thread ---- */

static void forget(struct reload *r)
{
	config_free(&r->next);
	config_messages_free(&r->messages);
	config_files_free(&r->files);
}

static void read_all(void *arg)
{
	struct reload *r = arg;

	for (int i = 0; i < READINGS_MAX && !r->settled; i++) {
		forget(r);
		r->next = config_load(&r->from, &r->messages, &r->files);
		r->settled = config_files_are_fresh(&r->files);
	}
}

/* ---- the files ---- */

static void look(struct reload *r);

static void on_look(void *arg)
{
	look(arg);
}

static bool set_watch(struct reload *r, const struct config_files *files, struct err *e)
{
	const char *paths[CONFIG_FILES_MAX];

	if (r->watch == NULL && files->count > 0)
		r->watch = file_watch_new(r->app->loop, on_look, r, e);
	if (r->watch == NULL)
		return files->count == 0;
	for (size_t i = 0; i < files->count; i++)
		paths[i] = files->items[i].path;
	return file_watch_set(r->watch, paths, files->count, e);
}

/* Links may lead elsewhere now, and other files may be named. What changed before we watched is looked at, too. */
static void watch_files(struct reload *r, const struct config_files *files)
{
	struct err fault = { 0 };

	if (!set_watch(r, files, &fault) && strcmp(fault.text, r->watch_fault.text) != 0)
		log_warn(&r->log, "config_not_watched", "a change of this file is noticed with SIGHUP only",
		        F_ERR(&fault));
	r->watch_fault = fault;
	if (r->watch != NULL && !config_files_are_fresh(files))
		file_watch_poke(r->watch);
}

/* ---- what comes of it ---- */

static void finish(struct reload *r, enum reload_result result)
{
	gateway_count_reload(r->app->gateway, result);
	r->asked = false;
	service_reloaded(r->parts.service);
}

static void refuse(struct reload *r, const char *why)
{
	log_error(&r->log, "reload_failed", "the configuration in force is kept", F_STR("why", why),
	        F_INT("errors", r->messages.count[CONFIG_ERROR]));
	finish(r, RELOAD_REFUSED);
}

static void tell_restart(struct reload *r, const struct config_diff *diff)
{
	struct span keys = buf_span(&diff->restart);

	if (keys.n > 0 && (r->asked || !span_eq(keys, buf_span(&r->told))))
		log_warn(&r->log, "reload_needs_restart", "these keys are applied by a restart only",
		        F_SPAN("keys", keys));
	buf_reset(&r->told);
	buf_add(&r->told, keys);
}

static void apply_keys(struct reload *r, const struct config_session *session)
{
	struct err e;
	bool fine = key_ring_set(r->app->keys, session->keys, session->key_count, &e);

	assert(fine); /* checked with the configuration */
	gateway_keys_changed(r->app->gateway);
}

static void apply_lifecycle(struct reload *r, const struct config *next)
{
	msec_t eof_ms, term_ms;

	config_longest_stop(next, &eof_ms, &term_ms);
	lifecycle_reconfigure(r->parts.lifecycle, &next->lifecycle, eof_ms, term_ms);
	backstop_limit(r->parts.backstop, budget_backstop_ms(&next->lifecycle));
}

static void apply(struct reload *r, const struct config_diff *diff)
{
	struct reload_counts counts = { 0 };
	struct config *next = r->next;

	r->next = NULL;
	app_log_messages(r->app, &r->messages);
	if (diff->log_level)
		app_set_log_levels(r->app, next);
	if (diff->session_keys)
		apply_keys(r, &next->session);
	if (diff->tls)
		http_front_renew_tls(r->parts.http, next->http.tls);
	if (diff->servers || diff->lifecycle) {
		apply_lifecycle(r, next);
		app_set_servers(r->app, next, &counts);
	}
	app_put_config(r->app, next);
	log_info(&r->log, "reloaded", "a new configuration is in force", F_INT("added", counts.added),
	        F_INT("removed", counts.removed), F_INT("changed", counts.changed), F_INT("replaced", counts.replaced),
	        F_INT("unchanged", counts.unchanged), F_BOOL("session_keys", diff->session_keys),
	        F_BOOL("lifecycle", diff->lifecycle), F_BOOL("log_level", diff->log_level), F_BOOL("tls", diff->tls),
	        F_MS("ms", mono_diff(clock_mono(), r->began)));
	finish(r, RELOAD_APPLIED);
}

static void leave_as_it_is(struct reload *r)
{
	if (r->asked)
		log_info(&r->log, "reload_unchanged", "the configuration says nothing new that can be applied");
	finish(r, RELOAD_UNCHANGED);
}

static void take_next(struct reload *r)
{
	struct config_diff diff;

	config_diff(r->app->config, r->app->live, r->next, &diff);
	tell_restart(r, &diff);
	if (config_diff_is_live(&diff))
		apply(r, &diff);
	else
		leave_as_it_is(r);
	config_diff_free(&diff);
}

static void on_read(void *arg)
{
	struct reload *r = arg;

	r->busy = false;
	if (is_draining(r)) {
		ignore(r);
	} else if (!r->settled) {
		refuse(r, "its files change while they are read");
	} else if (r->next == NULL) {
		app_log_messages(r->app, &r->messages);
		refuse(r, "it has errors");
	} else {
		take_next(r);
	}
	watch_files(r, &r->files);
	forget(r);
	if (r->again)
		look(r);
}

static void look(struct reload *r)
{
	struct err e;

	if (is_draining(r)) {
		service_reloading(r->parts.service);
		ignore(r);
		return;
	}
	r->again = r->busy;
	if (r->busy)
		return;
	service_reloading(r->parts.service);
	r->busy = true;
	r->settled = false;
	r->began = loop_now(r->app->loop);
	if (work_start(r->app->loop, read_all, on_read, r, &e))
		return;
	r->busy = false;
	refuse(r, e.text);
}

void reload_ask(struct reload *r)
{
	r->asked = true;
	look(r);
}

void reload_resume(struct reload *r)
{
	if (r->missed)
		look(r);
	r->missed = false;
}

struct reload *reload_new(struct app *app, const struct config_sources *from, const struct reload_parts *parts)
{
	struct reload *r = NEW(struct reload);

	*r = (struct reload){ .app = app, .parts = *parts, .log = app_logger(app, "config"), .from = *from };
	watch_files(r, &app->files);
	config_files_free(&app->files);
	return r;
}
