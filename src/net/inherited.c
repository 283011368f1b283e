#include "net/inherited.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/fd.h"

#define SOCKETS_MAX 64 /* that may be handed over; two of them could be used */

static bool is_for_us(const struct inherited_conf *conf, uint64_t *count)
{
	uint64_t pid;

	return conf->pid != NULL && conf->fds != NULL && span_to_u64(span_of(conf->pid), INT32_MAX, &pid) &&
	       (pid_t)pid == getpid() && span_to_u64(span_of(conf->fds), INT32_MAX, count);
}

static bool is_listening_tcp(int fd)
{
	int listens = 0, protocol = 0;
	socklen_t size = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP;
}

static bool take_one(struct inherited *in, int fd, struct span name, struct err *e)
{
	bool admin = span_eq(name, SPAN("admin"));
	struct inherited_socket *place = admin ? &in->admin : &in->http;
	struct address bound = { .size = sizeof(bound.any) };

	if (!is_listening_tcp(fd))
		return err_set(e, "descriptor %d (\"%.*s\"), which was handed over, is no listening TCP socket", fd,
		        SPAN_ARG(name));
	if (place->fd >= 0)
		return err_set(e, "two sockets were handed over for the %s port, and one can be served",
		        admin ? "admin" : "main");
	if (getsockname(fd, (struct sockaddr *)(void *)&bound.any, &bound.size) != 0)
		return err_sys(e, "getsockname");
	address_format(&bound, place->address);
	place->fd = fd;
	return true;
}

bool inherited_take(const struct inherited_conf *conf, struct inherited *out, struct err *e)
{
	struct span names = span_of(conf->names), name;
	uint64_t count = 0;

	*out = (struct inherited){ .http.fd = -1, .admin.fd = -1 };
	if (!is_for_us(conf, &count))
		return true;
	if (count > SOCKETS_MAX)
		return err_set(e, "LISTEN_FDS: %s descriptors are more than can be served", conf->fds);
	for (int fd = conf->first; fd < conf->first + (int)count; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
			return err_sys(e, "LISTEN_FDS: descriptor %d", fd);
	for (int fd = conf->first; fd < conf->first + (int)count; fd++) {
		if (!span_is_set(names) || !span_next(&names, ':', &name))
			name = SPAN("unknown"); /* as sd_listen_fds_with_names calls it */
		if (!take_one(out, fd, name, e))
			return false;
	}
	return true;
}

void inherited_clear(struct inherited *in)
{
	fd_close(&in->http.fd);
	fd_close(&in->admin.fd);
}
