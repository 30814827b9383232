/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaching the XDP program by bpf_link. libxdp's dispatcher is not used: where the kernel is locked down it
 * does not load, and says nothing.
 */
#include "daemon/supervisor/xdp_attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/supervisor/ethtool.h"

static const char *mode_name(uint8_t attach_mode)
{
	switch (attach_mode) {
	case XDP_ATTACHED_DRV:
		return "native";
	case XDP_ATTACHED_SKB:
		return "generic";
	case XDP_ATTACHED_HW:
		return "offloaded";
	default:
		return "several modes";
	}
}

/* -EBUSY when a program of somebody else is attached; 0 when none is, or when nobody can tell. */
static int others_check(const char *iface_name, uint32_t ifindex, struct why *why)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, found);

	if (bpf_xdp_query((int)ifindex, 0, &found) < 0)
		return 0;
	__u32 id = found.prog_id != 0       ? found.prog_id
		   : found.drv_prog_id != 0 ? found.drv_prog_id
					    : found.skb_prog_id;

	if (id == 0 && found.attach_mode == XDP_ATTACHED_NONE)
		return 0;
	return why_set(
	    why, -EBUSY,
	    "interface %s: another XDP program is attached: id %u (%s), see \"bpftool prog show id %u\"; "
	    "stop what uses it (\"bpftool link\" lists its owner) or detach it with \"ip link set dev %s "
	    "xdp off\"",
	    iface_name, id, mode_name(found.attach_mode), id, iface_name);
}

static int link_create(const struct bpf_set *set, uint32_t ifindex, __u32 flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	int fd = bpf_link_create(bpf_set_program_fd(set), (int)ifindex, BPF_XDP, &opts);

	return fd < 0 ? -errno : fd;
}

/* veth's own errors are known one by one (drivers/net/veth.c, veth_xdp_set). */
static const char *veth_refusal_text(int error)
{
	switch (error) {
	case -ENOSPC:
		return "a veth may not have fewer receive queues than its other end has transmit queues: "
		       "raise these or lower those (ethtool -L), and start ixd again";
	case -ERANGE:
		return "a veth whose MTU, or that of its other end, is above 3506 cannot: lower it, and "
		       "start "
		       "ixd again";
	default:
		return NULL;
	}
}

/* What a driver's refusal of native mode means. Drivers give more words to netlink than to bpf_link. */
static const char *refusal_text(bool is_veth, int error)
{
	const char *text = is_veth ? veth_refusal_text(error) : NULL;

	if (text != NULL)
		return text;
	switch (error) {
	case -EOPNOTSUPP:
		return "its driver has no native XDP";
	case -ERANGE:
	case -EINVAL:
		return "its driver refuses; most often its MTU is too large for native XDP, or LRO is on";
	case -ENOMEM:
	case -ENOSPC:
		return "its driver has no queues or memory left for native XDP";
	default:
		return strerror(-error);
	}
}

static int attach_failed(struct why *why, const char *iface_name, uint32_t ifindex, bool is_veth, int error,
			 const char *mode)
{
	if ((error == -EBUSY || error == -EEXIST) && others_check(iface_name, ifindex, why) < 0)
		return -EBUSY;
	char name[IF_NAMESIZE];

	/* The kernel says "invalid argument" for an interface that is gone. */
	if (error == -ENODEV || if_indextoname(ifindex, name) == NULL)
		return why_set(why, -ENODEV, "interface %s: does not exist any more", iface_name);
	return why_set(why, error, "interface %s: %s XDP cannot be attached: %s (%s)", iface_name, mode,
		       refusal_text(is_veth, error), strerror(-error));
}

/* Generic mode sees packets as the other end of a veth made them, up to 64 KB long; native mode makes that
 * end cut them. Real devices cut before. */
static void generic_describe(bool is_veth, enum xdp_mode asked, int refusal, struct xdp_attached *got)
{
	const char *cost = is_veth ? "large packets of its other end are dropped and what that sends crawls, "
				     "until tso and gso are off there (ethtool -K)"
				   : "each packet costs more";

	if (asked != XDP_MODE_GENERIC)
		snprintf(got->mode_why, sizeof(got->mode_why), "no native mode: %s; in generic mode %s",
			 refusal_text(is_veth, refusal), cost);
	else if (is_veth)
		snprintf(got->mode_why, sizeof(got->mode_why), "as asked for; %s", cost);
}

/* Tries the modes in their order. Returns the link's descriptor. */
static int link_open(const struct bpf_set *set, const char *iface_name, uint32_t ifindex, enum xdp_mode mode,
		     struct xdp_attached *got, struct why *why)
{
	char driver[32];
	int fd, refusal = 0;

	ethtool_driver_name(iface_name, driver, sizeof(driver));
	const bool is_veth = strcmp(driver, "veth") == 0;

	if (mode != XDP_MODE_GENERIC) {
		fd = link_create(set, ifindex, XDP_FLAGS_DRV_MODE);
		got->is_native = fd >= 0;
		if (fd >= 0)
			return fd;
		bool is_for_good = fd == -EBUSY || fd == -EEXIST || fd == -ENODEV;

		if (mode == XDP_MODE_NATIVE) {
			attach_failed(why, iface_name, ifindex, is_veth, fd, "native");
			return is_for_good
				   ? fd
				   : why_prefix(why, fd, "mode = \"native\" (\"auto\" would take generic): ");
		}
		if (is_for_good)
			return attach_failed(why, iface_name, ifindex, is_veth, fd, "native");
		refusal = fd;
	}
	generic_describe(is_veth, mode, refusal, got);
	fd = link_create(set, ifindex, XDP_FLAGS_SKB_MODE);
	return fd >= 0 ? fd : attach_failed(why, iface_name, ifindex, is_veth, fd, "generic");
}

int xdp_attach(struct bpf_set *set, const char *iface_name, uint32_t ifindex, enum xdp_mode mode,
	       struct xdp_attached *got, struct why *why)
{
	memset(got, 0, sizeof(*got));
	/* Asked beforehand because a link does not always conflict: generic beside native is refused, but
	 * with a less telling error. */
	int err = others_check(iface_name, ifindex, why);

	if (err < 0)
		return err;
	int fd = link_open(set, iface_name, ifindex, mode, got, why);

	if (fd < 0)
		return fd;
	err = bpf_set_link_take(set, fd, iface_name, ifindex, why);
	if (err < 0) {
		(void)bpf_link_detach(fd);
		close(fd);
		return err;
	}
	log_debug("interface %s: XDP attached, %s mode", iface_name, got->is_native ? "native" : "generic");
	return 0;
}
