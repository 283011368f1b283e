/* sluice list: what do the servers offer? */
#include "cli/listing.h"
#include "cli/oneshot.h"
#include "cli/terminal.h"

static void tell_warning(void *arg, struct span name, const char *what)
{
	oneshot_complain(arg, "%.*s: %s", SPAN_ARG(name), what);
}

static void put_lists(struct oneshot *o)
{
	const struct cli *c = o->cli;
	struct catalog *catalog = gateway_catalog(o->app.gateway);

	catalog_warnings(catalog, tell_warning, o);
	if (c->options.json || !terminal_is(c->out)) {
		listing_put_json(catalog, &o->out);
		return;
	}
	listing_put_tables(
	        catalog, terminal_width(c->out, c->environment), cli_wants_colour(c->out, c->environment), &o->out);
	if (buf_size(&o->out) == 0)
		buf_add(&o->out, SPAN("Nothing is offered.\n"));
}

int cli_list(const struct cli *c)
{
	struct oneshot o;
	int scope = SCOPE_ALL;

	oneshot_open(&o, c, "list");
	if (c->argc > 0 && !oneshot_find_server(&o, c->argv[0], &scope))
		oneshot_end(&o, CLI_USAGE);
	if (o.app.config->server_count == 0)
		oneshot_complain(&o, "no server is configured in %s", o.app.config->source);
	if (!oneshot_start(&o, scope)) {
		oneshot_tell_cut(&o);
		oneshot_end(&o, CLI_FAILED);
	}
	if (oneshot_tell_down(&o, scope) == 0 && o.app.config->server_count > 0)
		oneshot_end(&o, CLI_UNAVAILABLE);
	put_lists(&o);
	oneshot_end(&o, CLI_OK);
}
