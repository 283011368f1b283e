/*
 * What a workload's configuration says about its lifecycle, as far as it can be seen. A servers.json in a ConfigMap or
 * Secret of the same file has placeholders that only the pod can fill in and names files that only the pod has, so not
 * all of it is loaded: a copy is made of the keys that bear upon the lifecycle, and that copy is loaded.
 */
#ifndef SLUICE_MANIFEST_SETTINGS_H
#define SLUICE_MANIFEST_SETTINGS_H

#include "manifest/workload.h"

/*
 * Fills in config and what belongs to it, up to config_at. `given`, unless NULL, is the configuration that the
 * pod will have, and is used instead of looking for one. What is made is *own, to be freed after the workload's use.
 * `messages` gets what is wrong with it; it has errors when *own is one of defaults only in spite of a text.
 */
void settings_read(struct workload *w, const struct documents *all, const struct config *given, struct config **own,
        struct config_messages *messages);

#endif
