#include "config/environment.h"

/* interface.md, section 2; `*` as in a glob */
static const char *const harmless[] = { "PATH", "HOME", "LANG", "LC_*", "TZ", "TMPDIR", "USER", NULL };

static struct span name_of(const char *entry)
{
	struct span all = span_of(entry);

	return span_cut(all, span_find(all, '='));
}

const char *environment_get(const char *const *environment, struct span name)
{
	for (size_t i = 0; environment != NULL && environment[i] != NULL; i++)
		if (span_eq(name_of(environment[i]), name) && environment[i][name.n] == '=')
			return environment[i] + name.n + 1;
	return NULL;
}

bool environment_name_is_valid(struct span name)
{
	if (name.n == 0 || (name.p[0] >= '0' && name.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = ascii_lower(name.p[i]);
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
			return false;
	}
	return true;
}

static bool is_listed(const char *const *names, struct span name)
{
	for (size_t i = 0; names != NULL && names[i] != NULL; i++)
		if (span_glob(span_of(names[i]), name))
			return true;
	return false;
}

static bool is_own(const struct environment_entry *own, size_t own_count, struct span name)
{
	for (size_t i = 0; i < own_count; i++)
		if (span_eq(own[i].name, name))
			return true;
	return false;
}

static size_t count(const char *const *list)
{
	size_t n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

const char *const *environment_for_child(struct arena *a, const char *const *ours, const char *const *inherit,
        const struct environment_entry *own, size_t own_count)
{
	size_t most = count(ours) + own_count, n = 0;
	const char **env = ARENA_ARRAY(a, const char *, most + 1);

	for (size_t i = 0; ours != NULL && ours[i] != NULL; i++) {
		struct span name = name_of(ours[i]);
		if ((is_listed(harmless, name) || is_listed(inherit, name)) && !is_own(own, own_count, name))
			env[n++] = arena_copy(a, span_of(ours[i])).p;
	}
	for (size_t i = 0; i < own_count; i++)
		if (own[i].value != NULL)
			env[n++] = arena_printf(a, "%.*s=%s", SPAN_ARG(own[i].name), own[i].value);
	env[n] = NULL;
	return env;
}
