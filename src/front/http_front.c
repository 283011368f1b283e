#include "front/http_front.h"

#include <stdlib.h>

#include "base/mem.h"
#include "front/drain.h"
#include "front/respond.h"
#include "front/resting.h"

struct http_front {
	struct loop *loop;
	struct http_front_conf conf;
	struct logger log;
	struct probes probes;
	int64_t started_ms; /* by the wall clock */
	void (*facts)(void *arg, struct process_facts *facts);
	void *facts_arg;
	struct replay *replay;
	struct endpoint_mcp mcp;
	struct endpoint_sse *sse;
	struct gateway *gw;
	struct http_server *server, *admin; /* NULL: not listening */
	bool server_tls, admin_tls;
	struct guard_conf guard, admin_guard;
	mono_t last_request;
	unsigned closing; /* servers that are not closed yet */
	void (*closed)(void *arg);
	void *closed_arg;
	struct post closed_post; /* when there is nothing to close */
	struct post rest_post;
};

static struct endpoint_sse *make_sse(const struct http_front *f)
{
	const struct endpoint_sse_conf conf = {
		.gw = f->gw,
		.sched = loop_sched(f->loop),
		.session_required = f->conf.session_required,
		.max_depth = f->conf.max_depth,
		.base_path = f->conf.base_path,
		.max_streams = f->conf.max_sessions,
		.return_ms = f->conf.replay.time_ms,
	};

	return endpoint_sse_new(&conf);
}

struct http_front *http_front_new(struct loop *l, const struct http_front_conf *conf, struct gateway *gw,
        struct lifecycle *lifecycle, const struct logger *lg)
{
	struct http_front *f = NEW(struct http_front);

	*f = (struct http_front){
		.loop = l,
		.conf = *conf,
		.log = *lg,
		.gw = gw,
		.probes = { .gw = gw,
		        .lifecycle = lifecycle,
		        .loop = l,
		        .started = loop_now(l),
		        .log = lg->log,
		        .version = conf->version },
		.started_ms = clock_wall_ms(),
		.mcp = { .gw = gw,
		        .sched = loop_sched(l),
		        .max_depth = conf->max_depth,
		        .session_required = conf->session_required },
		.guard = { .hosts = conf->allowed_hosts, .origins = conf->allowed_origins },
		.last_request = loop_now(l),
	};
	f->replay = f->mcp.replay = replay_new(&conf->replay, loop_sched(l));
	f->sse = make_sse(f);
	return f;
}

void http_front_free(struct http_front **fp)
{
	struct http_front *f = *fp;

	if (f == NULL)
		return;
	*fp = NULL;
	post_cancel(&f->closed_post);
	post_cancel(&f->rest_post);
	http_server_free(&f->server);
	http_server_free(&f->admin);
	endpoint_sse_free(&f->sse);
	replay_free(&f->replay);
	free(f);
}

/* "/base/mcp/server/github" without "/base"; SPAN_NONE for what is outside. */
static struct span inside_base(const struct http_front *f, struct span path)
{
	struct span base = span_of(f->conf.base_path);

	return span_starts(path, base) ? span_skip(path, base.n) : SPAN_NONE;
}

/* Which servers an MCP path shows. */
static bool mcp_scope(const struct http_front *f, struct span path, int *scope)
{
	*scope = SCOPE_ALL;
	if (span_eq(path, SPAN("/mcp")))
		return true;
	return span_starts(path, SPAN("/mcp/server/")) && gateway_scope(f->gw, span_skip(path, 12), scope);
}

static void on_request(void *arg, struct http_exchange *ex, const struct http_request *req)
{
	struct http_front *f = arg;
	struct span path = req->head->path, inside = inside_base(f, path);
	int scope;

	if (probes_is_path(path))
		probes_request(&f->probes, ex, req);
	else if (mcp_scope(f, inside, &scope))
		endpoint_mcp_request(&f->mcp, scope, ex, req);
	else if (!endpoint_sse_request(f->sse, inside, ex, req))
		respond(ex, req, 404, "text/plain", SPAN("not found\n"));
}

static int on_head(void *arg, const struct request_head *head)
{
	struct http_front *f = arg;

	if (!probes_is_probe(head))
		f->last_request = loop_now(f->loop);
	if (probes_is_path(head->path))
		return 0;
	if (head->expects_continue && gateway_is_refusing(f->gw))
		return 503; /* what it is about to send would be refused */
	return guard_check(&f->guard, head);
}

void http_front_set_facts(struct http_front *f, void (*facts)(void *arg, struct process_facts *facts), void *arg)
{
	f->facts = facts;
	f->facts_arg = arg;
}

static struct metrics_source metrics_source(const struct http_front *f)
{
	return (struct metrics_source){
		.probes = &f->probes,
		.main = f->server,
		.admin = f->admin,
		.max_connections = f->conf.server.max_connections,
		.max_buffered_bytes = f->conf.server.max_buffered_bytes,
		.max_in_flight = f->conf.max_in_flight,
		.max_sessions = f->conf.max_sessions,
		.replay_bytes = replay_bytes(f->replay),
		.max_replay_bytes = f->conf.replay.total_bytes,
		.started_ms = f->started_ms,
		.facts = f->facts,
		.facts_arg = f->facts_arg,
	};
}

static void answer_operator(struct http_front *f, struct http_exchange *ex, const struct http_request *req)
{
	const struct metrics_source from = metrics_source(f);

	admin_request(&from, ex, req);
}

static void on_admin_request(void *arg, struct http_exchange *ex, const struct http_request *req)
{
	struct http_front *f = arg;

	if (probes_is_path(req->head->path))
		probes_request(&f->probes, ex, req);
	else if (admin_is_path(req->head->path))
		answer_operator(f, ex, req);
	else if (drain_is_path(req->head->path))
		drain_request(&f->probes, ex, req);
	else
		respond(ex, req, 404, "text/plain", SPAN("not found\n"));
}

static int on_admin_head(void *arg, const struct request_head *head)
{
	struct http_front *f = arg;

	return probes_is_path(head->path) ? 0 : guard_check(&f->admin_guard, head);
}

static struct http_server *listen_at(
        struct http_front *f, const struct http_front_port *port, const struct http_handler *handler, struct err *e)
{
	struct http_server *s =
	        port->fd >= 0 ? http_server_adopt(f->loop, port->fd, &f->conf.server, handler, &f->log, e)
	                      : http_server_listen(f->loop, port->address, &f->conf.server, handler, &f->log, e);

	if (s != NULL && port->tls != NULL)
		http_server_use_tls(s, port->tls);
	return s;
}

bool http_front_listen(struct http_front *f, const struct http_front_port *port, struct err *e)
{
	const struct http_handler handler = { .request = on_request, .head = on_head, .arg = f };

	f->guard.loopback = guard_is_loopback(port->address);
	f->server = listen_at(f, port, &handler, e);
	if (f->server == NULL)
		return false;
	f->server_tls = port->tls != NULL;
	log_info(&f->log, "listening", "serving MCP over HTTP", F_STR("address", http_server_address(f->server)),
	        F_BOOL("tls", f->server_tls), F_BOOL("inherited", port->fd >= 0));
	return true;
}

bool http_front_listen_admin(struct http_front *f, const struct http_front_port *port, struct err *e)
{
	const struct http_handler handler = { .request = on_admin_request, .head = on_admin_head, .arg = f };

	f->admin_guard.loopback = guard_is_loopback(port->address);
	f->admin = listen_at(f, port, &handler, e);
	if (f->admin == NULL)
		return false;
	f->admin_tls = port->tls != NULL;
	log_info(&f->log, "admin_listening", "serving probes, metrics and status",
	        F_STR("address", http_server_address(f->admin)), F_BOOL("tls", f->admin_tls),
	        F_BOOL("inherited", port->fd >= 0));
	return true;
}

void http_front_renew_tls(struct http_front *f, struct tls_context *tls)
{
	if (f->server_tls)
		http_server_use_tls(f->server, tls);
	if (f->admin_tls)
		http_server_use_tls(f->admin, tls);
}

void http_front_announce(struct http_front *f, bool on)
{
	if (f->server != NULL)
		http_server_announce_close(f->server, on);
}

static void on_end_resting(void *arg)
{
	struct http_front *f = arg;
	struct resting rest;

	resting_begin(&rest, f->gw);
	http_server_end_resting(f->server, resting_stays, &rest);
	resting_end(&rest);
}

void http_front_end_resting(struct http_front *f)
{
	if (f->server != NULL)
		post_set(loop_sched(f->loop), &f->rest_post, on_end_resting, f);
}

mono_t http_front_last_request(const struct http_front *f)
{
	return f->last_request;
}

static void on_all_closed(void *arg)
{
	struct http_front *f = arg;

	f->closed(f->closed_arg);
}

static void on_server_closed(void *arg)
{
	struct http_front *f = arg;

	if (--f->closing == 0)
		on_all_closed(f);
}

void http_front_close(struct http_front *f, mono_t deadline, void (*done)(void *arg), void *arg)
{
	struct http_server *const servers[] = { f->server, f->admin };

	f->closed = done;
	f->closed_arg = arg;
	endpoint_sse_close(f->sse);
	f->closing = (f->server != NULL ? 1u : 0u) + (f->admin != NULL ? 1u : 0u);
	if (f->closing == 0)
		post_set(loop_sched(f->loop), &f->closed_post, on_all_closed, f);
	for (size_t i = 0; i < 2; i++)
		if (servers[i] != NULL)
			http_server_close(servers[i], deadline, on_server_closed, f);
}

void http_front_leave(struct http_front *f)
{
	if (f->admin != NULL)
		http_server_leave(f->admin);
	if (f->server != NULL)
		http_server_leave(f->server);
}

static struct http_server_stats main_stats(const struct http_front *f)
{
	struct http_server_stats stats = { 0 };

	if (f->server != NULL)
		http_server_stats(f->server, &stats);
	return stats;
}

uint64_t http_front_late_connections(const struct http_front *f)
{
	return main_stats(f).late_connections;
}

uint64_t http_front_undelivered(const struct http_front *f)
{
	return f->server != NULL ? http_server_undelivered(f->server) : 0;
}
