#include "cli/last_words.h"

#include <fcntl.h>
#include <unistd.h>

#include "json/write.h"

#define DEFAULT_FILE "/dev/termination-log"

int last_words_open(const char *path)
{
	return open(path != NULL ? path : DEFAULT_FILE, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static void write_file(int file, const struct log_field *fields, size_t n)
{
	struct buf text = { 0 };
	struct json_writer w = json_writer(&text);

	json_open(&w, '{');
	for (size_t i = 0; i < n; i++) {
		if (fields[i].type == FIELD_TEXT)
			json_member_text(&w, fields[i].key, fields[i].text);
		else if (fields[i].type == FIELD_BOOL)
			json_member_bool(&w, fields[i].key, fields[i].number != 0);
		else
			json_member_int(&w, fields[i].key, fields[i].number);
	}
	json_close(&w, '}');
	buf_add_char(&text, '\n');
	(void)!ftruncate(file, 0);
	(void)!write(file, buf_span(&text).p, buf_size(&text));
	buf_free(&text);
}

void last_words_say(const struct last_words *w, const struct logger *lg, int file)
{
	const struct log_field fields[] = {
		F_STR("reason", w->reason),
		F_MS("elapsed_ms", w->elapsed_ms),
		F_MS("budget_ms", w->budget_ms),
		F_INT("completed", w->completed),
		F_INT("aborted", w->aborted),
		F_INT("refused", w->refused),
		F_INT("late_connections", w->late_connections),
		F_INT("backends_stopped", w->backends_stopped),
		F_INT("backends_killed", w->backends_killed),
		F_INT("orphans_reaped", w->orphans_reaped),
		F_BOOL("forced", w->forced),
		F_INT("exit_code", w->exit_code),
		F_INT("log_lines_dropped", log_dropped(lg->log)),
		F_STR("error", w->error),
	};
	size_t n = sizeof(fields) / sizeof(fields[0]) - (w->error == NULL);

	log_last_words(lg->log);
	log_write(lg, LOG_INFO, "shutdown_complete", w->error == NULL ? "stopped" : "not started", fields, n);
	if (file >= 0)
		write_file(file, fields, n);
}
