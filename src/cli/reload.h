/*
 * The reload of `serve`: on SIGHUP, or when a file of the configuration has changed, all of it is read again in a
 * thread beside the loop, compared with what is in force, and applied as far as that can be. One with errors is refused
 * and the old one kept. Nothing of it happens once the gateway drains.
 *
 * Every reload reads whole: the files must not change while they are read, or it is done again. So a mount that is
 * swapped gives the old or the new, never something of both.
 */
#ifndef SLUICE_CLI_RELOAD_H
#define SLUICE_CLI_RELOAD_H

#include "cli/app.h"
#include "cli/service.h"
#include "front/http_front.h"
#include "gateway/lifecycle.h"
#include "supervise/backstop.h"

struct reload;

/* Who has to do with a new configuration, and hears that one is read. */
struct reload_parts {
	struct lifecycle *lifecycle;
	struct backstop *backstop;
	struct http_front *http;
	struct service *service;
};

/* Watches the files from now on. `app` was opened with `from`; all live as long as the process. */
struct reload *reload_new(struct app *app, const struct config_sources *from, const struct reload_parts *parts);

/* SIGHUP. Also tells when there is nothing new. */
void reload_ask(struct reload *r);

/* The gateway does not drain any more: what was ignored meanwhile is looked at now. */
void reload_resume(struct reload *r);

#endif
