/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sizes that several processes of ixd agree on.
 */
#ifndef DAEMON_COMMON_LIMITS_H
#define DAEMON_COMMON_LIMITS_H

#include "bpf/ixd_bpf.h"

#define IXD_NAME_SIZE      32  /* instance name with its zero byte */
#define IXD_CLIENTS_MAX    256 /* clients of an instance at one time */
#define IXD_LISTENERS_MAX  1024
#define IXD_FRAME_BYTES    2048 /* UMEM chunk; largest packet is this less 256 */
#define IXD_MTU_MAX        (IXD_FRAME_BYTES - 256 - 14 - 4)
#define IXD_RX_CELL_BYTES  4096  /* smallest piece of a client's RX arena that a connection holds */
#define IXD_RX_BLOCK_BYTES 65536 /* piece of the RX arena lent to one core at a time */
#define IXD_RULES_MAX      32    /* policy rules that apply to one client */

#endif
