#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "config/keys.h"

static const char *copy(struct arena *a, const char *text)
{
	return text != NULL ? arena_copy(a, span_of(text)).p : NULL;
}

bool config_messages_full(const struct config_messages *messages)
{
	size_t all = 0;

	for (unsigned kind = 0; kind < CONFIG_KIND_COUNT; kind++)
		all += messages->count[kind];
	return all >= CONFIG_MAX_MESSAGES;
}

void config_message_add(struct config_messages *messages, const struct config_message *m)
{
	bool full = config_messages_full(messages);

	messages->count[m->kind]++;
	if (full)
		return;
	struct config_message *kept = ARENA_NEW(&messages->arena, struct config_message);
	*kept = *m;
	kept->source = copy(&messages->arena, m->source);
	kept->path = copy(&messages->arena, m->path);
	kept->sentence = copy(&messages->arena, m->sentence);
	kept->next = NULL;
	if (messages->last != NULL)
		messages->last->next = kept;
	else
		messages->first = kept;
	messages->last = kept;
}

void config_messages_free(struct config_messages *messages)
{
	arena_free(&messages->arena);
	*messages = (struct config_messages){ 0 };
}

const char *config_kind_name(enum config_kind kind)
{
	static const char *const names[CONFIG_KIND_COUNT] = {
		[CONFIG_ERROR] = "error",
		[CONFIG_WARNING] = "warning",
		[CONFIG_INFO] = "info",
	};

	assert(kind < CONFIG_KIND_COUNT);
	return names[kind];
}

void config_message_print(const struct config_message *m, struct buf *out)
{
	if (m->source != NULL)
		buf_printf(out, "%s:", m->source);
	if (m->line > 0)
		buf_printf(out, "%u:%u:", m->line, m->column);
	if (m->source != NULL)
		buf_add_char(out, ' ');
	if (m->kind != CONFIG_ERROR)
		buf_printf(out, "%s: ", config_kind_name(m->kind));
	if (m->path != NULL)
		buf_printf(out, "%s: ", m->path);
	buf_add(out, span_of(m->sentence));
}

static void tell(struct reading *r, enum config_kind kind, const struct json_node *at, const char *sentence)
{
	struct config_message m = { .kind = kind, .path = r->origin, .sentence = sentence };

	if (r->origin == NULL && !config_messages_full(r->messages)) {
		m.source = r->source;
		m.line = at->line;
		m.column = at->column;
		m.path = json_path(&r->scratch, at);
	}
	config_message_add(r->messages, &m);
}

void reading_fault(struct reading *r, const struct json_node *at, const char *format, ...)
{
	char sentence[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(sentence, sizeof(sentence), format, ap);
	va_end(ap);
	tell(r, CONFIG_ERROR, at, sentence);
}

void reading_warn(struct reading *r, const struct json_node *at, const char *format, ...)
{
	char sentence[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(sentence, sizeof(sentence), format, ap);
	va_end(ap);
	tell(r, CONFIG_WARNING, at, sentence);
}
