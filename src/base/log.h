/*
 * The log: one line per event on stderr, as text or JSON, never blocking. A line that does not fit into the ring is
 * dropped and counted; a `log_dropped` line tells how many. The logger belongs to the object that speaks: it carries
 * the module and the object's name, so that no call repeats them.
 *
 * Levels: error = a person must act; warn = we coped; info = a state changed; debug = a decision; trace = single calls.
 * `event` is snake_case and stable, `msg` a sentence without the values, which follow as fields.
 *
 *	log_info(&b->log, "backend_ready", "the server answers", F_INT("tools", n), F_MS("took_ms", took));
 */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
	const char *key;
	enum { FIELD_TEXT, FIELD_INT, FIELD_BOOL, FIELD_JSON } type;
	struct span text;
	int64_t number;
};

#define F_SPAN(key, s) ((struct log_field){ (key), FIELD_TEXT, (s), 0 })
#define F_STR(key, s) F_SPAN(key, span_of(s))
#define F_INT(key, n) ((struct log_field){ (key), FIELD_INT, { NULL, 0 }, (int64_t)(n) })
#define F_MS(key, n) F_INT(key, n)
#define F_BOOL(key, b) ((struct log_field){ (key), FIELD_BOOL, { NULL, 0 }, (b) })
#define F_JSON(key, s) ((struct log_field){ (key), FIELD_JSON, (s), 0 }) /* a JSON value, put in as it is */
#define F_ERR(e) F_STR("error", (e)->text)

struct log; /* used by one thread */

struct logger {
	struct log *log;        /* NULL: silent, as in unit tests and the simulator */
	const char *module;     /* "backend", "http", ...: what `module=level` names */
	struct log_field about; /* the object: F_STR("backend", name); key NULL: none */
};

/*
 * Opens the log on `fd`, in the cheapest way of writing that can never block there (recipes: RWF_NOWAIT for pipes and
 * sockets, a description of its own for a terminal, plain writes for a file). The descriptor's flags stay as they are.
 */
struct log *log_open(int fd, enum log_format format);
void log_close(struct log **lp); /* what is still waiting is lost: see log_finish */

/* "info", or "warn,backend=debug,http=trace"; false and a sentence for anything else. */
bool log_set_levels(struct log *log, struct span spec, struct err *e);
void log_set_format(struct log *log, enum log_format format);

/* Names and back; -1 for an unknown one. */
int log_level_parse(struct span name);
const char *log_level_name(enum log_level level);

bool log_on(const struct logger *lg, enum log_level level);
void log_write(const struct logger *lg, enum log_level level, const char *event, const char *msg,
        const struct log_field *fields, size_t n);

/*
 * A descriptor that is readable when it is worth calling log_flush: an epoll set, -1 if there is no such thing (then
 * nothing ever waits for long). The log's own: watch a dup of it.
 */
int log_wait_fd(const struct log *log);
bool log_flush(struct log *log); /* true when nothing is left */

/*
 * From another thread, when the owner of the log hangs: one line past all that waits, if it can be written now. Takes
 * no lock and no memory, which the owner may hold.
 */
struct log_line;
void log_write_past(const struct log *log, const struct log_line *line);

/*
 * From now on lines may use the room that is kept for the end: the one that tells how the process ended fits in, and
 * before it how many were dropped.
 */
void log_last_words(struct log *log);

/* Writes what is left, waiting at most until `deadline` for a reader that has stalled. For the end of the process. */
void log_finish(struct log *log, mono_t deadline);

/* Lines dropped since the start. */
uint64_t log_dropped(const struct log *log);

#define LOG_AT(lg, level, event, msg, ...)                                               \
	do {                                                                             \
		if (log_on((lg), (level))) {                                             \
			const struct log_field log_fields_[] = { { 0 }, ##__VA_ARGS__ }; \
			log_write((lg), (level), (event), (msg), log_fields_ + 1,        \
			        sizeof(log_fields_) / sizeof(log_fields_[0]) - 1);       \
		}                                                                        \
	} while (0)

#define log_error(lg, ...) LOG_AT(lg, LOG_ERROR, __VA_ARGS__)
#define log_warn(lg, ...) LOG_AT(lg, LOG_WARN, __VA_ARGS__)
#define log_info(lg, ...) LOG_AT(lg, LOG_INFO, __VA_ARGS__)
#define log_debug(lg, ...) LOG_AT(lg, LOG_DEBUG, __VA_ARGS__)
#define log_trace(lg, ...) LOG_AT(lg, LOG_TRACE, __VA_ARGS__)

#endif
