/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is at the other end of a Unix socket: only the kernel's word counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "daemon/supervisor/supervisor.h"

int peer_identify(int fd, uint32_t *pid, uint32_t *uid, uint32_t *gid, uint32_t **gids, uint32_t *gids_count)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	*gids = NULL;
	*gids_count = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
		return -errno;
	*pid = (uint32_t)peer.pid;
	*uid = peer.uid;
	*gid = peer.gid;
	length = CLIENT_GROUPS_MAX * sizeof(gid_t);
	uint32_t *groups = malloc(length + sizeof(gid_t));
	if (groups == NULL)
		return -ENOMEM;
	/* More groups than there is room for: those are not looked at, which can only refuse. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0)
		length = 0;
	groups[length / sizeof(gid_t)] = peer.gid;
	*gids = groups;
	*gids_count = (uint32_t)(length / sizeof(gid_t)) + 1;
	return 0;
}
