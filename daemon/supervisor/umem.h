/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of all packet frames of an instance: one memfd, of huge pages when there are any.
 */
#ifndef DAEMON_SUPERVISOR_UMEM_H
#define DAEMON_SUPERVISOR_UMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/supervisor/why.h"

enum umem_pages { UMEM_PAGES_AUTO, UMEM_PAGES_NEVER_HUGE, UMEM_PAGES_HUGE };

struct umem {
	int fd;       /* memfd, sealed against growing and shrinking; -1: none */
	void *area;   /* mapped while AF_XDP sockets are made, for UMEM registration; NULL: not mapped */
	size_t bytes; /* rounded up to whole pages of the kind used */
	bool is_hugetlb;
};

/* Makes and maps a memfd of at least bytes. With UMEM_PAGES_AUTO falls back to normal pages and warns once,
 * saying how to get huge pages. */
int umem_create(struct umem *umem, size_t bytes, enum umem_pages pages, struct why *why);
/* Maps it again when sockets are made later; nothing when it is mapped. 0 or negative errno. */
int umem_map(struct umem *umem, struct why *why);
/* The kernel has pinned the pages; the supervisor itself needs no mapping any more. */
void umem_unmap(struct umem *umem);
void umem_close(struct umem *umem);

#endif
