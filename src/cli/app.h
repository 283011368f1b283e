/*
 * The parts of the program put together: configuration, log, loop, supervisor, gateway and its backends. What `serve`
 * does with fronts and signals, and `list` and `call` as one-shot clients, stands on this.
 */
#ifndef SLUICE_CLI_APP_H
#define SLUICE_CLI_APP_H

#include "backend/http_site.h"
#include "config/config.h"
#include "gateway/gateway.h"
#include "loop/loop.h"
#include "loop/resolve.h"
#include "supervise/child.h"

struct app {
	struct config *config;     /* of the start: what only a restart changes stays as it is in there */
	struct config *live;       /* the one that was applied last, or the same */
	struct config_files files; /* that the first one was made from */
	struct log *log;
	struct watch *log_watch; /* the log's reader takes bytes again */
	struct loop *loop;
	struct supervisor *supervisor;
	struct resolver *resolver;
	struct http_sites sites;
	struct key_ring *keys;
	struct gateway *gateway;
	void (*signal)(void *arg, int signo, int pid); /* all but SIGCHLD */
	void *signal_arg;
	struct err fault; /* why it could not be opened: the first reason */
};

/*
 * Loads the configuration and makes everything but the backends' processes; faults are logged. `signal` hears SIGTERM,
 * SIGINT, SIGQUIT and SIGHUP. Returns 0 or the exit code.
 */
int app_open(
        struct app *app, const struct config_sources *from, void (*signal)(void *arg, int signo, int pid), void *arg);

/* The same with a configuration that the caller has loaded, which is taken over. */
int app_open_loaded(struct app *app, struct config **config, void (*signal)(void *arg, int signo, int pid), void *arg);

/* For a reload: what it brings, piece by piece, and at last the configuration itself, which is taken over. */
void app_log_messages(const struct app *app, const struct config_messages *messages);
void app_set_log_levels(struct app *app, const struct config *config);
void app_set_servers(struct app *app, const struct config *config, struct reload_counts *counts);
void app_put_config(struct app *app, struct config *config);

/* A logger of that module. */
struct logger app_logger(const struct app *app, const char *module);

/* Writes what the log still holds, at most until `deadline`. */
void app_flush(struct app *app, mono_t deadline);

/* Writes the log, at most until `deadline`, and leaves the process. The only way out: pump threads are not joined. */
_Noreturn void app_exit(struct app *app, int code, mono_t deadline);

#endif
