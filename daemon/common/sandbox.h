/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the unprivileged processes shut themselves in: no file system, no capability, no way to gain one, no
 * descriptor but those they were given. Called by dataplane and control after the supervisor has changed
 * their user, and before they start a thread or read a byte of a stranger.
 */
#ifndef DAEMON_COMMON_SANDBOX_H
#define DAEMON_COMMON_SANDBOX_H

/* What keeps the process away from the file system. */
enum sandbox_root {
	SANDBOX_ROOT_EMPTY, /* a user and a mount namespace of its own whose root is an empty, read-only tmpfs
			     */
	SANDBOX_ROOT_LANDLOCK, /* Landlock refuses every access to files */
};

/*
 * Enters the sandbox: no_new_privs, the empty root or else Landlock, then an empty capability set (bounding
 * and ambient sets included where the kernel lets us), and SIGKILL when the parent dies. For a process with
 * one thread that is not root. On success *root (may be NULL) says what was got, and nothing can undo it.
 * 0, -EPERM for root or when capabilities remain, else the errno of the last resort that failed: the caller
 * must not go on then.
 */
int sandbox_enter(enum sandbox_root *root);

/* Closes every descriptor above 2 that is not among the count ones in keep (in any order; negative ones are
 * skipped). 0 or negative errno. */
int sandbox_close_fds(const int *keep, unsigned count);

const char *sandbox_root_name(enum sandbox_root root); /* "empty root"; static */

#endif
