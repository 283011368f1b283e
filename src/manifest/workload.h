/*
 * A workload that runs Sluice, as it stands in a manifest: a Deployment, StatefulSet, DaemonSet or Pod, the container
 * in it, how the process is started, what hook and probes it has, and the configuration when that can be seen. What is
 * not said has the default that Kubernetes or Sluice gives it. All of it points into the trees and the arena.
 */
#ifndef SLUICE_MANIFEST_WORKLOAD_H
#define SLUICE_MANIFEST_WORKLOAD_H

#include "config/config.h"
#include "manifest/yaml.h"

#define ANY_NUMBER 1000000 /* of replicas: as many as there are nodes, say */

enum workload_kind { KIND_DEPLOYMENT, KIND_STATEFUL_SET, KIND_DAEMON_SET, KIND_POD, KIND_COUNT };

/* An address that the process listens at, from --http or --admin. */
struct listening {
	bool known; /* false: an image's own arguments say it */
	bool on, loopback;
	int64_t port;
	const struct yaml_node *at; /* the argument; NULL: it is not given */
};

/* How the process is started, by command and args. */
struct start {
	bool known;          /* the words of the command line are seen, not an image's own, nor a shell's script */
	struct span command; /* "serve" */
	struct span config;  /* of --config or the environment; may be not set */
	bool insecure;
	struct listening main, admin;
	struct span grace;                /* of --grace-period; may be not set */
	const struct yaml_node *grace_at; /* NULL: it is not given */
	const struct yaml_node *shell;    /* a shell that starts it: its script */
};

enum hook_kind { HOOK_NONE, HOOK_SLEEP, HOOK_HTTP, HOOK_EXEC, HOOK_OTHER };

/* lifecycle.preStop */
struct hook {
	enum hook_kind kind;
	const struct yaml_node *at; /* the handler: .sleep, .httpGet, .exec */
	msec_t takes_ms;            /* a sleep of any kind; 0: not known */
	bool drains;                /* it asks Sluice to drain */
	bool tells;                 /* that the grace period began: hook=1, --hook */
	bool foreign;               /* it runs a program other than Sluice */
};

enum probe_kind { PROBE_NONE, PROBE_HTTP, PROBE_EXEC, PROBE_TCP, PROBE_GRPC };

struct probe {
	const char *name; /* "livenessProbe" */
	enum probe_kind kind;
	const struct yaml_node *at;      /* NULL: there is none */
	const struct yaml_node *handler; /* .httpGet, .exec */
	struct span path;
	int64_t port; /* 0: not known */
	int64_t period, timeout, failures, initial_delay;
};

enum { PROBE_STARTUP, PROBE_READINESS, PROBE_LIVENESS, PROBE_COUNT };

struct workload {
	enum workload_kind kind;
	const struct yaml_node *document, *template, *spec; /* the object, what has the pod's labels, the pod's spec */
	const struct yaml_node *container;
	bool init, sidecar;               /* among the initContainers: without and with restartPolicy Always */
	int64_t least, most;              /* replicas: differ where something scales it */
	const struct yaml_node *scaler;   /* NULL: there is none in the file */
	msec_t grace_ms;                  /* terminationGracePeriodSeconds */
	const struct yaml_node *grace_at; /* the spec, when it is not given */
	struct start start;
	struct hook hook;
	struct probe probes[PROBE_COUNT];
	const struct config *config; /* what is known of it; defaults when it is not seen */
	bool config_seen, session_keys, tls;
	const char
	        *runner; /* "npx": a program that one of its servers needs, and that a bare image has not; NULL: none */
	const struct yaml_node *config_at; /* where its text is; NULL: not in the file */
};

/* A list of pointers to all documents, with those in documents of kind List. */
struct documents {
	const struct yaml_node **items;
	size_t count;
};

struct documents documents_of(struct arena *a, const struct yaml_node *first);

#define DOCUMENTS_MAX 2000 /* that a check looks at: each workload is compared with all others */

/*
 * The container of `document` that runs the gateway, and what is said about it there and in the others; false when it
 * has none. The configuration is not filled in: settings.h does.
 */
bool workload_read(struct workload *w, const struct documents *all, const struct yaml_node *document);

/* The labels of its pods have all of these; false when there are none to match. */
bool workload_selected(const struct workload *w, const struct yaml_node *match_labels);

/* The entry of `env` with that name; NULL when there is none. Its `value` may be missing: it comes from elsewhere. */
const struct yaml_node *workload_env(const struct workload *w, const char *name);

/* The value of a variable, where the manifest says it; not set otherwise. */
struct span workload_variable(const struct workload *w, const char *name);

/*
 * Its image has no program but Sluice, as far as the image's name tells: those with runners for servers say so, and a
 * digest alone says nothing.
 */
bool workload_is_bare(const struct workload *w);

/* A port that is given as a number, or by the name of one of the container's ports; 0: there is none of that name. */
int64_t workload_port(const struct workload *w, const struct yaml_node *port);

/* The last part of a program's or an image's path. */
struct span base_name(struct span path);

#endif
