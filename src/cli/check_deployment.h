/* sluice check --deployment: will these manifests start, drain and stop it well? */
#ifndef SLUICE_CLI_CHECK_DEPLOYMENT_H
#define SLUICE_CLI_CHECK_DEPLOYMENT_H

#include "cli/cli.h"

/* The rest of `sluice check`; `config` is that of --config, or NULL. Returns the exit code. */
int check_deployment(const struct cli *c, const struct config *config);

#endif
