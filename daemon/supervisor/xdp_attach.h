/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaches the XDP program to an interface by a pinned bpf_link: native first, then generic, as asked.
 */
#ifndef DAEMON_SUPERVISOR_XDP_ATTACH_H
#define DAEMON_SUPERVISOR_XDP_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/supervisor/bpf_load.h"

enum xdp_mode { XDP_MODE_AUTO, XDP_MODE_NATIVE, XDP_MODE_GENERIC };

struct xdp_attached {
	bool is_native;
	char mode_why[320]; /* generic: why not native, where `auto` tried, and what it costs; else empty */
};

/* Attaches and pins the link as PIN_DIR/link_NAME; bpf_set_free() detaches. Errors: another XDP program is
 * attached (its id, way out), mode refused by the driver, interface gone. */
int xdp_attach(struct bpf_set *set, const char *iface_name, uint32_t ifindex, enum xdp_mode mode,
	       struct xdp_attached *got, struct why *why);

#endif
