/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An error in words.
 */
#include "daemon/supervisor/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int why_set(struct why *why, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return error;
}

int why_prefix(struct why *why, int error, const char *format, ...)
{
	char text[WHY_SIZE];
	va_list args;

	va_start(args, format);
	int used = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (used >= 0 && (size_t)used < sizeof(text))
		snprintf(text + used, sizeof(text) - (size_t)used, "%.*s",
			 (int)(sizeof(text) - (size_t)used - 1), why->text);
	memcpy(why->text, text, sizeof(why->text));
	return error;
}
