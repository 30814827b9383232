/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which core a flow belongs to: the same function as in the XDP program.
 */
#include "daemon/common/toeplitz.h"
#include "daemon/dataplane/conn.h"

uint32_t flow_core(const struct dataplane *dp, const struct tcp_tuple *tuple)
{
	uint32_t hash;

	if (dp->cores == 1)
		return 0;
	hash = ixd_toeplitz_tuple(dp->toeplitz, tuple->remote, tuple->local, tuple->remote_port,
				  tuple->local_port);
	return flow_group_core(dp, hash & (dp->init->fixed.flow_groups - 1));
}
