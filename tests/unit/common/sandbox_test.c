/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sandbox: what a process that entered it can no longer do. Each case runs in a child, because there is
 * no way back.
 */
#include "daemon/common/sandbox.h"

#include <criterion/criterion.h>
#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

enum result { RESULT_OK, RESULT_NO_USER, RESULT_NOT_ENTERED, RESULT_FILE_SEEN, RESULT_CAPS, RESULT_MEMORY };

static enum result become_nobody(void)
{
	if (getuid() != 0)
		return RESULT_OK;
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		return RESULT_NO_USER;
	return RESULT_OK;
}

/* Runs fn in a child as an unprivileged user and returns what it returned. */
static int in_child(enum result (*fn)(void))
{
	int status;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		enum result result = become_nobody();
		_exit(result == RESULT_OK ? (int)fn() : (int)result);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "child ended by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static enum result enter_and_look(void)
{
	int memory = memfd_create("sandbox_test", MFD_CLOEXEC);

	if (memory < 0 || ftruncate(memory, 4096))
		return RESULT_MEMORY;
	if (sandbox_enter(NULL))
		return RESULT_NOT_ENTERED;
	if (open("/etc/passwd", O_RDONLY) >= 0 || open("/proc/self/status", O_RDONLY) >= 0 ||
	    open("/tmp/ixd-sandbox-test", O_CREAT | O_WRONLY, 0600) >= 0 ||
	    mkdir("/ixd-sandbox-test", 0700) == 0)
		return RESULT_FILE_SEEN;
	if (capng_get_caps_process() || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return RESULT_CAPS;
	/* Descriptors from before go on working: that is how the process gets its memory. */
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0) == MAP_FAILED)
		return RESULT_MEMORY;
	return RESULT_OK;
}

Test(sandbox, nothing_is_left)
{
	cr_assert_eq(in_child(enter_and_look), RESULT_OK);
}

static enum result enter_twice(void)
{
	enum sandbox_root root = SANDBOX_ROOT_EMPTY;

	/* The second time there is no root to replace in which a mount point exists: Landlock takes over. */
	if (sandbox_enter(NULL) || sandbox_enter(&root))
		return RESULT_NOT_ENTERED;
	return root == SANDBOX_ROOT_LANDLOCK ? RESULT_OK : RESULT_FILE_SEEN;
}

Test(sandbox, landlock_when_no_root_can_be_made)
{
	cr_assert_eq(in_child(enter_twice), RESULT_OK);
}

Test(sandbox, root_is_refused)
{
	if (getuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(sandbox_enter(NULL), -EPERM);
}

static enum result close_all_but_two(void)
{
	int pair[2], more[2];

	if (pipe(pair) || pipe(more))
		return RESULT_MEMORY;
	int keep[] = {more[1], -1, pair[0]};
	if (sandbox_close_fds(keep, 3))
		return RESULT_NOT_ENTERED;
	bool is_right = fcntl(pair[0], F_GETFD) >= 0 && fcntl(more[1], F_GETFD) >= 0 &&
			fcntl(pair[1], F_GETFD) < 0 && fcntl(more[0], F_GETFD) < 0 && fcntl(2, F_GETFD) >= 0;
	return is_right ? RESULT_OK : RESULT_FILE_SEEN;
}

Test(sandbox, descriptors_are_closed)
{
	cr_assert_eq(in_child(close_all_but_two), RESULT_OK);
}
