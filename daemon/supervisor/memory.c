/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memfds.
 */
#include "daemon/supervisor/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3 */
#endif

int memory_create(const char *name, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	/* An older kernel does not know the last flag. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	/* Not F_SEAL_FUTURE_WRITE: a restarted dataplane must be able to map it. */
	if (fchmod(fd, 0600) != 0 || ftruncate(fd, (off_t)bytes) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

int memory_readonly(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int readonly_fd = open(path, O_RDONLY | O_CLOEXEC);
	return readonly_fd < 0 ? -errno : readonly_fd;
}

void *memory_map(int fd, size_t bytes, int protection)
{
	void *area = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);

	return area == MAP_FAILED ? NULL : area;
}

size_t memory_page_round(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}
