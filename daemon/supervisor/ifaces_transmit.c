/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * XDP transmit: where packets may leave without an skb, and telling the dataplane so. The kernel knows
 * whether a device takes such frames, and says when that changes: on a veth it does while the other end has
 * an XDP program or GRO.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/common/log.h"
#include "daemon/supervisor/netdev_features.h"
#include "daemon/supervisor/supervisor.h"

static bool is_wanted(const struct config *config)
{
	for (uint32_t i = 0; i < config->ifaces_count; i++)
		if (config->ifaces[i].xdp_transmit != XDP_TRANSMIT_NEVER)
			return true;
	return false;
}

static int open_or_why(struct supervisor *supervisor, struct why *why)
{
	const struct config *config = supervisor->config;
	int error = genl_news_open(&supervisor->netdev_news, &supervisor->loop, NETDEV_FAMILY, NETDEV_GROUP,
				   transmit_look, supervisor, why);

	if (error)
		return error;
	if (supervisor->netdev_news.socket == NULL)
		return why_set(why, -EOPNOTSUPP,
			       "the kernel does not say which devices can do it; Linux 6.3 does");
	return transmit_program_open(config->fixed.cores, config->dataplane_uid, config->dataplane_gid,
				     &supervisor->transmit, why);
}

void transmit_open(struct supervisor *supervisor)
{
	struct why why = {""};

	if (!is_wanted(supervisor->config) || open_or_why(supervisor, &why) == 0)
		return;
	snprintf(supervisor->transmit_why, sizeof(supervisor->transmit_why), "%s", why.text);
	log_info("no XDP transmit: %s", why.text);
}

void transmit_close(struct supervisor *supervisor)
{
	genl_news_close(&supervisor->netdev_news, &supervisor->loop);
	transmit_program_close(supervisor->transmit);
	supervisor->transmit = NULL;
}

/* Whether packets leave an interface that way; if not, why. */
static bool iface_can(const struct supervisor *supervisor, uint32_t index, struct why *why)
{
	const struct iface *iface = &supervisor->ifaces[index];
	uint64_t features = 0;

	why->text[0] = '\0';
	if (iface->state != IFACE_OPEN)
		return false;
	if (supervisor->config->ifaces[index].xdp_transmit == XDP_TRANSMIT_NEVER)
		return why_set(why, 0, "xdp_transmit = \"never\"");
	if (strcmp(iface->seen.copy, "zerocopy") == 0)
		return false; /* it has no need of it */
	if (!netdev_xmit_is_safe(iface->seen.driver))
		return why_set(why, 0, "only veth is known to take redirected frames safely");
	if (supervisor->transmit == NULL)
		return why_set(why, 0, "%s", supervisor->transmit_why);
	int error = netdev_xdp_features(supervisor->netdev_news.family, iface->seen.ifindex, &features);
	if (error)
		return why_set(why, 0, "the kernel does not say whether it can: %s", strerror(-error));
	if ((features & NETDEV_XDP_NDO_XMIT) != 0)
		return true;
	return why_set(why, 0, "its other end has neither XDP nor GRO");
}

/* The port is there before the first frame for it. It stays while the other end cannot take frames, for what
 * is under way, and goes with the device. */
static bool port_open(struct supervisor *supervisor, uint32_t index, struct why *why)
{
	int error =
	    transmit_program_port_set(supervisor->transmit, index, supervisor->ifaces[index].seen.ifindex);

	if (error)
		why_set(why, error, "map tx_ports: %s", strerror(-error));
	return error == 0;
}

static void iface_look(struct supervisor *supervisor, uint32_t index)
{
	struct mirror *mirror = supervisor->mirror.area;
	struct view_iface *seen = &supervisor->ifaces[index].seen;
	struct view_iface before = *seen;
	struct why why;
	bool can = iface_can(supervisor, index, &why) && port_open(supervisor, index, &why);

	/* One byte, which core threads look at before each burst. */
	__atomic_store_n(&mirror->ifaces[index].can_xdp_transmit, can, __ATOMIC_RELEASE);
	if (supervisor->transmit != NULL && supervisor->ifaces[index].state != IFACE_OPEN)
		(void)transmit_program_port_set(supervisor->transmit, index, 0);
	snprintf(seen->transmit, sizeof(seen->transmit), "%s", can ? "xdp" : "socket");
	snprintf(seen->transmit_why, sizeof(seen->transmit_why), "%.*s", (int)sizeof(seen->transmit_why) - 1,
		 why.text);
	if (strcmp(seen->transmit, before.transmit) == 0 &&
	    strcmp(seen->transmit_why, before.transmit_why) == 0)
		return;
	if (can)
		log_info("interface %s: bursts leave by XDP transmit", seen->name);
	else if (why.text[0])
		log_info("interface %s: no XDP transmit: %s", seen->name, why.text);
	publish_iface(supervisor, index, seen);
}

void transmit_look(void *arg)
{
	struct supervisor *supervisor = arg;

	for (uint32_t i = 0; i < supervisor->config->ifaces_count; i++)
		iface_look(supervisor, i);
}
