/*
 * Whatever the manifests say: they are no YAML and the error says so, or every finding has a place and can be printed,
 * errors are counted, and a second look finds the same.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "manifest/deployment.h"

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_findings(const struct deployment *d, struct buf *out)
{
	size_t printed = 0, counted = 0;

	for (const struct finding *f = d->findings.first; f != NULL; f = f->next, printed++) {
		demand(f->line > 0 && f->column > 0 && f->subject[0] != '\0');
		finding_print(f, "-", out);
	}
	for (unsigned i = 0; i < SEVERITY_COUNT; i++)
		counted += d->findings.count[i];
	demand(printed == (counted < FINDINGS_MAX ? counted : FINDINGS_MAX));
	demand(d->planned != NULL || d->findings.count[SEVERITY_ERROR] > 0);
}

static void check_plans(const struct deployment *d, struct buf *out)
{
	for (const struct planned *p = d->planned; p != NULL; p = p->next) {
		struct budget b = budget_at(&p->conf, p->stop_eof_ms, p->stop_term_ms, (mono_t){ 0 });
		budget_print(&b, &p->conf, out);
	}
}

static struct buf look(struct span text)
{
	struct deployment d = { 0 };
	struct buf out = { 0 };
	struct err e = { 0 };

	if (deployment_check(text, NULL, &d, &e)) {
		check_findings(&d, &out);
		check_plans(&d, &out);
	} else {
		demand(e.text[0] != '\0' && d.findings.first == NULL);
		buf_add(&out, span_of(e.text));
	}
	deployment_free(&d);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct buf once = look(text), again = look(text);

	demand(span_eq(buf_span(&once), buf_span(&again)));
	buf_free(&once);
	buf_free(&again);
	return 0;
}
