/*
 * Whatever the text says: it is loaded or there is an error among the messages, every message can be printed, what was
 * loaded is complete, and loading it again gives the same.
 */
#include <assert.h>
#include <stdlib.h>

#include "config/config.h"
#include "fuzz.h"

static void check_server(const struct backend_conf *s)
{
	assert(s->name != NULL && s->name[0] != '\0' && strlen(s->name) <= 32 && strstr(s->name, "__") == NULL);
	assert(s->argv != NULL && s->argv[0] != NULL && s->argv[0][0] != '\0');
	for (size_t i = 0; s->env[i] != NULL; i++)
		assert(strchr(s->env[i], '=') != NULL);
	assert(s->request_timeout_ms > 0 && s->max_request_timeout_ms >= s->request_timeout_ms);
	assert(s->min_idle_ms <= s->max_idle_ms && (s->idle != IDLE_FIXED || s->idle_ms > 0));
	assert(s->stop_eof_ms >= 0 && s->stop_term_ms >= 0 && s->max_depth > 0);
}

static void check_config(const struct config *c)
{
	msec_t eof_ms, term_ms;
	struct buf plan = { 0 };

	for (size_t i = 0; i < c->server_count; i++)
		check_server(&c->servers[i]);
	config_longest_stop(c, &eof_ms, &term_ms);
	struct budget budget = budget_at(&c->lifecycle, eof_ms, term_ms, (mono_t){ 0 });
	budget_print(&budget, &c->lifecycle, &plan);
	buf_free(&plan);
}

/* Returns the messages as text. */
static struct buf load(const char *const *environment)
{
	struct config_messages messages = { 0 };
	struct config *c = config_load(&(struct config_sources){ .environment = environment }, &messages, NULL);
	struct buf text = { 0 };

	assert((c == NULL) == (messages.count[CONFIG_ERROR] > 0));
	if (c != NULL)
		check_config(c);
	for (const struct config_message *m = messages.first; m != NULL; m = m->next)
		config_message_print(m, &text);
	config_free(&c);
	config_messages_free(&messages);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf variable = { 0 };

	buf_add(&variable, SPAN("MCP_SERVERS_CONFIG="));
	buf_add(&variable, (struct span){ (const char *)data, size });
	buf_add_char(&variable, '\0');
	const char *const environment[] = { buf_span(&variable).p, "PATH=/bin", "A=a", NULL };
	struct buf once = load(environment), again = load(environment);
	assert(span_eq(buf_span(&once), buf_span(&again)));
	buf_free(&once);
	buf_free(&again);
	buf_free(&variable);
	return 0;
}
