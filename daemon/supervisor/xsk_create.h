/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes AF_XDP sockets: opened, rings sized, UMEM registered or shared, bound. Nothing of them stays mapped
 * here; the dataplane maps the rings.
 *
 * Before Linux 6.4 the rings of a bound socket can be mapped no more. There a socket is left unbound (*late*)
 * until a dataplane has mapped its rings, then xsk_bind() is called; and a new dataplane needs new sockets,
 * because the rings of the old ones are out of its reach.
 */
#ifndef DAEMON_SUPERVISOR_XSK_CREATE_H
#define DAEMON_SUPERVISOR_XSK_CREATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/common/msg.h"
#include "daemon/supervisor/umem.h"
#include "daemon/supervisor/why.h"

/* AUTO is for the configuration alone: each queue tries zero copy, then copies. */
enum xsk_copy { XSK_COPY_AUTO, XSK_COPY_COPY, XSK_COPY_ZEROCOPY };

struct xsk_request {
	const char *iface_name;
	uint32_t ifindex;
	uint32_t queue;      /* of the interface, from 0 */
	bool is_primary;     /* the first socket of this queue: brings FILL and COMPLETION */
	enum xsk_copy copy;  /* COPY or ZEROCOPY; for a secondary what the primary of its queue got */
	bool is_optional;    /* ZEROCOPY that is only tried: a late socket copies instead */
	uint32_t ring_slots; /* of each ring; a power of two */
	const struct umem *umem;
	int first_fd;   /* any bound socket of the same copy mode, whose UMEM is shared; -1: this one
			 * registers it. A UMEM has one mode, the same memory may be registered for both. */
	int primary_fd; /* for a secondary: the primary of its queue */
	bool is_late;   /* leave it unbound: what the first socket of this kernel got (!is_bound) */
};

struct xsk_made {
	int fd;        /* the caller's */
	bool is_bound; /* false: call xsk_bind() when its rings are mapped, in the order of creation */
	bool is_zerocopy;
	bool has_tx;
	uint32_t rx_slots, tx_slots, fill_slots, comp_slots; /* 0: the socket has no such ring of its own */
	char copy_why[128]; /* why a late socket copies although zero copy was to be tried; else empty */
};

/* What the kernel counted on a socket (XDP_STATISTICS) since it was made. */
struct xsk_counters {
	uint64_t rx_dropped, rx_invalid, tx_invalid, rx_ring_full, fill_empty, tx_empty;
};

/* Errors name interface, queue and reason; EBUSY right after a killed predecessor is retried within one
 * second. */
int xsk_create(const struct xsk_request *request, struct xsk_made *made, struct why *why);
/* Binds a late socket. request is the one that it was made with; its descriptors must be open, umem may be
 * unmapped. Errors as those of xsk_create(). */
int xsk_bind(const struct xsk_request *request, int fd, struct why *why);
/* 0 or negative errno. */
int xsk_counters_read(int fd, struct xsk_counters *counters);
/* Whether zero copy would be given, and lose packets: virtio_net (seen up to Linux 7.3) tells the device
 * where the header of each packet is by a static variable, whose address it takes for one of the kernel
 * image. In a module that is another place, with any bytes; the device may drop the packet for them without a
 * trace. Built in, the address is right. */
bool xsk_zerocopy_is_unsound(const char *iface_name);
/* Number of combined or receive queues that the interface has now; negative errno. */
int xsk_queues_of(const char *iface_name, struct why *why);

#endif
