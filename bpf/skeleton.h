/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generated skeleton of the XDP program, for the host, without the warnings that generated code causes.
 */
#ifndef BPF_SKELETON_H
#define BPF_SKELETON_H

#include "bpf/ixd_bpf.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "ixd.skel.h"
#pragma GCC diagnostic pop

#endif
