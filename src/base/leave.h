/*
 * The end of the process: _exit, because exit() would run handlers and join threads that may be blocked for seconds.
 * Coverage and leak-check builds get their say first.
 */
#ifndef SLUICE_BASE_LEAVE_H
#define SLUICE_BASE_LEAVE_H

_Noreturn void process_leave(int code);

/* The same, from another thread while main hangs: without the leak check, which would wait for main. */
_Noreturn void process_leave_hung(int code);

#endif
