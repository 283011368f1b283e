/* sluice healthcheck: a container's health, without curl in it. */
#include "cli/cli.h"
#include "cli/get.h"

#define DEFAULT_URL "http://127.0.0.1:8080/health"
#define TIMEOUT_MS 5000

int cli_healthcheck(const struct cli *c)
{
	const char *text = c->argc > 0 ? c->argv[0] : DEFAULT_URL;
	struct get_url url;
	struct buf body = { 0 };
	struct err e;
	int status = 0;

	if (!get_url_parse(&url, span_of(text), &e)) {
		fprintf(c->err, "sluice healthcheck: %s\n", e.text);
		return CLI_USAGE;
	}
	get_url_trust(&url, c);
	bool answered = get_fetch(&url, TIMEOUT_MS, &status, &body, &e);
	buf_free(&body);
	if (answered && status / 100 == 2)
		return CLI_OK;
	if (answered)
		err_set(&e, "%s answers with status %d", text, status);
	fprintf(c->err, "sluice healthcheck: %s\n", e.text);
	return CLI_FAILED;
}
