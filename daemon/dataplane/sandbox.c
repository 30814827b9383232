/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dataplane's sandbox. The supervisor has already changed to the dataplane's own user; from here on there is
 * no file to open, no capability to use, and nothing to be gained by execve(2). A system call filter belongs at
 * the end of sandbox_enter().
 */
#include "daemon/dataplane/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

void sandbox_close_files(int first_fd)
{
	close_range((unsigned)first_fd, ~0u, 0);
}

static bool file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool is_written;

	if (fd < 0)
		return false;
	is_written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return is_written;
}

/* A user namespace in which this user is only itself. */
static bool user_namespace_enter(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	/* After a change of user /proc/self belongs to root unless the process may be dumped. */
	prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	if (!file_write("/proc/self/setgroups", "deny"))
		return false;
	snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
	if (!file_write("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof(map), "%u %u 1\n", gid, gid);
	return file_write("/proc/self/gid_map", map);
}

/* /proc is where the empty root is put together: it exists everywhere and is not needed any more. */
static bool root_empty(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,nr_inodes=1,mode=0555") < 0 ||
	    chdir("/proc") < 0)
		return false;
	/* The new root on top of the old one, then the old one away. A root that is an initramfs cannot be
	 * pivoted; without any capability afterwards, chroot is as good. */
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		if (umount2(".", MNT_DETACH) < 0)
			return false;
	} else if (chroot(".") < 0) {
		return false;
	}
	return chdir("/") == 0 &&
	       mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

static bool landlock_enter(void)
{
	/* All rights of the first version are handled, none is granted. */
	struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1};
	long fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	bool is_done;

	if (fd < 0)
		return false;
	is_done = syscall(SYS_landlock_restrict_self, (int)fd, 0) == 0;
	close((int)fd);
	return is_done;
}

const char *sandbox_enter(void)
{
	const char *confined_by = NULL;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (user_namespace_enter() && root_empty())
		confined_by = "empty root";
	else if (landlock_enter())
		confined_by = "Landlock";
	/* The bounding set needs a capability that a process outside of a namespace of its own does not have;
	 * with no new privileges it has no effect anyway. */
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_ALL) < 0)
		capng_apply(CAPNG_SELECT_CAPS);
	/* Keys of connections are in memory: no core dump, no ptrace. */
	prctl(PR_SET_DUMPABLE, 0);
	return confined_by;
}
