/* What the process says when it leaves: docs and scripts rely on these (after sysexits.h). */
#ifndef SLUICE_CLI_EXIT_CODES_H
#define SLUICE_CLI_EXIT_CODES_H

enum {
	EXIT_OK = 0,           /* done, or stopped as asked */
	EXIT_FAILED = 1,       /* `call`: the tool's result is an error; `healthcheck`: not healthy */
	EXIT_USAGE_ERROR = 64, /* the command line */
	EXIT_NO_START = 69,    /* could not bind, or a required server was not up by startDeadline; `call`: no server */
	EXIT_INTERNAL = 70,
	EXIT_CUT = 75, /* with strictExit: calls were aborted, or a backend was killed */
	EXIT_CONFIG = 78
};

#endif
