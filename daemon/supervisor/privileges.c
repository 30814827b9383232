/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The capabilities that the supervisor needs, and no more.
 */
#include "daemon/supervisor/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const unsigned needed[] = {
    CAP_NET_ADMIN, /* attach XDP, XSKMAP, neighbours */
    CAP_NET_RAW,   /* AF_XDP sockets */
    CAP_BPF,       /* programs and maps */
    CAP_PERFMON,   /* loops in the program */
    CAP_IPC_LOCK,  /* UMEM beyond RLIMIT_MEMLOCK */
    CAP_SETUID,    /* children run as their own users */
    CAP_SETGID,
    CAP_KILL,             /* children of another user */
    CAP_NET_BIND_SERVICE, /* hold listening ports below 1024 */
};
/* With fewer the start ends somewhere in its middle, with words of whatever was being opened. */
#define FILES_MIN    64u
#define NEEDED_COUNT (sizeof(needed) / sizeof(needed[0]))

int privileges_check(struct why *why)
{
	char missing[256] = "";

	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process() != 0)
		return why_set(why, -EPERM, "capabilities of this process cannot be read");
	for (size_t i = 0; i < NEEDED_COUNT; i++) {
		size_t used = strlen(missing);
		if (!capng_have_capability(CAPNG_PERMITTED, needed[i]))
			snprintf(missing + used, sizeof(missing) - used, " cap_%s",
				 capng_capability_to_name(needed[i]));
	}
	if (missing[0] == '\0')
		return 0;
	return why_set(why, -EPERM, "missing capabilities:%s; start ixd as root or by systemd's ixd.service",
		       missing);
}

int privileges_reduce(struct why *why)
{
	capng_clear(CAPNG_SELECT_CAPS);
	for (size_t i = 0; i < NEEDED_COUNT; i++)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, needed[i]);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return why_set(why, -EPERM, "capabilities that are not needed cannot be given up");
	return 0;
}

int privileges_raise_files(struct why *why)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return why_set(why, -errno, "RLIMIT_NOFILE cannot be read: %s", strerror(errno));
	if (limit.rlim_max < FILES_MIN)
		return why_set(
		    why, -EMFILE,
		    "RLIMIT_NOFILE is %llu: ixd needs %u descriptors to start, and some for each client "
		    "and connection to it; raise it (LimitNOFILE=, ulimit -n)",
		    (unsigned long long)limit.rlim_max, FILES_MIN);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return 0;
}
