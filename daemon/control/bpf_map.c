/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Look-ups in BPF maps.
 */
#include "daemon/control/bpf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The list looks like "0-3,6": its last number is the highest possible CPU. A per-CPU look-up copies one
 * value for each, so that a count that is too small would let the kernel write past the buffer. */
uint32_t bpf_map_possible_cpus(void)
{
	char list[256];
	int fd = open("/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, list, sizeof(list) - 1);
	long last = -1;

	if (fd >= 0)
		close(fd);
	if (got > 0) {
		list[got] = '\0';
		size_t digits = strcspn(list, "\n");
		while (digits > 0 && list[digits - 1] >= '0' && list[digits - 1] <= '9')
			digits--;
		last = strtol(list + digits, NULL, 10);
	}
	if (last < 0)
		last = sysconf(_SC_NPROCESSORS_CONF) - 1;
	return last < 0 ? 1 : (uint32_t)last + 1;
}

static int lookup(int map_fd, uint32_t key, void *value)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map_fd;
	attr.key = (uint64_t)(uintptr_t)&key;
	attr.value = (uint64_t)(uintptr_t)value;
	return syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)) ? -errno : 0;
}

int bpf_map_sum_percpu(int map_fd, uint32_t cpus, uint64_t *sum, uint32_t words)
{
	uint64_t *values = calloc((size_t)cpus * words, sizeof(*values));
	int err;

	if (!values)
		return -ENOMEM;
	err = lookup(map_fd, 0, values);
	memset(sum, 0, words * sizeof(*sum));
	for (uint32_t cpu = 0; cpu < cpus && err == 0; cpu++)
		for (uint32_t i = 0; i < words; i++)
			sum[i] += values[(size_t)cpu * words + i];
	free(values);
	return err;
}

int bpf_map_read(int map_fd, uint32_t index, uint32_t *value)
{
	return lookup(map_fd, index, value);
}
