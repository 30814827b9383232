/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A place of its own for a test that touches the kernel: a network and a mount namespace with a BPF file
 * system in it. Both vanish with the test's process, whatever becomes of it.
 */
#ifndef TESTS_UNIT_SUPERVISOR_NETNS_ENV_H
#define TESTS_UNIT_SUPERVISOR_NETNS_ENV_H

#include "daemon/common/msg.h"

/* Where the BPF file system is mounted. */
extern char netns_bpffs[64];

/* Skips the test where namespaces cannot be made. */
void netns_enter(void);
/* Runs a command of the shell, which must succeed. */
void netns_run(const char *command);
/* veth pair va0 – vb0 with this many queues each, both up. */
void netns_veth(unsigned queues);
/* A small instance with this many cores. */
struct static_config netns_static_config(uint32_t cores);
/* Gives up a capability (CAP_...) for good. */
void netns_capability_drop(unsigned capability);

#endif
