#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool err_set(struct err *e, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(e->text, sizeof(e->text), format, ap);
	va_end(ap);
	e->sys = 0;
	return false;
}

bool err_sys(struct err *e, const char *format, ...)
{
	int sys = errno;
	char context[ERR_TEXT_MAX / 2];
	va_list ap;

	va_start(ap, format);
	vsnprintf(context, sizeof(context), format, ap);
	va_end(ap);
	snprintf(e->text, sizeof(e->text), "%s: %s", context, strerror(sys));
	e->sys = sys;
	return false;
}

bool err_wrap(struct err *e, const char *format, ...)
{
	char context[ERR_TEXT_MAX / 2];
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(context, sizeof(context), format, ap);
	va_end(ap);
	memcpy(text, e->text, sizeof(text));
	snprintf(e->text, sizeof(e->text), "%s: %.*s", context, (int)(sizeof(text) - strlen(context) - 3), text);
	return false;
}
