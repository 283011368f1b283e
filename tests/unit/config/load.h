/* Loads configurations without the real environment. */
#ifndef SLUICE_TESTS_CONFIG_LOAD_H
#define SLUICE_TESTS_CONFIG_LOAD_H

#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"

struct loaded {
	struct config *config; /* NULL: it has errors */
	struct config_messages messages;
	struct config_files files;
	struct buf text; /* the messages, a line each, NUL-terminated */
};

static inline struct loaded load_from(const struct config_sources *from)
{
	struct loaded l = { 0 };

	l.config = config_load(from, &l.messages, &l.files);
	for (const struct config_message *m = l.messages.first; m != NULL; m = m->next) {
		config_message_print(m, &l.text);
		buf_add_char(&l.text, '\n');
	}
	buf_add_char(&l.text, '\0');
	return l;
}

/* JSON text, with up to eight variables ("NAME=value", NULL-terminated, may be NULL) in the environment. */
static inline struct loaded load_text(const char *json, const char *const *variables)
{
	const char *environment[10] = { NULL };
	size_t n = 0;
	struct buf inline_json = { 0 };

	buf_printf(&inline_json, "MCP_SERVERS_CONFIG=%s", json);
	buf_add_char(&inline_json, '\0');
	environment[n++] = buf_span(&inline_json).p;
	while (variables != NULL && variables[n - 1] != NULL && n < 9) {
		environment[n] = variables[n - 1];
		n++;
	}
	struct loaded l = load_from(&(struct config_sources){ .environment = environment });
	buf_free(&inline_json);
	return l;
}

static inline void unload(struct loaded *l)
{
	config_free(&l->config);
	config_messages_free(&l->messages);
	config_files_free(&l->files);
	buf_free(&l->text);
}

static inline const char *messages_of(const struct loaded *l)
{
	return buf_span(&l->text).p;
}

static inline void assert_loaded(const struct loaded *l)
{
	if (l->config == NULL)
		fail_msg("%s", messages_of(l));
}

#endif
