#include "manifest/findings.h"

const char *severity_name(enum severity severity)
{
	static const char *const names[SEVERITY_COUNT] = {
		[SEVERITY_ERROR] = "error", [SEVERITY_WARNING] = "warning", [SEVERITY_ADVICE] = "advice"
	};

	return names[severity];
}

/* What stands in a manifest may be anything: no byte of it steers a terminal, or begins a line. */
static const char *printable(struct arena *a, const char *text)
{
	size_t n = strlen(text);
	char *copy = arena_alloc(a, n + 1);

	for (size_t i = 0; i < n; i++)
		copy[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
	return copy;
}

const char *manifest_subject(struct arena *a, const struct yaml_node *object)
{
	struct span kind = yaml_text(yaml_child(object, "kind"));
	struct span name = yaml_text(yaml_at(object, "metadata.name"));

	if (!span_is_set(kind))
		kind = SPAN("document");
	if (!span_is_set(name))
		name = yaml_text(yaml_at(object, "metadata.generateName"));
	return printable(a, arena_printf(a, "%.*s%s%.*s", SPAN_ARG(kind), span_is_set(name) ? "/" : "", (int)name.n,
	                            span_is_set(name) ? name.p : ""));
}

static size_t count_all(const struct findings *f)
{
	size_t all = 0;

	for (unsigned i = 0; i < SEVERITY_COUNT; i++)
		all += f->count[i];
	return all;
}

void findings_add(
        struct findings *f, const struct rule *rule, const struct yaml_node *at, const char *below, const char *detail)
{
	if (count_all(f) < FINDINGS_MAX) {
		struct finding *x = ARENA_NEW(&f->arena, struct finding);
		const char *path = yaml_path(&f->arena, at);
		x->rule = rule;
		x->line = at->line;
		x->column = at->column;
		x->subject = manifest_subject(&f->arena, yaml_object(at));
		path = arena_printf(&f->arena, "%s%s%s", path, below != NULL && path[0] != '\0' ? "." : "",
		        below != NULL ? below : "");
		x->path = printable(&f->arena, path);
		x->detail = printable(&f->arena, detail);
		if (f->last != NULL)
			f->last->next = x;
		else
			f->first = x;
		f->last = x;
	}
	f->count[rule->severity]++;
}

void findings_free(struct findings *f)
{
	arena_free(&f->arena);
	*f = (struct findings){ 0 };
}

void finding_print(const struct finding *f, const char *file, struct buf *out)
{
	buf_printf(out, "%s:%u:%u: %s: %s%s%s: %s [%s]\n    %s\n    Instead: %s\n", file, f->line, f->column,
	        severity_name(f->rule->severity), f->subject, f->path[0] != '\0' ? " " : "", f->path, f->detail,
	        f->rule->name, f->rule->why, f->rule->instead);
}
