/*
 * What a new configuration changes in a gateway that runs. Which keys can be applied to it is said in the tables of
 * keys (LIVE); the others wait for a restart, and are named by their paths. Pure.
 */
#ifndef SLUICE_CONFIG_DIFF_H
#define SLUICE_CONFIG_DIFF_H

#include "config/config.h"

struct config_diff {
	bool servers; /* one was added, removed or changed, or their order */
	bool session_keys, lifecycle, log_level;
	bool tls; /* other certificates for who connects from now on; whether there is TLS at all is not this */
	struct buf restart; /* "http.basePath, limits.maxDepth"; empty when there is none */
};

/*
 * `next` against what is in force: `live` was applied last, `started` is what the process was started with. Its limits
 * stay in force for the servers of `next` too, and are put into them.
 */
void config_diff(
        const struct config *started, const struct config *live, struct config *next, struct config_diff *diff);
void config_diff_free(struct config_diff *diff);

/* Something can be applied. */
bool config_diff_is_live(const struct config_diff *diff);

#endif
