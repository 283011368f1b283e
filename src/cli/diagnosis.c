#include "cli/diagnosis.h"

#include "cli/table.h"
#include "cli/text.h"
#include "json/write.h"

static bool is_modern(const struct diagnosis *d)
{
	return revision_is_modern(d->hello->revision);
}

/* ---- what the server is ---- */

static const char *const isolation_names[] = {
	[ISOLATION_SHARED] = "shared",
	[ISOLATION_LEASE] = "lease",
	[ISOLATION_SESSION] = "session",
};

struct capability {
	const char *name;
	bool offered;
};

#define CAPABILITIES 6

static void read_capabilities(const struct backend_hello *h, struct capability found[CAPABILITIES])
{
	const struct capability all[CAPABILITIES] = {
		{ "tools", h->tools },
		{ "resources", h->resources },
		{ "subscriptions", h->subscribe },
		{ "prompts", h->prompts },
		{ "completion", h->completions },
		{ "logging", h->logging },
	};

	memcpy(found, all, sizeof(all));
}

/* The text of a member of serverInfo; not set: there is none. */
static struct span info_text(struct buf *room, const struct diagnosis *d, const char *key)
{
	return json_type_of(d->hello->server_info) == JSON_OBJECT ? text_of_member(room, d->hello->server_info, key)
	                                                          : SPAN("");
}

/* ---- what its clients get ---- */

static void legacy_outlook(const struct diagnosis *d, void (*tell)(void *arg, const char *sentence), void *arg)
{
	if (!is_modern(d)) {
		tell(arg, "every message passes as it is");
		return;
	}
	tell(arg, "bridged: what the server asks for in a result is put to the client while its request waits");
	tell(arg, "log messages come with the requests that they are about, and with no others");
}

static void modern_outlook(const struct diagnosis *d, void (*tell)(void *arg, const char *sentence), void *arg)
{
	if (is_modern(d)) {
		tell(arg, "every message passes as it is");
		return;
	}
	tell(arg, "bridged: results get their resultType and how long they may be kept");
	tell(arg,
	        "what the server asks of a client ends the request with input_required, and the retry goes on with it");
	if (d->hello->subscribe)
		tell(arg, "subscriptions/listen stands on the server's own subscriptions, one for all who listen");
}

void diagnosis_outlook(
        const struct diagnosis *d, bool modern_clients, void (*tell)(void *arg, const char *sentence), void *arg)
{
	if (d->hello == NULL)
		return;
	if (d->conf->kind == BACKEND_COMMAND) {
		tell(arg, "a command-line program: each call runs it once");
		return;
	}
	if (modern_clients)
		modern_outlook(d, tell, arg);
	else
		legacy_outlook(d, tell, arg);
	if (d->conf->isolation == ISOLATION_SHARED && !is_modern(d))
		tell(arg,
		        "what the server asks of a client is refused while it works for others, too (isolation \"shared\")");
}

/* ---- for programs ---- */

static void put_sentence(void *arg, const char *sentence)
{
	json_text(arg, span_of(sentence));
}

static void put_outlooks(const struct diagnosis *d, struct json_writer *w)
{
	json_key(w, "clients");
	json_open(w, '{');
	json_key(w, "legacy");
	json_open(w, '[');
	diagnosis_outlook(d, false, put_sentence, w);
	json_close(w, ']');
	json_key(w, "modern");
	json_open(w, '[');
	diagnosis_outlook(d, true, put_sentence, w);
	json_close(w, ']');
	json_close(w, '}');
}

static void put_hello(const struct diagnosis *d, struct json_writer *w)
{
	struct capability capabilities[CAPABILITIES];

	json_member_text(w, "revision", revision_name(d->hello->revision));
	json_member_text(w, "era", is_modern(d) ? SPAN("modern") : SPAN("legacy"));
	if (span_is_set(d->hello->server_info))
		json_member_raw(w, "server_info", d->hello->server_info);
	json_key(w, "capabilities");
	json_open(w, '[');
	read_capabilities(d->hello, capabilities);
	for (unsigned i = 0; i < CAPABILITIES; i++)
		if (capabilities[i].offered)
			json_text(w, span_of(capabilities[i].name));
	json_close(w, ']');
	for (enum list_kind kind = 0; kind < LIST_KINDS; kind++)
		json_member_int(w, list_member(kind), (int64_t)d->counts[kind]);
	put_outlooks(d, w);
}

void diagnosis_put_json(const struct diagnosis *d, struct buf *out)
{
	struct json_writer w = json_writer(out);

	json_open(&w, '{');
	json_member_text(&w, "server", span_of(d->conf->name));
	json_member_bool(&w, "up", d->fault == NULL);
	if (d->fault != NULL)
		json_member_text(&w, "fault", span_of(d->fault));
	if (d->transport != NULL)
		json_member_text(&w, "transport", span_of(d->transport));
	json_member_text(&w, "isolation", span_of(isolation_names[d->conf->isolation]));
	if (d->fault == NULL)
		json_member_int(&w, "ready_ms", d->ready_ms);
	if (d->answer_us[1] > 0) {
		json_key(&w, "answer_us");
		json_open(&w, '{');
		json_member_int(&w, "min", d->answer_us[0]);
		json_member_int(&w, "median", d->answer_us[1]);
		json_member_int(&w, "max", d->answer_us[2]);
		json_close(&w, '}');
	}
	if (d->hello != NULL)
		put_hello(d, &w);
	json_close(&w, '}');
	buf_add_char(out, '\n');
}

/* ---- for people ---- */

static void add_row(struct table *t, const char *label, const struct buf *value)
{
	table_add(t, span_of(label));
	table_add(t, buf_span(value));
}

/* A row from a format; the buffer is the caller's, and empty before and after. */
static void add_text(struct table *t, struct buf *room, const char *label)
{
	add_row(t, label, room);
	buf_reset(room);
}

static void add_milliseconds(struct buf *out, int64_t us)
{
	buf_printf(out, "%lld.%03lld ms", (long long)(us / 1000), (long long)(us % 1000));
}

static void add_offers(struct table *t, struct buf *room, const struct diagnosis *d)
{
	static const char *const nouns[LIST_KINDS] = {
		[LIST_TOOLS] = "tools",
		[LIST_RESOURCES] = "resources",
		[LIST_TEMPLATES] = "resource templates",
		[LIST_PROMPTS] = "prompts",
	};
	struct capability capabilities[CAPABILITIES];

	for (enum list_kind kind = 0; kind < LIST_KINDS; kind++)
		buf_printf(room, "%s%zu %s", kind > 0 ? ", " : "", d->counts[kind], nouns[kind]);
	add_text(t, room, "offers");
	read_capabilities(d->hello, capabilities);
	for (unsigned i = 0; i < CAPABILITIES; i++)
		if (capabilities[i].offered)
			buf_printf(room, "%s%s", buf_size(room) > 0 ? ", " : "", capabilities[i].name);
	add_text(t, room, "capabilities");
}

static void add_hello(struct table *t, struct buf *room, const struct diagnosis *d)
{
	struct buf text = { 0 };

	buf_printf(room, "%.*s (%s)", SPAN_ARG(revision_name(d->hello->revision)), is_modern(d) ? "modern" : "legacy");
	add_text(t, room, "revision");
	text_put_line(room, info_text(&text, d, "name"));
	buf_add_char(room, ' ');
	text_put_line(room, info_text(&text, d, "version"));
	add_text(t, room, "calls itself");
	buf_free(&text);
	add_offers(t, room, d);
}

static void add_times(struct table *t, struct buf *room, const struct diagnosis *d)
{
	if (d->fault == NULL) {
		buf_printf(room, "after %lld ms", (long long)d->ready_ms);
		add_text(t, room, "ready");
	}
	if (d->answer_us[1] == 0)
		return;
	buf_add(room, SPAN("in "));
	add_milliseconds(room, d->answer_us[1]);
	buf_add(room, SPAN(" ("));
	add_milliseconds(room, d->answer_us[0]);
	buf_add(room, SPAN(" to "));
	add_milliseconds(room, d->answer_us[2]);
	buf_add_char(room, ')');
	add_text(t, room, "answers");
}

static void put_line(void *arg, const char *sentence)
{
	buf_printf(arg, "  - %s\n", sentence);
}

void diagnosis_put_text(const struct diagnosis *d, unsigned width, bool colour, struct buf *out)
{
	static const struct table_column columns[] = { { .colour = "36" }, { .least = 24 } };
	struct table t = table_new(columns, 2);
	struct buf room = { 0 };

	buf_printf(out, "%s is %s\n\n", d->conf->name, d->fault == NULL ? "up" : "not up");
	buf_printf(&room, "%s", d->transport != NULL ? d->transport : "not known");
	add_text(&t, &room, "transport");
	buf_printf(&room, "%s", isolation_names[d->conf->isolation]);
	add_text(&t, &room, "isolation");
	if (d->hello != NULL)
		add_hello(&t, &room, d);
	add_times(&t, &room, d);
	table_print(&t, width, colour, out);
	table_clear(&t);
	buf_free(&room);
	if (d->hello == NULL)
		return;
	buf_add(out, SPAN("\nClients of the legacy revisions (2024-11-05 to 2025-11-25):\n"));
	diagnosis_outlook(d, false, put_line, out);
	buf_add(out, SPAN("\nClients of the modern revision (2026-07-28):\n"));
	diagnosis_outlook(d, true, put_line, out);
}
