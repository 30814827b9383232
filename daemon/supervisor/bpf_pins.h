/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The directory on the BPF file system that holds an instance's pins. What is pinned outlives the process, so
 * that a new supervisor finds, and ends, what a killed one has left attached. One thread.
 */
#ifndef DAEMON_SUPERVISOR_BPF_PINS_H
#define DAEMON_SUPERVISOR_BPF_PINS_H

#include "daemon/supervisor/why.h"

/* Makes pin_dir with its parents. -ENODEV when the place is no BPF file system; *why says how to mount one.
 */
int bpf_pins_prepare(const char *pin_dir, struct why *why);
/* Detaches the links that are pinned in pin_dir, at once and for certain, and removes every pin. A directory
 * that does not exist is fine. The caller holds the instance's lock, so that all of it belongs to the dead.
 */
int bpf_pins_clear(const char *pin_dir, struct why *why);
/* bpf_pins_clear(), then removes pin_dir, and its parent when that has become empty. Never fails aloud. */
void bpf_pins_remove(const char *pin_dir);

#endif
