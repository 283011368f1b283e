#include "config/source.h"

#include "base/fd.h"
#include "config/environment.h"

#define FILE_NAME "servers.json"

static const char *variable(const struct config_sources *from, const char *name)
{
	const char *value = environment_get(from->environment, span_of(name));

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool read_inline(const char *json, struct config_text *out, struct err *e)
{
	out->source = "<env:MCP_SERVERS_CONFIG>";
	out->n = strlen(json);
	if (out->n > CONFIG_MAX_BYTES)
		return err_set(e, "larger than %zu bytes", CONFIG_MAX_BYTES);
	out->text = span_dup((struct span){ json, out->n });
	return true;
}

/* `named_by` says who wanted this file. */
static bool read_named(
        const char *path, const char *named_by, struct config_files *files, struct config_text *out, struct err *e)
{
	out->source = path;
	config_files_add(files, path);
	if (!fd_read_file(path, CONFIG_MAX_BYTES, &out->text, &out->n, e))
		return err_wrap(e, "the configuration named by %s cannot be read", named_by);
	return true;
}

/* Nothing names a file: the one in the home directory, if it is there. */
static bool read_usual(
        const char *home, struct arena *a, struct config_files *files, struct config_text *out, struct err *e)
{
	struct err why = { .text = "HOME is not set" };
	const char *path = "~/.config/mcp/" FILE_NAME;

	if (home != NULL) {
		path = arena_printf(a, "%s/.config/mcp/" FILE_NAME, home);
		out->source = path;
		config_files_add(files, path);
		if (fd_read_file(path, CONFIG_MAX_BYTES, &out->text, &out->n, &why))
			return true;
	}
	out->source = NULL;
	return err_set(e,
	        "no configuration found. Looked at: --config (not given), MCP_SERVERS_CONFIG (not set), "
	        "MCP_CONFIG_PATH (not set), $MCP_CONFIG_DIR/" FILE_NAME " (not set), %s%s%s%s",
	        why.sys != 0 ? "" : path, why.sys != 0 ? "" : " (", why.text, why.sys != 0 ? "" : ")");
}

bool source_read(const struct config_sources *from, struct arena *a, struct config_files *files,
        struct config_text *out, struct err *e)
{
	const char *inline_json = variable(from, "MCP_SERVERS_CONFIG");
	const char *path = variable(from, "MCP_CONFIG_PATH");
	const char *folder = variable(from, "MCP_CONFIG_DIR");

	*out = (struct config_text){ 0 };
	if (from->file != NULL)
		return read_named(from->file, "--config", files, out, e);
	if (inline_json != NULL)
		return read_inline(inline_json, out, e);
	if (path != NULL)
		return read_named(path, "MCP_CONFIG_PATH", files, out, e);
	if (folder != NULL)
		return read_named(arena_printf(a, "%s/" FILE_NAME, folder), "MCP_CONFIG_DIR", files, out, e);
	return read_usual(variable(from, "HOME"), a, files, out, e);
}
