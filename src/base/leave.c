#include "base/leave.h"

#include <unistd.h>

#ifdef SLUICE_COVERAGE
void __gcov_dump(void);
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

_Noreturn void process_leave_hung(int code)
{
#ifdef SLUICE_COVERAGE
	__gcov_dump();
#endif
	_exit(code);
}

_Noreturn void process_leave(int code)
{
#if defined(__SANITIZE_ADDRESS__)
	__lsan_do_leak_check();
#endif
	process_leave_hung(code);
}
