#include "backend/http_private.h"
#include "json/write.h"

/*
 * How a server is spoken to is found out once and remembered by its site: first as a modern one, by server/discover;
 * who does not know that is asked to initialize; and who takes no POST at all may be one of HTTP+SSE (A4, A8). What was
 * found out is forgotten when an answer contradicts it.
 */

/* --- sessions --- */

void http_session_forget(struct http_backend *b)
{
	b->session =
	        (struct http_session){ .serial = ++b->last_serial, .revision = REVISION_NONE, .id = b->session.id };
	buf_free(&b->session.id);
	b->second_is_up = false;
}

static bool is_visible(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < 0x21 || text.p[i] > 0x7e)
			return false;
	return text.n > 0 && text.n <= HTTP_SESSION_ID_MAX;
}

/* With the head of the answer to initialize. One that we could not send back is none. */
void http_session_got(struct http_backend *b, struct span id)
{
	buf_free(&b->session.id);
	if (is_visible(id))
		buf_add(&b->session.id, id);
}

static void begin_session(struct http_backend *b)
{
	http_session_forget(b);
	if (b->way == HTTP_WAY_MODERN)
		handshake_start(&b->second);
	else
		handshake_start(&b->handshake);
}

void http_session_lost(struct http_backend *b)
{
	bool second = b->way == HTTP_WAY_MODERN && b->second_is_up;

	if (b->life.state != LIFE_READY || b->healing || (b->way != HTTP_WAY_LEGACY && !second))
		return;
	log_info(&b->log, "backend_session_lost", "the server does not know our session any more: another is made");
	b->healing = !second;
	http_news_close(b, false);
	handshake_reset(second ? &b->second : &b->handshake);
	http_asks_end(b);
	begin_session(b);
}

/* --- which way a call goes --- */

static bool is_of_legacy_client(const struct backend_call *call)
{
	return call != NULL && call->client != NULL && revision_is_legacy(call->client->revision);
}

/* Eras are matched where the server has both (C1). */
bool http_goes_modern(const struct http_backend *b, const struct backend_call *call)
{
	return b->way == HTTP_WAY_MODERN && (b->site->modern_only || !is_of_legacy_client(call));
}

bool http_may_go(struct http_backend *b, const struct http_trip *t)
{
	if (b->life.state != LIFE_READY || b->healing || (b->relisting && t->mismatch))
		return false;
	if (timer_is_set(&b->opening) && !http_goes_modern(b, t->call))
		return false;
	if (b->way != HTTP_WAY_MODERN || http_goes_modern(b, t->call) || b->second_is_up || http_answers_itself(b, t))
		return true;
	if (b->second.state == HANDSHAKE_OFF)
		begin_session(b);
	return false;
}

/* C4: the headers were made from an old list, so it is fetched anew. */
void http_relist(struct http_backend *b)
{
	if (b->relisting || b->life.state != LIFE_READY)
		return;
	b->relisting = true;
	handshake_changed(&b->handshake, LIST_TOOLS, http_now(b));
}

/* --- the beginning --- */

static void become(struct http_backend *b, enum http_way way)
{
	handshake_reset(&b->handshake);
	b->way = way;
	log_debug(&b->log, "backend_way", "how the server is spoken to", F_STR("way", http_way_name(way)));
	switch (way) {
	case HTTP_WAY_UNKNOWN:
	case HTTP_WAY_MODERN:
		http_session_forget(b);
		handshake_discover(&b->handshake);
		return;
	case HTTP_WAY_LEGACY:
		begin_session(b);
		return;
	case HTTP_WAY_SSE:
		http_session_forget(b);
		legacy_sse_open(b);
		return;
	}
}

void http_begin(struct http_backend *b)
{
	b->starts++;
	b->restarts += b->fell;
	b->fell = false;
	b->unwell = 0;
	b->relisting = false;
	b->invited = false;
	b->post_status = 0;
	b->began_at = http_now(b);
	if (b->site->client == NULL) {
		standing_explain(&b->standing, "%s", b->site->fault.text);
		log_warn(&b->log, "backend_site_fault", "the server cannot be reached as it is configured",
		        F_STR("error", b->standing.why));
		http_step(b, LIFE_EV_NO_SPAWN);
		return;
	}
	become(b, b->site->way);
}

void http_start_failed(struct http_backend *b, const char *sentence)
{
	if (sentence != NULL)
		standing_explain(&b->standing, "%s", sentence);
	log_warn(&b->log, "backend_handshake_failed", "the server did not get through its start",
	        F_STR("error", b->standing.why), F_STR("way", http_way_name(b->way)));
	http_step(b, b->healing ? LIFE_EV_EXIT : LIFE_EV_REFUSED);
}

/* --- answers that did not come --- */

static bool is_first_word(const struct http_trip *t)
{
	return t->method == METHOD_DISCOVER || t->method == METHOD_INITIALIZE;
}

/* What a server that does not know the method or the message may say; not one that is ill, or wants credentials. */
static bool is_of_another_kind(const struct http_trip *t, enum fetch_end why)
{
	return why == FETCH_DONE &&
	       (http_status_is_no_post(t->status) || t->status == 500 || t->status == 501 || t->status / 100 == 2);
}

/* True when another way is tried instead. */
static bool try_another_way(struct http_backend *b, const struct http_trip *t, enum fetch_end why)
{
	bool may_be_sse = b->base.conf->http_type == HTTP_TYPE_AUTO && http_status_is_no_post(t->status);

	if (b->healing || b->site->way != HTTP_WAY_UNKNOWN || b->life.state != LIFE_STARTING)
		return false;
	if (t->method == METHOD_DISCOVER && (is_of_another_kind(t, why) || why == FETCH_TIMEOUT)) {
		become(b, HTTP_WAY_LEGACY);
		return true;
	}
	if (t->method == METHOD_INITIALIZE && why == FETCH_DONE && may_be_sse) {
		b->post_status = t->status;
		become(b, HTTP_WAY_SSE);
		return true;
	}
	return false;
}

static void tell_modern_only(struct http_backend *b);

static void second_failed(struct http_backend *b, const struct http_trip *t, enum fetch_end why)
{
	handshake_reset(&b->second);
	b->site->modern_only = is_of_another_kind(t, why) || b->site->modern_only;
	tell_modern_only(b);
	if (b->site->modern_only)
		http_release(b);
	else if (b->life.state == LIFE_READY)
		http_step(b, LIFE_EV_EXIT);
}

static void explain_failure(struct buf *out, const struct http_trip *t, enum fetch_end why, const char *sentence)
{
	buf_printf(out, "%.*s: %s", SPAN_ARG(method_name(t->method)), sentence);
	if (why == FETCH_DONE)
		buf_printf(out, " (HTTP %d)", t->status);
	buf_add_char(out, '\0');
}

/* A list of later: its old one stays. */
static void answer_for(struct http_backend *b, const struct http_trip *t, const char *sentence)
{
	struct buf json = { 0 };
	struct message_fault fault;
	struct message m;

	buf_printf(&json,
	        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"code\":-32603,\"message\":", (unsigned long long)t->id);
	json_put_string(&json, span_of(sentence));
	buf_add(&json, SPAN("}}"));
	if (message_parse(buf_span(&json), b->base.conf->max_depth, &m, &fault) &&
	        !handshake_answer(&b->handshake, t->id, &m, http_now(b)))
		wanted_answered(&b->wanted, t->id, false, http_said, b);
	buf_free(&json);
	if (t->method == METHOD_TOOLS_LIST && b->relisting) {
		b->relisting = false;
		http_release(b);
	}
}

void http_own_failed(struct http_trip *t, enum fetch_end why, const char *sentence)
{
	struct http_backend *b = t->b;
	bool is_second = b->way == HTTP_WAY_MODERN && t->method == METHOD_INITIALIZE;
	struct buf text = { 0 };

	if (!http_is_talking(b) || try_another_way(b, t, why))
		return;
	explain_failure(&text, t, why, sentence);
	if (is_second) {
		standing_explain(&b->standing, "%s", text.mem);
		second_failed(b, t, why);
	} else if (is_first_word(t)) {
		if (is_of_another_kind(t, why) && b->base.conf->http_type != HTTP_TYPE_SSE)
			b->site->way = HTTP_WAY_UNKNOWN;
		http_start_failed(b, text.mem);
	} else if (b->life.state == LIFE_STARTING || b->healing) {
		http_start_failed(b, text.mem);
	} else {
		answer_for(b, t, text.mem);
	}
	buf_free(&text);
}

/* --- answers that did --- */

static void discovered(struct http_backend *b, struct http_trip *t, const struct message *m)
{
	if (handshake_names_modern(m)) {
		b->way = HTTP_WAY_MODERN;
		handshake_answer(&b->handshake, t->id, m, http_now(b));
	} else if (handshake_invites_modern(m) && !b->invited) {
		b->invited = true;
		handshake_reset(&b->handshake);
		handshake_discover(&b->handshake);
	} else if (b->site->way == HTTP_WAY_UNKNOWN) {
		become(b, HTTP_WAY_LEGACY);
	} else {
		b->site->way = HTTP_WAY_UNKNOWN;
		handshake_answer(&b->handshake, t->id, m, http_now(b));
	}
}

void http_own_answered(struct http_trip *t, const struct message *m)
{
	struct http_backend *b = t->b;

	if (!http_is_talking(b))
		return;
	if (t->method == METHOD_DISCOVER && t->id == b->handshake.initialize_id)
		discovered(b, t, m);
	else if (!handshake_answer(&b->handshake, t->id, m, http_now(b)) &&
	         !handshake_answer(&b->second, t->id, m, http_now(b)))
		wanted_answered(&b->wanted, t->id, m->kind == MESSAGE_RESULT, http_said, b);
}

/* --- the handshake's port --- */

static uint64_t send_request(void *arg, enum method method, struct span params)
{
	struct http_backend *b = arg;

	return http_request(b, method, params, b->handshake.modern);
}

/* Requests that follow must not overtake it: they go on connections of their own. */
static void send_notification(void *arg, enum method method)
{
	struct http_backend *b = arg;

	b->session.revision = b->handshake.hello.revision;
	b->gate = http_note(b, method, SPAN_NONE);
}

static void on_hello(void *arg, const struct backend_hello *hello)
{
	struct http_backend *b = arg;
	struct backend_hello known = *hello;

	known.modern_only = b->site->modern_only && revision_is_modern(hello->revision);
	b->base.events->hello(b->base.arg, &known);
}

/* Only who asks it for a session finds out that it has none. */
static void tell_modern_only(struct http_backend *b)
{
	if (b->site->modern_only && b->life.state == LIFE_READY)
		on_hello(b, &b->handshake.hello);
}

static void take_tools(struct http_backend *b, struct item_list *list)
{
	size_t lost = param_tools_take(&b->site->params, list);

	if (lost > 0)
		log_warn(&b->log, "backend_list_fault",
		        "tools are left away, for what they say of HTTP headers breaks the rules",
		        F_STR("list", "tools"), F_INT("tools", lost));
}

static void on_list(void *arg, enum list_kind kind, struct item_list *list)
{
	struct http_backend *b = arg;

	log_debug(&b->log, "backend_list", "a list of the server is there", F_STR("list", list_member(kind)),
	        F_INT("items", list->count));
	if (kind == LIST_TOOLS && b->way == HTTP_WAY_MODERN)
		take_tools(b, list);
	b->base.events->list(b->base.arg, kind, list);
	if (kind == LIST_TOOLS && b->relisting) {
		b->relisting = false;
		http_release(b);
	}
}

static void healed(struct http_backend *b)
{
	b->healing = false;
	standing_tell_anyway(&b->standing); /* who is told that it is ready tells the session what it has to know */
	log_info(&b->log, "backend_session_healed", "the server has given us another session");
	http_tell_wanted(b);
	http_news_hold(b);
	http_release(b);
	http_news_open_first(b);
}

static void on_done(void *arg, const char *fault)
{
	struct http_backend *b = arg;

	if (fault != NULL) {
		http_start_failed(b, fault);
		return;
	}
	if (b->healing) {
		healed(b);
		return;
	}
	b->site->way = b->way;
	log_info(&b->log, "backend_ready", "the server is ready",
	        F_SPAN("revision", revision_name(b->handshake.hello.revision)), F_STR("way", http_way_name(b->way)),
	        F_MS("took_ms", mono_diff(http_now(b), b->began_at)));
	http_tell_wanted(b);
	if (b->way == HTTP_WAY_LEGACY)
		http_news_hold(b);
	http_step(b, LIFE_EV_UP);
	if (b->way == HTTP_WAY_LEGACY)
		http_news_open_first(b);
	else
		http_news_open(b, true);
}

static void on_warning(void *arg, enum list_kind kind, const char *sentence)
{
	struct http_backend *b = arg;

	log_warn(&b->log, "backend_list_fault", sentence, F_STR("list", list_member(kind)));
}

const struct handshake_port http_handshake_port = {
	.request = send_request,
	.notify = send_notification,
	.hello = on_hello,
	.list = on_list,
	.done = on_done,
	.warn = on_warning,
};

/* --- a modern server's session for legacy clients --- */

static uint64_t second_request(void *arg, enum method method, struct span params)
{
	return http_request(arg, method, params, false);
}

static void second_notify(void *arg, enum method method)
{
	struct http_backend *b = arg;

	b->session.revision = b->second.hello.revision;
	b->gate = http_note(b, method, SPAN_NONE);
}

/* It is one server, whatever its revisions: it offers what it offers in either. */
static void second_hello(void *arg, const struct backend_hello *hello)
{
	struct http_backend *b = arg;
	struct backend_hello both = b->handshake.hello;

	both.tools |= hello->tools;
	both.resources |= hello->resources;
	both.subscribe |= hello->subscribe;
	both.prompts |= hello->prompts;
	both.completions |= hello->completions;
	both.logging |= hello->logging;
	both.tasks_list = hello->tasks_list;
	both.tasks_cancel = hello->tasks_cancel;
	both.tasks_call = hello->tasks_call;
	both.modern_only = false;
	b->base.events->hello(b->base.arg, &both);
}

static void second_list(void *arg, enum list_kind kind, struct item_list *list)
{
	(void)arg;
	(void)kind;
	item_list_free(list);
}

static void second_done(void *arg, const char *fault)
{
	struct http_backend *b = arg;

	b->second_is_up = fault == NULL;
	b->site->modern_only = fault != NULL;
	standing_tell_anyway(&b->standing);
	tell_modern_only(b);
	if (b->second_is_up)
		http_news_hold(b);
	http_release(b);
	if (!b->second_is_up)
		return;
	http_tell_wanted(b);
	http_news_open_first(b);
}

const struct handshake_port http_second_port = {
	.request = second_request,
	.notify = second_notify,
	.hello = second_hello,
	.list = second_list,
	.done = second_done,
	.warn = on_warning,
};
