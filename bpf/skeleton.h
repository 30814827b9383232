/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generated skeletons of the XDP programs, for the host, without the warnings that generated code causes.
 */
#ifndef BPF_SKELETON_H
#define BPF_SKELETON_H

#include "bpf/ixd_bpf.h"
#include "bpf/transmit.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "ixd.skel.h"
#include "transmit.skel.h"
#pragma GCC diagnostic pop

#endif
