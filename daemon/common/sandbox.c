/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sandbox of the unprivileged processes.
 */
#include "daemon/common/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The highest access right of each Landlock version (1, 2, …): bits below are all defined. Later versions
 * than these are asked for no more than what is known here, which is every way to open, make, rename or
 * truncate. */
static const uint64_t landlock_fs_rights[] = {(1u << 13) - 1, (1u << 14) - 1, (1u << 15) - 1};

/* A new root needs a place to be mounted on; any directory that is there will do. */
static const char *const mount_points[] = {"/tmp", "/run", "/proc", "/dev", "/etc"};

static int mount_empty(void)
{
	for (size_t i = 0; i < sizeof(mount_points) / sizeof(mount_points[0]); i++)
		if (mount("ixd", mount_points[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
			  "size=4k,nr_inodes=1,mode=0555") == 0)
			return chdir(mount_points[i]) == 0 ? 0 : -errno;
	return -errno;
}

/* The new user namespace is what gives an unprivileged process the right to mount; that right ends with the
 * capabilities, which are dropped right after. The old root is covered by the new one for an instant
 * (pivot_root(2), "pivot_root(".", ".")") and detached; no descriptor to it is held. */
static int enter_empty_root(void)
{
	int err;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return -errno;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	err = mount_empty();
	if (err)
		return err;
	if (syscall(SYS_pivot_root, ".", "."))
		return -errno;
	if (umount2(".", MNT_DETACH))
		return -errno;
	return chdir("/") == 0 ? 0 : -errno;
}

/* A ruleset that handles every right and allows none. */
static int enter_landlock(void)
{
	struct landlock_ruleset_attr attr = {0};
	const long versions = (long)(sizeof(landlock_fs_rights) / sizeof(landlock_fs_rights[0]));
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (version < 1)
		return -errno;
	attr.handled_access_fs = landlock_fs_rights[(version < versions ? version : versions) - 1];
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	int err = syscall(SYS_landlock_restrict_self, ruleset, 0) ? -errno : 0;
	close(ruleset);
	return err;
}

static int drop_capabilities(void)
{
	/* Works in the new user namespace only. Without one there is no capability to start from, and
	 * no_new_privs keeps an exec from giving any, so a bounding set that stays is harmless. */
	capng_clear(CAPNG_SELECT_BOUNDS);
	(void)capng_apply(CAPNG_SELECT_BOUNDS);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return -errno;
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	if (capng_get_caps_process() || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		return -EPERM;
	return 0;
}

int sandbox_enter(enum sandbox_root *root)
{
	enum sandbox_root got = SANDBOX_ROOT_EMPTY;
	int err;

	/* Root's files stay root's behind a user namespace or Landlock, but a mapped root is a risk for
	 * nothing. */
	if (getuid() == 0 || geteuid() == 0)
		return -EPERM;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	err = enter_empty_root();
	if (err) {
		got = SANDBOX_ROOT_LANDLOCK;
		err = enter_landlock();
		if (err)
			return err;
	}
	err = drop_capabilities();
	if (err)
		return err;
	/* Changing credentials may have cleared it. A parent that died before this is noticed by the end of
	 * file on its socket. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	if (root)
		*root = got;
	return 0;
}

static int compare_fds(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

int sandbox_close_fds(const int *keep, unsigned count)
{
	int *sorted = calloc((size_t)count + 1, sizeof(*sorted));
	unsigned first = STDERR_FILENO + 1;
	int err = 0;

	if (!sorted)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++)
		sorted[i] = keep[i];
	qsort(sorted, count, sizeof(*sorted), compare_fds);
	for (unsigned i = 0; i < count && err == 0; i++) {
		if (sorted[i] < (int)first)
			continue;
		unsigned fd = (unsigned)sorted[i];
		if (fd > first && close_range(first, fd - 1, 0))
			err = -errno;
		first = fd + 1;
	}
	if (err == 0 && close_range(first, ~0u, 0))
		err = -errno;
	free(sorted);
	return err;
}

const char *sandbox_root_name(enum sandbox_root root)
{
	return root == SANDBOX_ROOT_EMPTY ? "empty root" : "Landlock";
}
