#include "backend/discovery.h"

#include <assert.h>
#include <stdio.h>

#include "base/map.h"

#define PROBE_MS 10000 /* for one help text */

/* The program or a subcommand. */
struct command_node {
	struct list in_waiting;
	struct command_node *first, *last, *next; /* below it; beside it */
	const char *const *words;
	unsigned depth;
	struct span summary;
	struct help_text help;
	bool known;
	bool silent;   /* it is not asked again: too slow, or it tells the same as its parent */
	bool slow;     /* its help text did not come */
	bool group;    /* has subcommands, wanted or not */
	size_t asked;  /* how often */
	uint64_t mark; /* of its text */
	struct command_node *parent;
};

static const char *const usual_help[] = { "--help", "-h" };
#define USUAL_HELP (sizeof(usual_help) / sizeof(usual_help[0]))

static void ask_more(struct discovery *d);

void command_tools_clear(struct command_tools *t)
{
	arena_free(&t->arena);
	*t = (struct command_tools){ 0 };
}

/* --- which are wanted --- */

static bool matches(struct span pattern, const char *const *words, bool leaf)
{
	struct span part;

	while (span_next(&pattern, ' ', &part)) {
		if (part.n == 0)
			continue;
		if (*words == NULL)
			return !leaf; /* the pattern says more */
		if (!span_glob(part, span_of(*words)))
			return false;
		words++;
	}
	return true;
}

bool discovery_wants(const char *const *only, const char *const *words, bool leaf)
{
	if (only == NULL)
		return true;
	for (; *only != NULL; only++)
		if (matches(span_of(*only), words, leaf))
			return true;
	return false;
}

/* --- nodes --- */

static const char *const *words_below(struct arena *a, const struct command_node *parent, struct span name)
{
	const char **words = ARENA_ARRAY(a, const char *, parent->depth + 2);

	for (unsigned i = 0; i < parent->depth; i++)
		words[i] = parent->words[i];
	words[parent->depth] = arena_copy(a, name).p;
	return words;
}

static void add_node(struct discovery *d, struct command_node *parent, const struct help_command *command)
{
	struct command_node *node = ARENA_NEW(&d->found.arena, struct command_node);

	node->words = words_below(&d->found.arena, parent, command->name);
	node->parent = parent;
	node->depth = parent->depth + 1;
	node->summary = command->description;
	bool deeper = node->depth < d->conf->depth && !d->late;
	if (!discovery_wants(d->conf->only, node->words, !deeper))
		return;
	if (d->nodes == DISCOVERY_TOOLS) {
		d->cut = true;
		return;
	}
	d->nodes++;
	if (parent->last != NULL)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	if (deeper)
		list_append(&d->waiting, &node->in_waiting);
}

static void add_below(struct discovery *d, struct command_node *node)
{
	node->group = node->help.commands != NULL;
	for (const struct help_command *c = node->help.commands; c != NULL; c = c->next)
		add_node(d, node, c);
}

/* --- the end --- */

static size_t count_tools(const struct command_node *node)
{
	size_t n = node->group ? 0 : 1;

	for (const struct command_node *below = node->first; below != NULL; below = below->next)
		n += count_tools(below);
	return n;
}

/* Depth is bounded by the configuration. */
static void make_tools(struct discovery *d, const struct command_node *node, struct map *names)
{
	struct command_tool *tool = &d->found.tools[d->found.count];

	for (const struct command_node *below = node->first; below != NULL; below = below->next)
		make_tools(d, below, names);
	if (node->group || !discovery_wants(d->conf->only, node->words, true))
		return;
	command_tool_from_help(
	        &d->found.arena, d->conf->argv[0], node->words, node->summary, node->known ? &node->help : NULL, tool);
	if (map_get(names, tool->name) != NULL) {
		log_warn(d->log, "command_name_taken", "two subcommands have one name as tools; the first is used",
		        F_SPAN("tool", tool->name));
		return;
	}
	map_put(names, tool->name, tool);
	d->found.count++;
}

static void make_presets(struct discovery *d)
{
	const struct backend_conf *conf = d->conf;

	d->found.tools = ARENA_ARRAY(&d->found.arena, struct command_tool, conf->preset_count + 1);
	for (size_t i = 0; i < conf->preset_count; i++)
		command_tool_from_preset(&d->found.arena, &conf->presets[i], &d->found.tools[d->found.count++]);
}

static void conclude(struct discovery *d)
{
	struct map names = { 0 };

	d->found.tools = ARENA_ARRAY(&d->found.arena, struct command_tool, count_tools(d->root) + 1);
	make_tools(d, d->root, &names);
	map_free(&names);
	if (d->cut)
		log_warn(d->log, "command_discovery_cut", "not all help texts were read: some tools have no schema");
	if (d->found.count == 0)
		snprintf(d->fault, sizeof(d->fault), "none of its subcommands is in cliOnly");
}

static void tell_done(void *arg)
{
	struct discovery *d = arg;
	bool failed = d->fault[0] != '\0' || d->stopping;

	d->active = false;
	timer_stop(loop_sched(d->loop), &d->deadline);
	if (failed)
		command_tools_clear(&d->found);
	d->done(d->arg, d->fault[0] != '\0' ? d->fault : failed ? "stopped" : NULL);
}

static void done_soon(struct discovery *d)
{
	post_set(loop_sched(d->loop), &d->post, tell_done, d);
}

/* --- asking --- */

static bool is_word(const char *help)
{
	return help[0] != '-';
}

static size_t count(const char *const *words)
{
	size_t n = 0;

	while (words[n] != NULL)
		n++;
	return n;
}

static size_t append(const char **to, size_t n, const char *const *words)
{
	for (; *words != NULL; words++)
		to[n++] = *words;
	return n;
}

/* "prog remote --help", but "prog help remote" */
static const char *const *help_argv(struct discovery *d, const struct command_node *node)
{
	const char *const usual[] = { usual_help[node->asked % USUAL_HELP], NULL };
	const char *const *help = d->conf->help != NULL ? d->conf->help : usual;
	const char **argv =
	        ARENA_ARRAY(&d->found.arena, const char *, count(d->conf->argv) + count(help) + node->depth + 1);
	bool first = help[0] != NULL && is_word(help[0]);
	size_t n = append(argv, 0, d->conf->argv);

	if (first)
		n = append(argv, n, help);
	n = append(argv, n, node->words);
	if (!first)
		append(argv, n, help);
	return argv;
}

/* FNV-1a, for "the same text as its parent's" */
static uint64_t mark_of(struct span text)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < text.n; i++)
		hash = (hash ^ (unsigned char)text.p[i]) * 0x100000001b3u;
	return hash;
}

/* A program that does not look at what it is asked for tells the same of each subcommand. */
static bool is_known_text(const struct command_node *node, uint64_t mark)
{
	for (const struct command_node *up = node->parent; up != NULL; up = up->parent)
		if (up->known && up->mark == mark)
			return true;
	return false;
}

static struct span program_name(const struct backend_conf *conf)
{
	const char *slash = strrchr(conf->argv[0], '/');

	return span_of(slash != NULL ? slash + 1 : conf->argv[0]);
}

static bool read_text(struct discovery *d, struct command_node *node, struct span text)
{
	struct help_text help;
	uint64_t mark = mark_of(text);

	node->silent |= is_known_text(node, mark);
	if (text.n == 0 || node->silent)
		return false;
	help_text_read(&d->found.arena, text, program_name(d->conf), &help);
	if (!help_text_is_known(&help))
		return false;
	node->help = help;
	node->mark = mark;
	node->known = true;
	return true;
}

static struct span last_line(struct span text)
{
	struct span line, last = SPAN("");

	while (span_next(&text, '\n', &line))
		if (span_trim(line).n > 0)
			last = span_trim(line);
	return span_cut(last, 200);
}

static msec_t probe_ms(const struct discovery *d)
{
	msec_t half = d->conf->startup_timeout_ms / 2;

	return half < PROBE_MS ? half : PROBE_MS;
}

/* The program itself says nothing that can be read. One that does not mind being asked is a tool all the same. */
static void give_up(struct discovery *d, const struct run_result *result)
{
	bool fine = !result->how.signaled && result->how.code == 0 && result->out_bytes > 0;
	struct span last = last_line(result->err.n > 0 ? result->err : result->out);
	const char *asked = d->conf->help != NULL && d->conf->help[0] != NULL ? d->conf->help[0] : usual_help[0];

	if (fine)
		log_warn(d->log, "command_help_unknown", "its help text is not understood: one tool without flags");
	else if (d->root->slow)
		snprintf(d->fault, sizeof(d->fault), "asked for help (%s) it does not end within %lld ms", asked,
		        (long long)probe_ms(d));
	else
		snprintf(d->fault, sizeof(d->fault),
		        "asked for help (%s) it %s %d, and says nothing that can be read: \"%.*s\"", asked,
		        result->how.signaled ? "was killed by signal" : "exited with code", result->how.code,
		        SPAN_ARG(last));
}

static void end_probe(struct probe *p)
{
	struct discovery *d = p->discovery;

	timer_stop(loop_sched(d->loop), &p->timer);
	*p = (struct probe){ 0 };
	d->running--;
}

static void answered(void *arg, const struct run_result *result)
{
	struct probe *p = arg;
	struct discovery *d = p->discovery;
	struct command_node *node = p->node;

	end_probe(p);
	if (read_text(d, node, result->out) || read_text(d, node, result->err))
		add_below(d, node);
	else if (d->conf->help == NULL && !node->silent && !d->late && ++node->asked < USUAL_HELP)
		list_append(&d->waiting, &node->in_waiting);
	else if (node == d->root)
		give_up(d, result);
	ask_more(d);
}

static void too_slow(void *arg)
{
	struct probe *p = arg;

	log_info(p->discovery->log, "command_help_slow", "a help text does not come: the program is stopped");
	p->node->slow = p->node->silent = true;
	run_stop(p->run, CHILD_STOP_FAST);
}

static struct probe *free_probe(struct discovery *d)
{
	for (size_t i = 0; i < DISCOVERY_PROBES; i++)
		if (d->probes[i].discovery == NULL)
			return &d->probes[i];
	return NULL;
}

static void ask(struct discovery *d, struct probe *p, struct command_node *node)
{
	struct child_conf child = d->child;
	struct err e;

	child.argv = help_argv(d, node);
	const struct run_conf conf = {
		.child = &child,
		.keep_bytes = HELP_BYTES_MAX,
		.keep_err_bytes = HELP_BYTES_MAX,
		.flood_bytes = 4 * HELP_BYTES_MAX,
	};
	*p = (struct probe){ .discovery = d, .node = node };
	p->run = run_start(d->loop, d->supervisor, &conf, answered, p, &e);
	if (p->run == NULL) {
		*p = (struct probe){ 0 };
		if (node == d->root)
			snprintf(d->fault, sizeof(d->fault), "%s", e.text);
		return;
	}
	d->running++;
	timer_set_in(loop_sched(d->loop), &p->timer, probe_ms(d), too_slow, p);
}

static void ask_more(struct discovery *d)
{
	struct probe *p;

	if (d->found.arena.used > DISCOVERY_BYTES && !list_is_empty(&d->waiting)) {
		d->cut = true;
		list_init(&d->waiting);
	}
	while (!d->stopping && d->fault[0] == '\0' && !list_is_empty(&d->waiting) && (p = free_probe(d)) != NULL) {
		struct list *node = list_take_first(&d->waiting);
		ask(d, p, list_entry(node, struct command_node, in_waiting));
	}
	if (d->running > 0)
		return;
	if (!d->stopping && d->fault[0] == '\0')
		conclude(d);
	done_soon(d);
}

static void stop_probes(struct discovery *d, enum child_stop how)
{
	for (size_t i = 0; i < DISCOVERY_PROBES; i++)
		if (d->probes[i].run != NULL)
			run_stop(d->probes[i].run, how);
}

/* What has been found by now will do, once the program itself has answered. */
static void out_of_time(void *arg)
{
	struct discovery *d = arg;

	if (!d->root->known)
		return;
	d->cut = true;
	d->late = true;
	list_init(&d->waiting);
	stop_probes(d, CHILD_STOP_FAST);
}

/* --- the outside --- */

void discovery_init(struct discovery *d, struct loop *l, struct supervisor *s, const struct logger *lg,
        void (*done)(void *arg, const char *fault), void *arg)
{
	*d = (struct discovery){ .loop = l, .supervisor = s, .log = lg, .done = done, .arg = arg };
	list_init(&d->waiting);
}

void discovery_start(struct discovery *d, const struct backend_conf *conf, const struct child_conf *child)
{
	static const char *const no_words[] = { NULL };

	assert(!d->active && d->running == 0);
	command_tools_clear(&d->found);
	d->conf = conf;
	d->child = *child;
	d->active = true;
	d->stopping = d->cut = d->late = false;
	d->fault[0] = '\0';
	d->nodes = 0;
	list_init(&d->waiting);
	if (conf->presets != NULL) {
		make_presets(d);
		done_soon(d);
		return;
	}
	d->root = ARENA_NEW(&d->found.arena, struct command_node);
	d->root->words = no_words;
	list_append(&d->waiting, &d->root->in_waiting);
	timer_set_in(loop_sched(d->loop), &d->deadline, conf->startup_timeout_ms * 3 / 4, out_of_time, d);
	ask_more(d);
}

void discovery_stop(struct discovery *d, enum child_stop how)
{
	if (!d->active)
		return;
	d->stopping = true;
	list_init(&d->waiting);
	stop_probes(d, how);
	if (d->running == 0)
		done_soon(d);
}

void discovery_limit_stop(struct discovery *d, msec_t term_ms)
{
	d->child.stop_term_ms = term_ms < d->child.stop_term_ms ? term_ms : d->child.stop_term_ms;
	for (size_t i = 0; i < DISCOVERY_PROBES; i++)
		if (d->probes[i].run != NULL)
			run_limit_stop(d->probes[i].run, term_ms);
}

void discovery_configure(struct discovery *d, const struct backend_conf *conf, const struct child_conf *child)
{
	d->conf = conf;
	d->child = *child;
}

struct command_tools discovery_take(struct discovery *d)
{
	struct command_tools found = d->found;

	d->found = (struct command_tools){ 0 };
	return found;
}

void discovery_clear(struct discovery *d)
{
	assert(d->running == 0);
	timer_stop(loop_sched(d->loop), &d->deadline);
	post_cancel(&d->post);
	command_tools_clear(&d->found);
}
