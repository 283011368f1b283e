#include "json/scan.h"

#include <assert.h>

#include "json/chars.h"

struct scanner {
	const char *text, *end;
	unsigned depth_left;
	bool multiline;
	bool escaped; /* the string read last has an escape in it */
	struct json_found *found;
	struct json_fault *fault;
};

/*
 * Every scan_x function takes the place of a first byte and returns the place behind the last one, or NULL after it has
 * told the fault. The recursion is as deep as the text, which depth_left bounds.
 */
static const char *scan_value(struct scanner *s, const char *p, const struct json_shape *shape);

static const char *refuse(struct scanner *s, enum json_fault_kind kind, const char *at, const char *sentence)
{
	*s->fault = (struct json_fault){ kind, (size_t)(at - s->text), sentence };
	return NULL;
}

static const char *refuse_syntax(struct scanner *s, const char *at, const char *sentence)
{
	return refuse(s, JSON_SYNTAX, at, at == s->end ? "the text ends too early" : sentence);
}

static inline const char *skip_space(struct scanner *s, const char *p)
{
	for (; p < s->end && (unsigned char)*p <= ' '; p++) {
		if (*p == '\n' || *p == '\r')
			s->multiline = true;
		else if (*p != ' ' && *p != '\t')
			break;
	}
	return p;
}

static inline const char *skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

static const char *scan_escape(struct scanner *s, const char *p)
{
	s->escaped = true;
	p++;
	if (p < s->end && json_is_short_escape(*p))
		return p + 1;
	if (p == s->end || *p != 'u')
		return refuse_syntax(s, p, "an escape that JSON does not know");
	p++;
	for (int i = 0; i < 4; i++, p++)
		if (p == s->end || json_hex_digit(*p) < 0)
			return refuse_syntax(s, p, "\\u without four hexadecimal digits");
	return p;
}

/* All the characters beyond ASCII that follow each other. */
static const char *scan_utf8(struct scanner *s, const char *p)
{
	do {
		size_t n = utf8_size(p, s->end);
		if (n == 0)
			return refuse(s, JSON_BAD_UTF8, p, "a string that is not valid UTF-8");
		p += n;
	} while (p < s->end && (unsigned char)*p >= 0x80);
	return p;
}

/* From a byte that is not plain on. */
static const char *scan_string_on(struct scanner *s, const char *p)
{
	for (;; p = json_skip_plain(p, s->end)) {
		if (p == s->end)
			return refuse_syntax(s, p, "a closing quote was expected");
		if (*p == '"')
			return p + 1;
		if (*p == '\\')
			p = scan_escape(s, p);
		else if ((unsigned char)*p < 0x20)
			return refuse_syntax(s, p, "a control character in a string");
		else
			p = scan_utf8(s, p);
		if (p == NULL)
			return NULL;
	}
}

static inline const char *scan_string(struct scanner *s, const char *p)
{
	s->escaped = false;
	p = json_skip_plain(p + 1, s->end);
	return p < s->end && *p == '"' ? p + 1 : scan_string_on(s, p);
}

static const char *scan_digits(struct scanner *s, const char *p)
{
	const char *end = skip_digits(p, s->end);

	return end > p ? end : refuse_syntax(s, p, "a digit was expected");
}

static const char *scan_number(struct scanner *s, const char *p)
{
	if (*p == '-')
		p++;
	const char *first = p;
	p = scan_digits(s, p);
	if (p == NULL)
		return NULL;
	if (*first == '0' && p - first > 1)
		return refuse_syntax(s, first, "a number with a leading zero");
	if (p < s->end && *p == '.') {
		p = scan_digits(s, p + 1);
		if (p == NULL)
			return NULL;
	}
	if (p < s->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < s->end && (*p == '+' || *p == '-'))
			p++;
		p = scan_digits(s, p);
	}
	return p;
}

static const char *scan_literal(struct scanner *s, const char *p, struct span literal)
{
	for (size_t i = 0; i < literal.n; i++, p++)
		if (p == s->end || *p != literal.p[i])
			return refuse_syntax(s, p, "a value was expected");
	return p;
}

/* True if the string `raw`, between its quotes, means `text`. */
static bool string_means(struct span raw, struct span text);

/* The first byte decides nearly always, and so spares the call. */
static inline bool key_is(const char *wanted, struct span key)
{
	return wanted[0] == key.p[0] && strncmp(wanted, key.p, key.n) == 0 && wanted[key.n] == '\0';
}

static const struct json_shape *find_member(const struct json_shape *shape, struct span key, bool escaped)
{
	for (; shape->key != NULL; shape++)
		if (escaped ? string_means(key, span_of(shape->key)) : key_is(shape->key, key))
			return shape;
	return NULL;
}

static const char *scan_picked(struct scanner *s, const char *p, const struct json_shape *member)
{
	assert(member->slot < JSON_SLOTS);
	struct span *slot = &s->found->slot[member->slot];
	bool again = span_is_set(*slot);
	const char *first = p;

	p = scan_value(s, p, again ? NULL : member->inner);
	if (p == NULL)
		return NULL;
	if (again)
		s->found->twice |= (uint64_t)1 << member->slot;
	else
		*slot = span_between(first, p);
	return p;
}

static const char *scan_member(struct scanner *s, const char *p, const struct json_shape *shape)
{
	const struct json_shape *member = NULL;
	const char *key = p + 1;

	if (p == s->end || *p != '"')
		return refuse_syntax(s, p, "the name of a member was expected");
	p = scan_string(s, p);
	if (p == NULL)
		return NULL;
	if (shape != NULL)
		member = find_member(shape, span_between(key, p - 1), s->escaped);
	p = skip_space(s, p);
	if (p == s->end || *p != ':')
		return refuse_syntax(s, p, "a colon was expected");
	p = skip_space(s, p + 1);
	return member != NULL ? scan_picked(s, p, member) : scan_value(s, p, NULL);
}

static const char *scan_object(struct scanner *s, const char *p, const struct json_shape *shape)
{
	p = skip_space(s, p + 1);
	if (p < s->end && *p == '}')
		return p + 1;
	for (;;) {
		p = scan_member(s, p, shape);
		if (p == NULL)
			return NULL;
		p = skip_space(s, p);
		if (p < s->end && *p == '}')
			return p + 1;
		if (p == s->end || *p != ',')
			return refuse_syntax(s, p, "a comma or a closing brace was expected");
		p = skip_space(s, p + 1);
	}
}

static const char *scan_array(struct scanner *s, const char *p)
{
	p = skip_space(s, p + 1);
	if (p < s->end && *p == ']')
		return p + 1;
	for (;;) {
		p = scan_value(s, p, NULL);
		if (p == NULL)
			return NULL;
		p = skip_space(s, p);
		if (p < s->end && *p == ']')
			return p + 1;
		if (p == s->end || *p != ',')
			return refuse_syntax(s, p, "a comma or a closing bracket was expected");
		p = skip_space(s, p + 1);
	}
}

static const char *scan_container(struct scanner *s, const char *p, const struct json_shape *shape)
{
	if (s->depth_left == 0)
		return refuse(s, JSON_TOO_DEEP, p, "the text is nested too deeply");
	s->depth_left--;
	p = *p == '{' ? scan_object(s, p, shape) : scan_array(s, p);
	s->depth_left++;
	return p;
}

static const char *scan_value(struct scanner *s, const char *p, const struct json_shape *shape)
{
	if (p == s->end)
		return refuse_syntax(s, p, "a value was expected");
	switch (*p) {
	case '{':
	case '[':
		return scan_container(s, p, shape);
	case '"':
		return scan_string(s, p);
	case 't':
		return scan_literal(s, p, SPAN("true"));
	case 'f':
		return scan_literal(s, p, SPAN("false"));
	case 'n':
		return scan_literal(s, p, SPAN("null"));
	default:
		if (*p != '-' && (*p < '0' || *p > '9'))
			return refuse_syntax(s, p, "a value was expected");
		return scan_number(s, p);
	}
}

static const char *scan_text(struct scanner *s, const struct json_shape *shape)
{
	const char *p = skip_space(s, s->text);

	if (p == s->end)
		return refuse(s, JSON_SYNTAX, p, "the text is empty");
	if (span_starts(span_between(p, s->end), SPAN("\xEF\xBB\xBF")))
		return refuse(s, JSON_SYNTAX, p, "the text starts with a byte order mark");
	p = scan_value(s, p, shape);
	if (p == NULL)
		return NULL;
	p = skip_space(s, p);
	return p == s->end ? p : refuse(s, JSON_SYNTAX, p, "something follows the value");
}

bool json_scan(struct span text, unsigned max_depth, const struct json_shape *shape, struct json_found *found,
        struct json_fault *fault)
{
	const char *first = text.n > 0 ? text.p : "";
	struct scanner s = {
		.text = first,
		.end = first + text.n,
		.depth_left = max_depth,
		.found = found,
		.fault = fault,
	};

	assert(max_depth <= JSON_DEPTH_MAX && (shape == NULL || found != NULL));
	if (found != NULL)
		*found = (struct json_found){ 0 };
	if (scan_text(&s, shape) == NULL)
		return false;
	if (found != NULL)
		found->multiline = s.multiline;
	return true;
}

/* From here on the text is known to be valid, so that quotes and brackets are enough to find the way. */

enum json_type json_type_of(struct span value)
{
	if (!span_is_set(value))
		return JSON_NONE;
	assert(value.n > 0);
	switch (value.p[0]) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
		return JSON_TRUE;
	case 'f':
		return JSON_FALSE;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p = json_skip_plain(p, end))
		p += *p == '\\' && end - p > 1 ? 2 : 1;
	return p < end ? p + 1 : end;
}

static const char *skip_container(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		p++;
		if (depth == 0)
			break;
	}
	return p;
}

static const char *skip_value(const char *p, const char *end)
{
	if (*p == '"')
		return skip_string(p, end);
	if (*p == '{' || *p == '[')
		return skip_container(p, end);
	while (p < end && memchr(", \t\r\n", *p, 5) == NULL)
		p++;
	return p;
}

/* To the next key or value: over white space and what `between` them is. */
static const char *skip_to_next(const char *p, const char *end, char between)
{
	while (p < end && (*p == between || *p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

struct json_walk json_walk(struct span container)
{
	enum json_type type = json_type_of(container);

	if (type != JSON_OBJECT && type != JSON_ARRAY)
		return (struct json_walk){ "", "", false };
	return (struct json_walk){ container.p + 1, span_end(container) - 1, type == JSON_OBJECT };
}

bool json_next(struct json_walk *w, struct span *key, struct span *value)
{
	const char *p = skip_to_next(w->at, w->end, ',');

	if (p < w->end && w->object) {
		const char *name = p + 1;
		p = skip_string(p, w->end);
		if (key != NULL)
			*key = span_between(name, p - 1);
		p = skip_to_next(p, w->end, ':');
	}
	if (p == w->end)
		return false;
	w->at = skip_value(p, w->end);
	*value = span_between(p, w->at);
	return true;
}

struct span json_member(struct span object, const char *key)
{
	struct json_walk w = json_walk(object);
	struct span name, value;

	while (w.object && json_next(&w, &name, &value))
		if (string_means(name, span_of(key)))
			return value;
	return SPAN_NONE;
}

static struct span unquote(struct span string)
{
	assert(string.n >= 2 && string.p[0] == '"');
	return (struct span){ string.p + 1, string.n - 2 };
}

static bool string_means(struct span raw, struct span text)
{
	for (const char *p = raw.p, *end = span_end(raw); p < end;) {
		char decoded[UTF8_SIZE_MAX];
		size_t n = 1;
		if (*p == '\\')
			n = json_decode_escape(&p, end, decoded);
		else
			decoded[0] = *p++;
		if (!span_starts(text, (struct span){ decoded, n }))
			return false;
		text = span_skip(text, n);
	}
	return text.n == 0;
}

bool json_string_is(struct span value, struct span text)
{
	return json_type_of(value) == JSON_STRING && string_means(unquote(value), text);
}

struct span json_decode(struct span value, char *out)
{
	struct span raw = unquote(value);
	size_t n = span_find(raw, '\\');

	if (n == raw.n)
		return raw;
	memcpy(out, raw.p, n);
	for (const char *p = raw.p + n, *end = span_end(raw); p < end;) {
		if (*p == '\\')
			n += json_decode_escape(&p, end, out + n);
		else
			out[n++] = *p++;
	}
	return (struct span){ out, n };
}

bool json_to_i64(struct span value, int64_t *out)
{
	if (json_type_of(value) != JSON_NUMBER)
		return false;
	bool negative = value.p[0] == '-';
	uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
	uint64_t size;

	if (!span_to_u64(span_skip(value, negative ? 1 : 0), most, &size))
		return false;
	*out = negative ? (int64_t)(0 - size) : (int64_t)size;
	return true;
}
