/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The UMEM memfd. Huge pages are reserved by the mapping, normal ones are populated by it, so that what is
 * missing is missed here, at start, and not by a SIGBUS later.
 */
#include "daemon/supervisor/umem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/log.h"

#define HUGE_PAGE_BYTES ((size_t)2 << 20)

static size_t align_up(size_t value, size_t step)
{
	return (value + step - 1) & ~(step - 1);
}

static int memory_make(struct umem *umem, size_t bytes, unsigned memfd_flags)
{
	int fd = memfd_create("ixd-umem", MFD_CLOEXEC | MFD_ALLOW_SEALING | memfd_flags);
	int err;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0 || fchmod(fd, 0600) < 0)
		goto fail;
	void *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);

	if (area == MAP_FAILED)
		goto fail;
	/* After sealing nobody that the descriptor is passed to can pull pages from under the others. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		err = -errno;
		munmap(area, bytes);
		close(fd);
		return err;
	}
	*umem = (struct umem){.fd = fd, .area = area, .bytes = bytes, .is_hugetlb = memfd_flags != 0};
	return 0;
fail:
	err = -errno;
	close(fd);
	return err;
}

static int huge_failed(struct why *why, int error, size_t bytes)
{
	return why_set(
	    why, error,
	    "no huge pages for %zu MB of packet memory (%s): %zu free pages of 2 MB are needed; make them "
	    "with \"sysctl vm.nr_hugepages=N\", N being that number more than are in use now",
	    bytes >> 20, strerror(-error), bytes / HUGE_PAGE_BYTES);
}

int umem_create(struct umem *umem, size_t bytes, enum umem_pages pages, struct why *why)
{
	*umem = (struct umem){.fd = -1};
	if (pages != UMEM_PAGES_NEVER_HUGE) {
		size_t huge_bytes = align_up(bytes, HUGE_PAGE_BYTES);
		int err = memory_make(umem, huge_bytes, MFD_HUGETLB | MFD_HUGE_2MB);

		if (err == 0)
			return 0;
		huge_failed(why, err, huge_bytes);
		if (pages == UMEM_PAGES_HUGE)
			return err;
		log_warning("%s; normal pages are used instead", why->text);
	}
	size_t whole_bytes = align_up(bytes, (size_t)sysconf(_SC_PAGESIZE));
	int err = memory_make(umem, whole_bytes, 0);

	if (err < 0)
		return why_set(why, err, "no %zu MB of packet memory: %s; fewer frames per core need less",
			       whole_bytes >> 20, strerror(-err));
	return 0;
}

int umem_map(struct umem *umem, struct why *why)
{
	if (umem->area != NULL)
		return 0;
	void *area = mmap(NULL, umem->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, umem->fd, 0);

	if (area == MAP_FAILED)
		return why_set(why, -errno, "packet memory cannot be mapped again: %s", strerror(errno));
	umem->area = area;
	return 0;
}

void umem_unmap(struct umem *umem)
{
	if (umem->area != NULL)
		munmap(umem->area, umem->bytes);
	umem->area = NULL;
}

void umem_close(struct umem *umem)
{
	umem_unmap(umem);
	if (umem->fd >= 0)
		close(umem->fd);
	umem->fd = -1;
}
