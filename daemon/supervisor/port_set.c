/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of ports in the text form of the kernel's sysctls.
 */
#include "daemon/supervisor/port_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int port_set_parse(struct port_set *set, const char *text)
{
	memset(set, 0, sizeof(*set));
	for (text += strspn(text, " \t\n"); *text != '\0';) {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (end == text)
			return -EINVAL;
		if (*end == '-') {
			text = end + 1;
			last = strtoul(text, &end, 10);
			if (end == text)
				return -EINVAL;
		}
		if (first > last || last > 65535)
			return -EINVAL;
		for (unsigned long port = first; port <= last; port++)
			port_set_put(set, (uint32_t)port, true);
		text = end + strspn(end, ", \t\n");
		if (text == end && *text != '\0')
			return -EINVAL;
	}
	return 0;
}

char *port_set_print(const struct port_set *set)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		return NULL;
	for (uint32_t first = 0; first < 65536; first++) {
		uint32_t last = first;
		if (!port_set_has(set, first))
			continue;
		while (last < 65535 && port_set_has(set, last + 1))
			last++;
		fprintf(out, ftell(out) > 0 ? ",%u" : "%u", first);
		if (last > first)
			fprintf(out, "-%u", last);
		first = last;
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
