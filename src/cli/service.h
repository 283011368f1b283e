/*
 * What the service manager (systemd) hears from `serve`: when the start is over (READY=1), a reload begins and ends,
 * the stop begins (STOPPING=1), how long each may take (EXTEND_TIMEOUT_USEC), a line for `systemctl status` (STATUS),
 * and signs of life for its watchdog. See sd_notify(3); loop/notify.h has the socket.
 *
 * NULL for a manager that does not want to know: then nothing of this costs anything.
 */
#ifndef SLUICE_CLI_SERVICE_H
#define SLUICE_CLI_SERVICE_H

#include "gateway/lifecycle.h"
#include "loop/loop.h"
#include "supervise/backstop.h"

struct service;

/* What it says in our environment about itself. */
struct service_manager {
	const char *notify_socket;
	msec_t watchdog_ms; /* 0: it has no watchdog for us */
};

/* Reads the variables and takes them out of the process's environment: they are meant for us, and for no child. */
struct service_manager service_manager_find(const char *const *environment);

struct service_conf {
	struct loop *loop;
	struct gateway *gw;
	struct lifecycle *lifecycle;
	const struct backstop *backstop;
	struct logger log;
	msec_t start_limit_ms; /* how long the start may take */
};

struct service *service_new(const struct service_manager *m, const struct service_conf *conf);

/* The lifecycle's phase may be another now. */
void service_phase_changed(struct service *s);

/* A reading of the configuration begins, and has ended, well or not. */
void service_reloading(struct service *s);
void service_reloaded(struct service *s);

#endif
