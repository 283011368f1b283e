#include "config/substitute.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fd.h"
#include "config/environment.h"

struct filling {
	const char *const *environment;
	struct config_files *files;
};

/* Only regular files: a pipe or a device would keep us waiting. */
static bool put_file(struct span path, struct config_files *files, struct buf *out, struct err *e)
{
	char *name = span_dup(path), *text = NULL;
	struct stat st;
	size_t n = 0;
	bool ok;

	if (name[0] == '/')
		config_files_add(files, name);
	if (name[0] != '/')
		ok = err_set(e, "${file:...} wants a path that starts with a slash");
	else if (stat(name, &st) != 0)
		ok = err_sys(e, "%s", name);
	else if (!S_ISREG(st.st_mode))
		ok = err_set(e, "%s: not a regular file", name);
	else
		ok = fd_read_file(name, SUBSTITUTE_MAX_BYTES, &text, &n, e);
	if (ok) {
		if (n > 0 && text[n - 1] == '\n')
			n--;
		buf_add(out, (struct span){ text, n });
	}
	free(text);
	free(name);
	return ok;
}

/* Where ":-" begins in `inner`, or its length. */
static size_t find_default(struct span inner)
{
	for (size_t i = 0; i + 1 < inner.n; i++)
		if (inner.p[i] == ':' && inner.p[i + 1] == '-')
			return i;
	return inner.n;
}

static bool put_variable(struct span inner, const char *const *environment, struct buf *out, struct err *e)
{
	size_t at = find_default(inner);
	struct span name = span_cut(inner, at);

	if (span_starts(name, SPAN("env:")))
		name = span_skip(name, 4);
	if (span_starts(name, SPAN("input:")))
		return err_set(e, "nobody can be asked for ${%.*s} here: use an environment variable, ${NAME}",
		        SPAN_ARG(name));
	if (!environment_name_is_valid(name))
		return err_set(e, "${...} wants a variable's name; write $${ for a literal ${");
	const char *value = environment_get(environment, name);
	if (at < inner.n && (value == NULL || value[0] == '\0')) {
		buf_add(out, span_skip(inner, at + 2));
		return true;
	}
	if (value == NULL)
		return err_set(e, "the environment variable %.*s is not set", SPAN_ARG(name));
	buf_add(out, span_of(value));
	return true;
}

/* One placeholder, at the start of *rest, which moves behind it. */
static bool put_placeholder(struct span *rest, const struct filling *with, struct buf *out, struct err *e)
{
	size_t brace = span_find(*rest, '}');

	if (brace == rest->n)
		return err_set(e, "a ${ without its }; write $${ for a literal ${");
	struct span inner = span_skip(span_cut(*rest, brace), 2);
	*rest = span_skip(*rest, brace + 1);
	if (span_starts(inner, SPAN("file:")))
		return put_file(span_skip(inner, 5), with->files, out, e);
	return put_variable(inner, with->environment, out, e);
}

static bool put_all(struct span rest, const struct filling *with, struct buf *out, struct err *e)
{
	while (rest.n > 0) {
		if (span_starts(rest, SPAN("$${"))) {
			buf_add(out, SPAN("${"));
			rest = span_skip(rest, 3);
		} else if (span_starts(rest, SPAN("${"))) {
			if (!put_placeholder(&rest, with, out, e))
				return false;
		} else {
			size_t plain = 1 + span_find(span_skip(rest, 1), '$');
			buf_add(out, span_cut(rest, plain));
			rest = span_skip(rest, plain);
		}
		if (buf_size(out) > SUBSTITUTE_MAX_BYTES)
			return err_set(e, "longer than %zu bytes", SUBSTITUTE_MAX_BYTES);
	}
	return true;
}

bool substitute(struct arena *a, struct span text, const char *const *environment, struct config_files *files,
        struct span *out, struct err *e)
{
	struct buf all = { 0 };
	bool ok = put_all(text, &(struct filling){ environment, files }, &all, e);

	if (ok && span_find(buf_span(&all), '\0') < buf_size(&all))
		ok = err_set(e, "holds a NUL");
	if (ok)
		*out = arena_copy(a, buf_span(&all));
	buf_free(&all);
	return ok;
}
