/*
 * Everything beside tools: resources (text, binary, by template), prompts, completion, the level of log messages.
 */
#include "server.h"

#include <stdlib.h>

void resources_list(struct server *s, const struct message *m)
{
	answer(s, m->id,
	        SPAN("{\"resources\":["
	             "{\"uri\":\"example://text\",\"name\":\"text\",\"mimeType\":\"text/plain\"},"
	             "{\"uri\":\"example://binary\",\"name\":\"binary\",\"mimeType\":\"application/octet-stream\"}]}"));
}

void templates_list(struct server *s, const struct message *m)
{
	answer(s, m->id,
	        SPAN("{\"resourceTemplates\":[{\"uriTemplate\":\"example://item/{id}\",\"name\":\"item\","
	             "\"mimeType\":\"text/plain\"}]}"));
}

static void put_contents(struct server *s, const struct message *m, const char *kind, struct span json)
{
	answer_begin(s, m->id);
	struct json_writer w = json_writer(&s->out);
	json_open(&w, '{');
	json_key(&w, "contents");
	json_open(&w, '[');
	json_open(&w, '{');
	json_member_raw(&w, "uri", m->uri);
	json_member_raw(&w, kind, json);
	json_close(&w, '}');
	json_close(&w, ']');
	json_close(&w, '}');
	answer_end(s);
}

/* Not found: -32002 with the URI in data (MCP 2025-11-25, Resources, Error Handling). */
static void put_not_found(struct server *s, const struct message *m)
{
	struct json_writer w = json_writer(&s->out);

	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	json_member_raw(&w, "id", m->id);
	json_key(&w, "error");
	json_open(&w, '{');
	json_member_int(&w, "code", RPC_NOT_FOUND);
	json_member_text(&w, "message", SPAN("Resource not found"));
	json_key(&w, "data");
	json_open(&w, '{');
	json_member_raw(&w, "uri", span_is_set(m->uri) ? m->uri : SPAN("null"));
	json_close(&w, '}');
	json_close(&w, '}');
	json_close(&w, '}');
	buf_add_char(&s->out, '\n');
}

void resources_read(struct server *s, const struct message *m)
{
	if (json_string_is(m->uri, SPAN("example://text")))
		put_contents(s, m, "text", SPAN("\"a line of text\\n\""));
	else if (json_string_is(m->uri, SPAN("example://binary")))
		put_contents(s, m, "blob", SPAN("\"AAECA/8=\""));
	else if (span_starts(m->uri, SPAN("\"example://item/")))
		put_contents(s, m, "text", m->uri);
	else
		put_not_found(s, m);
}

void prompts_list(struct server *s, const struct message *m)
{
	answer(s, m->id,
	        SPAN("{\"prompts\":[{\"name\":\"hello\",\"description\":\"Says hello\"},"
	             "{\"name\":\"review\",\"description\":\"Asks for a review\",\"arguments\":["
	             "{\"name\":\"code\",\"required\":true},{\"name\":\"language\"}]}]}"));
}

static void put_prompt(struct server *s, const struct message *m, struct span text)
{
	answer_begin(s, m->id);
	buf_add(&s->out, SPAN("{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":"));
	buf_add(&s->out, text);
	buf_add(&s->out, SPAN("}}]}"));
	answer_end(s);
}

void prompts_get(struct server *s, const struct message *m)
{
	struct span code = json_type_of(m->arguments) == JSON_OBJECT ? json_member(m->arguments, "code") : SPAN_NONE;

	if (json_string_is(m->name, SPAN("hello")))
		put_prompt(s, m, SPAN("\"hello\""));
	else if (!json_string_is(m->name, SPAN("review")))
		answer_error(s, m->id, RPC_INVALID_PARAMS, SPAN("no such prompt"));
	else if (json_type_of(code) != JSON_STRING)
		answer_error(s, m->id, RPC_INVALID_PARAMS, SPAN("the argument code is missing"));
	else
		put_prompt(s, m, code);
}

static const char *const languages[] = { "c", "c++", "go", "python", "rust", NULL };

/* Languages that begin with what is there, for the argument `language` of the prompt `review`. */
void complete(struct server *s, const struct message *m)
{
	struct span argument = span_is_set(m->params) ? json_member(m->params, "argument") : SPAN_NONE;
	struct span value = json_type_of(argument) == JSON_OBJECT ? json_member(argument, "value") : SPAN_NONE;

	if (json_type_of(value) != JSON_STRING) {
		answer_error(s, m->id, RPC_INVALID_PARAMS, SPAN("argument.value is missing"));
		return;
	}
	char *room = malloc(value.n + 1);
	struct span typed = json_decode(value, room);
	answer_begin(s, m->id);
	struct json_writer w = json_writer(&s->out);
	json_open(&w, '{');
	json_key(&w, "completion");
	json_open(&w, '{');
	json_key(&w, "values");
	json_open(&w, '[');
	for (const char *const *l = languages; *l != NULL; l++)
		if (span_starts(span_of(*l), typed))
			json_text(&w, span_of(*l));
	json_close(&w, ']');
	json_close(&w, '}');
	json_close(&w, '}');
	answer_end(s);
	free(room);
}

/* Severities of RFC 5424, least severe first. */
static const char *const levels[] = { "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency" };

int level_parse(struct span json)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (json_string_is(json, span_of(levels[i])))
			return (int)i;
	return -1;
}

void set_level(struct server *s, const struct message *m)
{
	int level = level_parse(m->level);

	if (level < 0) {
		answer_error(s, m->id, RPC_INVALID_PARAMS, SPAN("no such level"));
		return;
	}
	s->level = level;
	answer(s, m->id, SPAN("{}"));
}
