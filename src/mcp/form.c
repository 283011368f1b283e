#include "mcp/form.h"

#include "json/scan.h"
#include "json/write.h"

static bool is(struct span value, enum json_type type)
{
	return json_type_of(value) == type;
}

/* By what it means: `key` is the raw text between the quotes. */
static bool key_is(struct span key, struct span name)
{
	return json_string_is((struct span){ key.p - 1, key.n + 2 }, name);
}

/* ---- what a form has ---- */

/* Of a choice with titles: [{"const": "a", "title": "A"}, ...] */
static bool are_titled(struct span options)
{
	struct json_walk walk = json_walk(options);
	struct span one;

	while (json_next(&walk, NULL, &one))
		if (!is(one, JSON_OBJECT) || !is(json_member(one, "const"), JSON_STRING) ||
		        !is(json_member(one, "title"), JSON_STRING))
			return false;
	return is(options, JSON_ARRAY);
}

static bool has_lost_default(struct span field)
{
	return span_is_set(json_member(field, "default")) &&
	       !json_string_is(json_member(field, "type"), SPAN("boolean"));
}

static enum form of_field(struct span field)
{
	if (!is(field, JSON_OBJECT))
		return FORM_STAYS;
	struct span options = json_member(field, "oneOf");
	if (json_string_is(json_member(field, "type"), SPAN("array")) || (span_is_set(options) && !are_titled(options)))
		return FORM_IMPOSSIBLE;
	return span_is_set(options) || has_lost_default(field) ? FORM_CHANGES : FORM_STAYS;
}

/* The fields of the form; not set: there is none. */
static struct span fields_of(struct span params)
{
	struct span schema = is(params, JSON_OBJECT) ? json_member(params, "requestedSchema") : SPAN_NONE;

	return is(schema, JSON_OBJECT) ? json_member(schema, "properties") : SPAN_NONE;
}

static enum form of_fields(struct span fields)
{
	enum form all = FORM_STAYS;
	struct span field;

	if (!is(fields, JSON_OBJECT))
		return FORM_STAYS;
	for (struct json_walk w = json_walk(fields); json_next(&w, NULL, &field);) {
		enum form one = of_field(field);
		if (one > all)
			all = one;
	}
	return all;
}

/* ---- the form in older words ---- */

/* A key as it came: it is escaped already. */
static void put_key(struct json_writer *w, struct span key)
{
	if (w->comma)
		buf_add_char(w->out, ',');
	buf_add_char(w->out, '"');
	buf_add(w->out, key);
	buf_add(w->out, SPAN("\":"));
	w->comma = false;
}

static void put_all(struct json_writer *w, const char *key, struct span options, const char *member)
{
	struct span one;

	json_key(w, key);
	json_open(w, '[');
	for (struct json_walk walk = json_walk(options); json_next(&walk, NULL, &one);)
		json_raw(w, json_member(one, member));
	json_close(w, ']');
}

/* A key that comes twice counts once, as it was looked at: the first. */
static void put_field(struct json_writer *w, struct span field)
{
	struct span key, value, options = json_member(field, "oneOf");
	bool loses_default = has_lost_default(field);

	json_open(w, '{');
	for (struct json_walk walk = json_walk(field); json_next(&walk, &key, &value);) {
		if (key_is(key, SPAN("oneOf"))) {
			if (value.p != options.p)
				continue;
			put_all(w, "enum", value, "const");
			put_all(w, "enumNames", value, "title");
		} else if (!loses_default || !key_is(key, SPAN("default"))) {
			put_key(w, key);
			json_raw(w, value);
		}
	}
	json_close(w, '}');
}

static void put_fields(struct json_writer *w, struct span fields)
{
	struct span key, field;

	json_open(w, '{');
	for (struct json_walk walk = json_walk(fields); json_next(&walk, &key, &field);) {
		put_key(w, key);
		if (of_field(field) == FORM_CHANGES)
			put_field(w, field);
		else
			json_raw(w, field);
	}
	json_close(w, '}');
}

/* The schema as it is around its fields. */
static void put_schema(struct json_writer *w, struct span schema, struct span fields)
{
	buf_add(w->out, span_between(schema.p, fields.p));
	w->comma = false;
	put_fields(w, fields);
	buf_add(w->out, span_between(span_end(fields), span_end(schema)));
	w->comma = true;
}

static void put_params(struct json_writer *w, struct span params, struct span fields)
{
	struct span key, value;

	json_open(w, '{');
	for (struct json_walk walk = json_walk(params); json_next(&walk, &key, &value);) {
		if (key_is(key, SPAN("mode")))
			continue;
		put_key(w, key);
		if (is(fields, JSON_OBJECT) && fields.p > value.p && span_end(fields) < span_end(value))
			put_schema(w, value, fields);
		else
			json_raw(w, value);
	}
	json_close(w, '}');
}

enum form form_for(struct span params, enum revision revision, struct buf *out)
{
	struct span fields = fields_of(params);

	if (revision >= REVISION_2025_11_25 || !is(params, JSON_OBJECT))
		return FORM_STAYS;
	enum form form = of_fields(fields);
	if (form == FORM_STAYS && span_is_set(json_member(params, "mode")))
		form = FORM_CHANGES;
	if (form == FORM_CHANGES)
		put_params(&(struct json_writer){ .out = out }, params, fields);
	return form;
}
