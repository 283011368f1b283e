#include "cli/ports.h"

#include <stdlib.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "config/environment.h"
#include "net/address.h"

#define HTTP_ADDRESS "127.0.0.1:8080" /* of the main port, when nothing else is said */

static bool is_said(const char *given)
{
	return given != NULL && given[0] != '\0' && !span_eq(span_of(given), SPAN("off"));
}

static bool is_loopback(struct span text)
{
	struct address address;
	struct err e;

	return address_parse(text, &address, &e) && address_is_loopback(&address);
}

static bool http_is_wanted(const struct ports *p)
{
	return p->options->http != NULL;
}

static bool admin_is_wanted(const struct ports *p)
{
	if (p->options->admin != NULL)
		return !span_eq(span_of(p->options->admin), SPAN("off"));
	return http_is_wanted(p);
}

/* ---- before they are there ---- */

static bool is_address(const char *option, const char *given, struct err *e)
{
	struct address address;

	return !is_said(given) || address_parse(span_of(given), &address, e) || err_wrap(e, "%s", option);
}

bool ports_are_addresses(const struct cli_options *options, struct err *e)
{
	return is_address("--http", options->http, e) && is_address("--admin", options->admin, e);
}

void ports_find(struct ports *p, const struct cli_options *options, const char *const *environment)
{
	const struct inherited_conf conf = {
		.pid = environment_get(environment, SPAN("LISTEN_PID")),
		.fds = environment_get(environment, SPAN("LISTEN_FDS")),
		.names = environment_get(environment, SPAN("LISTEN_FDNAMES")),
		.first = INHERITED_FIRST,
	};

	*p = (struct ports){ .options = options };
	(void)inherited_take(&conf, &p->inherited, &p->misfit);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/* Where it will be, when that is not the default. */
static const char *place_of(const struct inherited_socket *socket, const char *given)
{
	return socket->fd >= 0 ? socket->address : given;
}

static bool is_safe(const struct ports *p, const char *option, const char *place, struct err *e)
{
	if (!is_said(place) || p->options->insecure || is_loopback(span_of(place)))
		return true;
	return err_set(e,
	        "%s: %s can be reached from other machines, without TLS or authentication: "
	        "configure http.tls, or say --insecure if that is meant",
	        option, place);
}

bool ports_are_safe(const struct ports *p, const struct tls_context *tls, struct err *e)
{
	if (tls != NULL)
		return true;
	if (http_is_wanted(p) && !is_safe(p, "--http", place_of(&p->inherited.http, p->options->http), e))
		return false;
	return !admin_is_wanted(p) || is_safe(p, "--admin", place_of(&p->inherited.admin, p->options->admin), e);
}

/* ---- as they come to be ---- */

static struct http_front_port port_at(struct inherited_socket *socket, const char *given, const char *otherwise)
{
	const char *place = place_of(socket, given);

	return (struct http_front_port){
		.address = span_of(is_said(place) ? place : otherwise),
		.fd = fd_take(&socket->fd),
	};
}

static bool listen_main(struct ports *p, struct http_front *front, struct tls_context *tls, struct err *e)
{
	struct http_front_port port = port_at(&p->inherited.http, p->options->http, HTTP_ADDRESS);

	port.tls = tls;
	return http_front_listen(front, &port, e);
}

/* Plain for this machine, and where it is meant to be: the kubelet has no certificate to show. The default admin port
 * may be taken by another gateway on this machine; one that was asked for must work. */
static bool listen_admin(
        struct ports *p, struct http_front *front, struct tls_context *tls, const struct logger *lg, struct err *e)
{
	struct http_front_port port = port_at(&p->inherited.admin, p->options->admin, CLI_ADMIN_ADDRESS);

	port.tls = p->options->insecure || is_loopback(port.address) ? NULL : tls;
	if (http_front_listen_admin(front, &port, e))
		return true;
	if (p->options->admin != NULL || port.fd >= 0)
		return false;
	log_warn(lg, "admin_off", "going on without the admin port", F_ERR(e));
	return true;
}

/* A socket that nobody accepts from lets its clients wait for ever. */
static void close_unused(struct ports *p, const struct logger *lg)
{
	const struct inherited_socket *const sockets[] = { &p->inherited.http, &p->inherited.admin };

	for (size_t i = 0; i < 2; i++)
		if (sockets[i]->fd >= 0)
			log_warn(lg, "socket_unused", "a socket was handed over and is not to be served",
			        F_STR("address", sockets[i]->address), F_STR("needs", i == 0 ? "--http" : "--admin"));
	inherited_clear(&p->inherited);
}

bool ports_listen(
        struct ports *p, struct http_front *front, struct tls_context *tls, const struct logger *lg, struct err *e)
{
	if (admin_is_wanted(p) && !listen_admin(p, front, tls, lg, e))
		return false;
	if (http_is_wanted(p) && !listen_main(p, front, tls, e))
		return false;
	close_unused(p, lg);
	return true;
}
