#include "config/keys.h"

#include <assert.h>
#include <stdio.h>

#include "base/cstr.h"
#include "base/duration.h"
#include "config/environment.h"
#include "config/substitute.h"
#include "config/suggest.h"

#define PATH_TEXT_MAX 128
#define ARENA_MAX_BYTES ((size_t)64 << 20) /* placeholders may blow a small file up */

static void *member(const struct key *key, void *into)
{
	return (char *)into + key->at;
}

bool reading_expect(struct reading *r, const struct json_node *value, enum json_type type)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object",
		[JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string",
	};

	if (value->type == type)
		return true;
	reading_fault(r, value, "must be %s", names[type]);
	return false;
}

const char *reading_variable(const struct reading *r, const char *name)
{
	const char *value = environment_get(r->environment, span_of(name));

	return value != NULL && value[0] != '\0' ? value : NULL;
}

bool reading_text(struct reading *r, const struct json_node *value, struct span *out)
{
	struct err e;

	if (!reading_expect(r, value, JSON_STRING))
		return false;
	if (r->arena->used > ARENA_MAX_BYTES) {
		reading_fault(r, value, "the configuration is too large with its placeholders filled in");
		return false;
	}
	if (!substitute(r->arena, value->text, r->environment, r->files, out, &e)) {
		reading_fault(r, value, "%s", e.text);
		return false;
	}
	return true;
}

void key_flag(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	if (value->type == JSON_TRUE || value->type == JSON_FALSE)
		*(bool *)member(key, into) = value->type == JSON_TRUE;
	else
		reading_fault(r, value, "must be true or false");
}

static bool read_number(struct reading *r, const struct key *key, const struct json_node *value, uint64_t *number)
{
	if (value->type == JSON_NUMBER && span_to_u64(value->text, (uint64_t)key->most, number) &&
	        *number >= (uint64_t)key->least)
		return true;
	reading_fault(
	        r, value, "must be a whole number from %lld to %lld", (long long)key->least, (long long)key->most);
	return false;
}

void key_size(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	uint64_t number;

	if (read_number(r, key, value, &number))
		*(size_t *)member(key, into) = (size_t)number;
}

void key_unsigned(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	uint64_t number;

	if (read_number(r, key, value, &number))
		*(unsigned *)member(key, into) = (unsigned)number;
}

void key_duration(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	struct span text = value->text;
	msec_t ms;

	if (value->type == JSON_STRING && !reading_text(r, value, &text))
		return;
	if ((value->type != JSON_STRING && value->type != JSON_NUMBER) || !duration_parse(text, &ms))
		reading_fault(r, value, "must be a duration such as \"250ms\", \"30s\", \"2m\" or \"1h\"");
	else if (ms < key->least || ms > key->most)
		reading_fault(r, value, "must be from %s to %s", duration_text(key->least).text,
		        duration_text(key->most).text);
	else
		*(msec_t *)member(key, into) = ms;
}

static bool read_right_text(struct reading *r, const struct key *key, const struct json_node *value, struct span *text)
{
	if (!reading_text(r, value, text))
		return false;
	if (key->is_right == NULL || key->is_right(*text))
		return true;
	reading_fault(r, value, "%s", key->note);
	return false;
}

void key_text(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	struct span text;

	if (!read_right_text(r, key, value, &text))
		return;
	if (text.n == 0 && key->is_right == NULL)
		reading_fault(r, value, "must not be empty");
	else
		*(const char **)member(key, into) = text.p;
}

void key_texts(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	size_t n = 0;

	if (!reading_expect(r, value, JSON_ARRAY))
		return;
	const char **texts = ARENA_ARRAY(r->arena, const char *, value->count + 1);
	for (const struct json_node *item = value->first; item != NULL; item = item->next) {
		struct span text;
		if (read_right_text(r, key, item, &text))
			texts[n++] = text.p;
	}
	*(const char *const **)member(key, into) = texts;
}

/* "must be "stay" or "fail"" */
static void refuse_word(struct reading *r, const struct key *key, const struct json_node *value)
{
	struct buf list = { 0 };

	for (size_t i = 0; key->words[i] != NULL; i++)
		buf_printf(&list, "%s\"%s\"", i == 0 ? "" : key->words[i + 1] != NULL ? ", " : " or ", key->words[i]);
	reading_fault(r, value, "must be %.*s", SPAN_ARG(buf_span(&list)));
	buf_free(&list);
}

static bool read_word(struct reading *r, const struct key *key, const struct json_node *value, unsigned *index)
{
	struct span text;

	if (!reading_text(r, value, &text))
		return false;
	for (*index = 0; key->words[*index] != NULL; (*index)++)
		if (span_eq(text, span_of(key->words[*index])))
			return true;
	refuse_word(r, key, value);
	return false;
}

void key_choice(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	unsigned index;

	if (read_word(r, key, value, &index))
		*(unsigned *)member(key, into) = index;
}

void key_either(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	unsigned index;

	if (read_word(r, key, value, &index))
		*(bool *)member(key, into) = index == 1;
}

void key_block(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	if (reading_expect(r, value, JSON_OBJECT))
		keys_read(r, key->block, value, member(key, into));
}

void key_node(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	(void)r;
	*(const struct json_node **)member(key, into) = value;
}

void key_later(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	(void)into;
	reading_fault(r, value, "not supported yet: %s", key->note);
}

void key_foreign(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	struct span rest = buf_span(&r->foreign), part;

	(void)value;
	(void)into;
	while (rest.n > 0 && span_next(&rest, ',', &part))
		if (span_eq(span_trim(part), span_of(key->name)))
			return;
	buf_printf(&r->foreign, "%s%s", buf_size(&r->foreign) > 0 ? ", " : "", key->name);
}

void key_unused(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	(void)into;
	if (value->type == JSON_ARRAY && value->count == 0)
		return;
	reading_warn(r, value, "ignored: %s", key->note);
}

/* "idle_timeout" is "idleTimeout": avelino/mcp writes its keys so. */
static bool is_snake_case_of(struct span name, const char *key)
{
	size_t at = 0;

	for (; *key != '\0'; key++) {
		bool capital = *key >= 'A' && *key <= 'Z';
		if (capital && (at == name.n || name.p[at++] != '_'))
			return false;
		if (at == name.n || name.p[at++] != ascii_lower(*key))
			return false;
	}
	return at == name.n;
}

static bool is_named(const struct key *key, struct span name)
{
	return span_eq(name, span_of(key->name)) || is_snake_case_of(name, key->name);
}

static void refuse_unknown(struct reading *r, const struct key *keys, const struct json_node *value)
{
	struct suggestion s = suggestion_for(value->key);

	for (const struct key *key = keys; key->name != NULL && !config_messages_full(r->messages); key++)
		suggestion_offer(&s, key->name);
	if (s.best != NULL)
		reading_fault(r, value, "unknown key, did you mean \"%s\"?", s.best);
	else
		reading_fault(r, value, "unknown key");
}

/* A key in both spellings in one object: which of them is meant nobody knows. */
static bool is_given_twice(const struct key *key, const struct json_node *value)
{
	return !span_eq(value->key, span_of(key->name)) && json_child(value->parent, key->name) != NULL;
}

void keys_read(struct reading *r, const struct key *keys, const struct json_node *object, void *into)
{
	for (const struct json_node *value = object->first; value != NULL; value = value->next) {
		const struct key *key = keys;
		while (key->name != NULL && !is_named(key, value->key))
			key++;
		if (key->name == NULL)
			refuse_unknown(r, keys, value);
		else if (is_given_twice(key, value))
			reading_fault(r, value, "the same as \"%s\", which is given too", key->name);
		else if (value->type != JSON_NULL) /* as if it was not there */
			key->read(r, key, value, into);
	}
}

static bool same_value(const struct key *key, const void *a, const void *b)
{
	if (key->read == key_flag || key->read == key_either)
		return *(const bool *)a == *(const bool *)b;
	if (key->read == key_size)
		return *(const size_t *)a == *(const size_t *)b;
	if (key->read == key_unsigned || key->read == key_choice)
		return *(const unsigned *)a == *(const unsigned *)b;
	if (key->read == key_duration)
		return *(const msec_t *)a == *(const msec_t *)b;
	if (key->read == key_text)
		return cstr_eq(*(const char *const *)a, *(const char *const *)b);
	if (key->read == key_texts)
		return cstrs_eq(*(const char *const *const *)a, *(const char *const *const *)b);
	return true;
}

struct comparison {
	void (*differs)(void *arg, const struct key *key, const char *path);
	void *arg;
};

static void compare(
        const struct comparison *c, const char *prefix, const struct key *keys, const void *a, const void *b)
{
	char path[PATH_TEXT_MAX];

	for (const struct key *key = keys; key->name != NULL; key++) {
		const void *in_a = (const char *)a + key->at, *in_b = (const char *)b + key->at;
		int n = snprintf(path, sizeof(path), "%s%s%s", prefix, key->name, key->read == key_block ? "." : "");
		assert(n > 0 && (size_t)n < sizeof(path));
		if (key->read == key_block)
			compare(c, path, key->block, in_a, in_b);
		else if (!same_value(key, in_a, in_b))
			c->differs(c->arg, key, path);
	}
}

void keys_compare(const struct key *keys, const void *a, const void *b,
        void (*differs)(void *arg, const struct key *key, const char *path), void *arg)
{
	compare(&(struct comparison){ differs, arg }, "", keys, a, b);
}

static enum json_type type_of_text(struct span text)
{
	uint64_t number;

	if (span_eq(text, SPAN("true")))
		return JSON_TRUE;
	if (span_eq(text, SPAN("false")))
		return JSON_FALSE;
	return span_to_u64(text, INT64_MAX, &number) ? JSON_NUMBER : JSON_STRING;
}

static void read_text(struct reading *r, const struct key *key, const char *text, void *into)
{
	struct json_node value = { .type = type_of_text(span_of(text)), .text = span_of(text) };

	key->read(r, key, &value, into);
}

void keys_preset(struct reading *r, const struct key *keys, void *into)
{
	for (const struct key *key = keys; key->name != NULL; key++) {
		if (key->read == key_block)
			keys_preset(r, key->block, member(key, into));
		else if (key->preset != NULL)
			read_text(r, key, key->preset, into);
	}
}

void keys_read_text(
        struct reading *r, const struct key *keys, const char *name, const char *text, const char *origin, void *into)
{
	const struct key *key = keys;

	while (key->name != NULL && !is_named(key, span_of(name)))
		key++;
	assert(key->name != NULL);
	r->origin = origin;
	read_text(r, key, text, into);
	r->origin = NULL;
}

const struct json_node *keys_find(const struct key *keys, const char *name, const struct json_node *object)
{
	for (const struct json_node *value = object->first; value != NULL; value = value->next)
		for (const struct key *key = keys; key->name != NULL; key++)
			if (span_eq(span_of(key->name), span_of(name)) && is_named(key, value->key))
				return value->type != JSON_NULL ? value : NULL;
	return NULL;
}
