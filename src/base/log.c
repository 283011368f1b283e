#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log_line.h"
#include "base/mem.h"

#define WAITING_MAX (256 * 1024)
#define LAST_WORDS LOG_LINE_MAX /* of it */
#define MODULES_MAX 16
#define MODULE_NAME_MAX 16
#define STALL_POLL_MS 20

/* How to write without blocking, and without touching flags that other processes share with us. */
enum way {
	WAY_UNKNOWN, /* before the first line */
	WAY_NOWAIT,  /* RWF_NOWAIT: pipes, sockets, /dev/null */
	WAY_PLAIN,   /* a regular file, or a description of our own with O_NONBLOCK: terminals, pipes of old kernels */
	WAY_POLL,    /* ask first, and write no more than a pipe takes then: may block when another writer is quicker */
};

struct levels {
	enum log_level usual;
	enum log_level most; /* of all: below it nothing need be looked up */
	size_t count;
	struct {
		char name[MODULE_NAME_MAX];
		enum log_level level;
	} modules[MODULES_MAX];
};

struct log {
	int fd, reopened; /* reopened: our own description of what `fd` is, or -1 */
	int wait_fd;      /* an epoll set that holds the descriptor while lines wait */
	bool waited_for;
	_Atomic enum way way; /* log_write_past reads it in another thread; `reopened` is set before it */
	enum log_format format;
	struct levels levels;
	struct buf waiting; /* whole lines, but for the first, which may be half written */
	size_t room;        /* for `waiting` */
	uint64_t dropped, untold;
};

/* Levels */

static const char *const level_names[] = { "error", "warn", "info", "debug", "trace" };

int log_level_parse(struct span name)
{
	for (int level = LOG_ERROR; level <= LOG_TRACE; level++)
		if (span_eq(name, span_of(level_names[level])))
			return level;
	return -1;
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

static bool parse_level(struct span name, enum log_level *level, struct err *e)
{
	int found = log_level_parse(name);

	if (found < 0)
		return err_set(e, "\"%.*s\" is not a log level: error, warn, info, debug or trace", SPAN_ARG(name));
	*level = (enum log_level)found;
	return true;
}

static bool parse_module(struct levels *levels, struct span name, struct span level, struct err *e)
{
	if (name.n == 0 || name.n >= MODULE_NAME_MAX)
		return err_set(e, "\"%.*s\" is not the name of a module", SPAN_ARG(name));
	if (levels->count == MODULES_MAX)
		return err_set(e, "more than %d modules with a log level", MODULES_MAX);
	if (!parse_level(level, &levels->modules[levels->count].level, e))
		return false;
	memcpy(levels->modules[levels->count++].name, name.p, name.n);
	return true;
}

static void find_most(struct levels *levels)
{
	levels->most = levels->usual;
	for (size_t i = 0; i < levels->count; i++)
		if (levels->modules[i].level > levels->most)
			levels->most = levels->modules[i].level;
}

bool log_set_levels(struct log *log, struct span spec, struct err *e)
{
	struct levels levels = { .usual = LOG_INFO };
	struct span rest = spec, part;

	while (span_next(&rest, ',', &part)) {
		part = span_trim(part);
		size_t equals = span_find(part, '=');
		bool fine = equals == part.n
		                    ? parse_level(part, &levels.usual, e)
		                    : parse_module(&levels, span_cut(part, equals), span_skip(part, equals + 1), e);
		if (!fine)
			return false;
	}
	find_most(&levels);
	log->levels = levels;
	return true;
}

bool log_on(const struct logger *lg, enum log_level level)
{
	if (lg->log == NULL || level > lg->log->levels.most)
		return false;
	const struct levels *levels = &lg->log->levels;
	for (size_t i = 0; lg->module != NULL && i < levels->count; i++)
		if (strcmp(levels->modules[i].name, lg->module) == 0)
			return level <= levels->modules[i].level;
	return level <= levels->usual;
}

/* Writing */

static int out_fd(const struct log *log)
{
	return log->reopened >= 0 ? log->reopened : log->fd;
}

static ssize_t write_nowait(const struct log *log, struct span s)
{
	const struct iovec piece = { .iov_base = (void *)(uintptr_t)s.p, .iov_len = s.n };

	return pwritev2(log->fd, &piece, 1, -1, RWF_NOWAIT);
}

static ssize_t write_polled(const struct log *log, struct span s)
{
	struct pollfd p = { .fd = log->fd, .events = POLLOUT };

	if (poll(&p, 1, 0) == 1)
		return write(log->fd, s.p, s.n);
	errno = EAGAIN;
	return -1;
}

/*
 * Terminals, and pipes of old kernels, refuse RWF_NOWAIT. Through /proc/self/fd these can be opened anew, with flags
 * that nobody shares; not so sockets (ENXIO) and what belongs to another user (EACCES).
 */
static enum way find_other_way(struct log *log)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", log->fd);
	log->reopened = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return log->reopened >= 0 ? WAY_PLAIN : WAY_POLL;
}

static ssize_t try_nowait(struct log *log, struct span s)
{
	ssize_t n = write_nowait(log, s);

	if (n >= 0 || errno == EAGAIN)
		log->way = WAY_NOWAIT;
	else if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL || errno == EPERM)
		log->way = find_other_way(log);
	return n;
}

static ssize_t write_now(const struct log *log, struct span s)
{
	switch ((enum way)log->way) {
	case WAY_PLAIN:
		return write(out_fd(log), s.p, s.n);
	case WAY_POLL:
		return write_polled(log, s);
	default:
		return write_nowait(log, s);
	}
}

static ssize_t write_some(struct log *log, struct span s)
{
	if (log->way == WAY_UNKNOWN) {
		ssize_t n = try_nowait(log, s);
		if (log->way == WAY_NOWAIT || log->way == WAY_UNKNOWN)
			return n;
	}
	return write_now(log, s);
}

/* As many whole lines as a pipe takes in one piece. */
static struct span next_chunk(const struct log *log)
{
	struct span all = buf_span(&log->waiting);
	struct span chunk = span_cut(all, LOG_LINE_MAX);

	while (chunk.n < all.n && chunk.p[chunk.n - 1] != '\n')
		chunk.n--;
	return chunk;
}

static uint64_t count_lines(struct span s)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < s.n; i++)
		lines += s.p[i] == '\n';
	return lines;
}

/* False when nothing more can be written now. A reader that is gone, or a full disk, loses the lines and no time. */
static bool write_chunk(struct log *log)
{
	struct span chunk = next_chunk(log);
	ssize_t n = write_some(log, chunk);

	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0) {
		log->dropped += count_lines(chunk);
		n = (ssize_t)chunk.n;
	}
	buf_take(&log->waiting, (size_t)n);
	return true;
}

static void put_line(struct log *log, const struct log_line *line)
{
	char text[LOG_LINE_MAX];
	size_t n = log_line_format(text, log->format, line);

	if (buf_size(&log->waiting) + n > log->room) {
		log->dropped++;
		log->untold++;
		return;
	}
	buf_add(&log->waiting, (struct span){ text, n });
}

static void put_notice(struct log *log)
{
	const struct log_field fields[] = { F_INT("lines", log->untold) };
	log->untold = 0;
	put_line(log, &(struct log_line){ .wall_ms = clock_wall_ms(),
	                      .level = LOG_WARN,
	                      .event = "log_dropped",
	                      .msg = "log lines were lost because nobody read them in time",
	                      .fields = fields,
	                      .n = 1 });
}

static void tell_dropped(struct log *log)
{
	if (log->untold > 0 && buf_size(&log->waiting) + 2 * LOG_LINE_MAX <= log->room)
		put_notice(log);
}

/* Out of the set when nothing waits: a pipe without a reader would make it readable for ever. */
static void update_wait(struct log *log)
{
	bool wanted = buf_size(&log->waiting) > 0;
	struct epoll_event ev = { .events = EPOLLOUT };

	if (log->wait_fd < 0 || wanted == log->waited_for)
		return;
	log->waited_for = wanted;
	epoll_ctl(log->wait_fd, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, out_fd(log), &ev);
}

bool log_flush(struct log *log)
{
	while (buf_size(&log->waiting) > 0 && write_chunk(log))
		tell_dropped(log);
	update_wait(log);
	return buf_size(&log->waiting) == 0;
}

void log_write(const struct logger *lg, enum log_level level, const char *event, const char *msg,
        const struct log_field *fields, size_t n)
{
	if (lg->log == NULL)
		return;
	tell_dropped(lg->log);
	put_line(lg->log, &(struct log_line){ .wall_ms = clock_wall_ms(),
	                          .level = level,
	                          .event = event,
	                          .msg = msg,
	                          .module = lg->module,
	                          .about = &lg->about,
	                          .fields = fields,
	                          .n = n });
	log_flush(lg->log);
}

void log_write_past(const struct log *log, const struct log_line *line)
{
	char text[LOG_LINE_MAX];

	if (log != NULL)
		(void)!write_now(log, (struct span){ text, log_line_format(text, log->format, line) });
}

/* The log */

/* Never RWF_NOWAIT for a file: where that is understood it fails for a page that is not there yet, with no event. */
static enum way first_way(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? WAY_PLAIN : WAY_UNKNOWN;
}

/* Files and /dev/null cannot be in an epoll set, and need not: they never make us wait. */
static int open_wait_fd(int fd)
{
	AUTO_FD int set = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLOUT };

	if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &ev) != 0)
		return -1;
	epoll_ctl(set, EPOLL_CTL_DEL, fd, &ev);
	return fd_take(&set);
}

struct log *log_open(int fd, enum log_format format)
{
	struct log *log = NEW(struct log);

	*log = (struct log){ .fd = fd, .reopened = -1, .format = format, .room = WAITING_MAX - LAST_WORDS };
	log->levels = (struct levels){ .usual = LOG_INFO, .most = LOG_INFO };
	log->way = first_way(fd);
	log->wait_fd = open_wait_fd(fd);
	return log;
}

void log_close(struct log **lp)
{
	struct log *log = *lp;

	if (log == NULL)
		return;
	*lp = NULL;
	fd_close(&log->wait_fd);
	fd_close(&log->reopened);
	buf_free(&log->waiting);
	free(log);
}

void log_set_format(struct log *log, enum log_format format)
{
	log->format = format;
}

int log_wait_fd(const struct log *log)
{
	return log->wait_fd;
}

void log_last_words(struct log *log)
{
	log->room = WAITING_MAX;
	if (log->untold > 0)
		put_notice(log);
}

void log_finish(struct log *log, mono_t deadline)
{
	while (!log_flush(log)) {
		msec_t left = mono_diff(deadline, clock_mono());
		if (left <= 0)
			return;
		struct pollfd p = { .fd = out_fd(log), .events = POLLOUT };
		poll(&p, 1, left < STALL_POLL_MS ? (int)left : STALL_POLL_MS);
	}
}

uint64_t log_dropped(const struct log *log)
{
	return log->dropped;
}
