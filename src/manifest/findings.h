/*
 * What the check of a manifest has found: a list of findings, each of a rule. A rule is a row of a table: its name, how
 * bad it is, why, and what to write instead. What is particular to one finding, the value that was seen, is its detail.
 */
#ifndef SLUICE_MANIFEST_FINDINGS_H
#define SLUICE_MANIFEST_FINDINGS_H

#include "base/buf.h"
#include "manifest/yaml.h"

#define FINDINGS_MAX 500 /* that are kept; the rest is counted */

/* An error loses calls or does not start; a warning loses something in some cases; advice is what one would do. */
enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_ADVICE, SEVERITY_COUNT };

struct check;
struct rule;
typedef void rule_check(struct check *c, const struct rule *rule);

struct rule {
	const char *name; /* stable, for people who look for it; NULL ends a table */
	enum severity severity;
	rule_check *check;
	const char *why;     /* one sentence */
	const char *instead; /* what to write */
};

struct finding {
	const struct rule *rule;
	unsigned line, column;
	const char *subject; /* "Deployment/sluice" */
	const char *path;    /* in that document; may name something that is missing there */
	const char *detail;  /* what was seen */
	struct finding *next;
};

/* In the order of their finding. A zeroed struct is an empty list. */
struct findings {
	struct arena arena;
	struct finding *first, *last;
	size_t count[SEVERITY_COUNT]; /* of all, also of those beyond the bound */
};

/* `at` is the value that is wrong, or, with `below`, where something of that path is missing. Neither is NULL. */
void findings_add(
        struct findings *f, const struct rule *rule, const struct yaml_node *at, const char *below, const char *detail);
void findings_free(struct findings *f);

/* "error", "warning", "advice" */
const char *severity_name(enum severity severity);

/* FILE:31:13: error: Deployment/sluice spec...: detail [name], and two lines that are indented: why, and what instead.
 */
void finding_print(const struct finding *f, const char *file, struct buf *out);

/* "Deployment/sluice" */
const char *manifest_subject(struct arena *a, const struct yaml_node *object);

#endif
