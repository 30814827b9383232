/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the XDP program's maps through a descriptor, with nothing but bpf(2): the unprivileged process that
 * parses strangers' JSON needs no BPF library for two look-ups.
 */
#ifndef DAEMON_CONTROL_BPF_MAP_H
#define DAEMON_CONTROL_BPF_MAP_H

#include <stdint.h>

/* How many values a per-CPU map has per key: the kernel's possible CPUs (reads /sys). At least 1. */
uint32_t bpf_map_possible_cpus(void);
/* Element 0 of a per-CPU array of `words` 64-bit counters, summed over cpus into sum[words]. 0 or negative
 * errno. */
int bpf_map_sum_percpu(int map_fd, uint32_t cpus, uint64_t *sum, uint32_t words);
/* Element `index` of an array of 32-bit values. 0 or negative errno. */
int bpf_map_read(int map_fd, uint32_t index, uint32_t *value);

#endif
