/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interfaces while ixd runs: a driver is unbound or reset, a device removed and made again, the number of
 * queues changed, the RSS table set by somebody else. Then the interface's sockets are of no use any more:
 *
 *   OPEN ── trouble ──▶ CLOSING ── dataplane has let go ──▶ CLOSED ── device is there and up ──▶ OPEN
 *
 * One step at a time: until the dataplane has taken new sockets (is_opening), further trouble waits.
 *
 * Connections know nothing of it: to them it is a path that loses packets for a while. Devices are found
 * again by name. Nothing changes here while no dataplane runs; the next one is given what there is then.
 */
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/common/log.h"
#include "daemon/supervisor/ethtool.h"
#include "daemon/supervisor/supervisor.h"

#define RETRY_NS NS_PER_S

static struct mirror_iface *mirrored(struct supervisor *supervisor, uint32_t index)
{
	struct mirror *mirror = supervisor->mirror.area;

	return &mirror->ifaces[index];
}

static uint64_t queues_mask(const struct mirror_iface *iface)
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < iface->queues; i++)
		mask |= 1ull << (iface->queue_base + i);
	return mask;
}

/* Its sockets are made, and the dataplane has them. */
static bool is_settled(const struct iface *iface)
{
	return iface->state == IFACE_OPEN && !iface->is_opening;
}

/* Says something once, until something else is to be said. */
__attribute__((format(printf, 4, 5))) static void say_once(struct supervisor *supervisor, uint32_t index,
							   enum log_level level, const char *format, ...)
{
	struct iface *iface = &supervisor->ifaces[index];
	char text[sizeof(iface->said)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (strcmp(text, iface->said) == 0)
		return;
	memcpy(iface->said, text, sizeof(text));
	log_at(level, "interface %s: %s", supervisor->config->ifaces[index].name, text);
}

static void is_closed(struct supervisor *supervisor, uint32_t index)
{
	struct iface *iface = &supervisor->ifaces[index];

	xsks_close_iface(supervisor, index);
	iface->state = IFACE_CLOSED;
	snprintf(iface->seen.copy, sizeof(iface->seen.copy), "closed");
	memcpy(iface->seen.copy_why, iface->reason, sizeof(iface->reason));
	publish_iface(supervisor, index, &iface->seen);
}

__attribute__((format(printf, 3, 4))) static void iface_close(struct supervisor *supervisor, uint32_t index,
							      const char *format, ...)
{
	struct iface *iface = &supervisor->ifaces[index];
	struct msg m = {.type = MSG_DP_IFACE_CLOSE};
	va_list args;

	m.iface.iface = index;
	va_start(args, format);
	vsnprintf(iface->reason, sizeof(iface->reason), format, args);
	va_end(args);
	log_warning("interface %s: %s; its AF_XDP sockets are closed, connections wait for new ones",
		    supervisor->config->ifaces[index].name, iface->reason);
	iface->said[0] = '\0';
	iface->queues_had |= queues_mask(mirrored(supervisor, index));
	iface->state = IFACE_CLOSING;
	iface->closes++;
	transmit_look(supervisor);
	if (!dataplane_tell(supervisor, &m, NULL, 0))
		is_closed(supervisor, index);
}

/* ---- opening */

/* The first number of a free range of `count` queues among those of all interfaces; the present one if it
 * will do. -1: there is none. */
static int queue_base_find(struct supervisor *supervisor, uint32_t index, uint32_t count)
{
	const struct mirror *mirror = supervisor->mirror.area;
	uint32_t base = mirror->ifaces[index].queue_base;

	for (uint32_t tries = 0; tries <= IXD_QUEUES_MAX; tries++) {
		bool is_free = base + count <= IXD_QUEUES_MAX;

		for (uint32_t i = 0; i < mirror->ifaces_count && is_free; i++)
			is_free = i == index ||
				  mirror->ifaces[i].queue_base + mirror->ifaces[i].queues <= base ||
				  base + count <= mirror->ifaces[i].queue_base;
		if (is_free)
			return (int)base;
		base = tries;
	}
	return -1;
}

/* How many queues to serve of those that the interface has. */
static uint32_t queues_to_serve(struct supervisor *supervisor, uint32_t index, uint32_t has)
{
	uint32_t wanted = supervisor->config->ifaces[index].queues;
	uint32_t count = wanted != 0 && wanted < has ? wanted : has;

	if (count > IXD_QUEUES_MAX)
		count = IXD_QUEUES_MAX;
	while (count > 1 && queue_base_find(supervisor, index, count) < 0)
		count--;
	return count;
}

int iface_sockets_open(struct supervisor *supervisor, uint32_t index, struct why *why)
{
	struct mirror *mirror = supervisor->mirror.area;
	struct mirror_iface *iface = &mirror->ifaces[index];
	struct iface *own = &supervisor->ifaces[index];
	struct view_iface *seen = &own->seen;

	*seen = (struct view_iface){
	    .ifindex = iface->ifindex, .queues = iface->queues, .queue_base = iface->queue_base};
	memcpy(seen->name, iface->name, sizeof(seen->name));
	seen->closes = own->closes;
	ethtool_driver_name(iface->name, seen->driver, sizeof(seen->driver));
	iface_rss_arrange(supervisor, index, seen);
	int error = bpf_set_iface_add(supervisor->bpf, iface->ifindex, iface->queue_base, iface->queues,
				      own->is_diagonal);
	if (error)
		return why_set(why, error, "interface %s: map ifaces: %s", iface->name, strerror(-error));
	error = umem_map(&supervisor->umem, why);
	if (!error)
		error = xsks_open_iface(supervisor, index, seen, why);
	/* Late sockets are made anew for each dataplane, and then the UMEM is registered again. */
	if (!supervisor->are_xsks_late)
		umem_unmap(&supervisor->umem);
	if (error)
		return error;
	iface->is_native = own->attached.is_native;
	iface->is_zerocopy = strcmp(seen->copy, "zerocopy") == 0;
	snprintf(seen->mode, sizeof(seen->mode), "%s", own->attached.is_native ? "native" : "generic");
	memcpy(seen->mode_why, own->attached.mode_why, sizeof(seen->mode_why));
	log_info("interface %s (%s): %u queue%s, %s mode, %s%s%s%s", seen->name, seen->driver, seen->queues,
		 seen->queues == 1 ? "" : "s", seen->mode, seen->copy, seen->copy_why[0] ? " (" : "",
		 seen->copy_why, seen->copy_why[0] ? ")" : "");
	if (seen->mode_why[0])
		log_warning("interface %s: generic XDP mode: %s", seen->name, seen->mode_why);
	publish_iface(supervisor, index, seen);
	own->state = IFACE_OPEN;
	transmit_look(supervisor);
	return 0;
}

/* Takes the XDP program off the device that carries it, wherever that is by now. */
static void program_drop(struct supervisor *supervisor, uint32_t index)
{
	struct iface *iface = &supervisor->ifaces[index];

	if (iface->attached_ifindex == 0)
		return;
	bpf_set_link_drop(supervisor->bpf, iface->attached_ifindex);
	(void)bpf_set_iface_del(supervisor->bpf, iface->attached_ifindex);
	iface->attached_ifindex = 0;
}

/* The XDP program on the device that has the name now. */
static int program_follow(struct supervisor *supervisor, uint32_t index, uint32_t ifindex, struct why *why)
{
	const struct config_iface *config = &supervisor->config->ifaces[index];
	struct iface *iface = &supervisor->ifaces[index];

	if (iface->attached_ifindex == ifindex && bpf_set_link_is_attached(supervisor->bpf, ifindex))
		return 0;
	program_drop(supervisor, index);
	int error = xdp_attach(supervisor->bpf, config->name, ifindex, (enum xdp_mode)config->mode,
			       &iface->attached, why);
	if (!error)
		iface->attached_ifindex = ifindex;
	return error;
}

static int mirror_follow(struct supervisor *supervisor, uint32_t index, uint32_t ifindex, struct why *why)
{
	struct mirror *mirror = supervisor->mirror.area;
	struct mirror_iface *iface = &mirror->ifaces[index];
	int has = xsk_queues_of(iface->name, why);

	if (has < 0)
		return has;
	uint32_t count = queues_to_serve(supervisor, index, (uint32_t)has);
	int base = queue_base_find(supervisor, index, count);

	if (base < 0)
		return why_set(why, -ENOSPC, "the other interfaces have all of the %d queues",
			       IXD_QUEUES_MAX);
	if (count < (uint32_t)has)
		say_once(supervisor, index, LOG_LEVEL_WARNING,
			 "has %d queues and ixd serves %u: packets of its flows on the others are dropped",
			 has, count);
	mirror_write_begin(mirror);
	iface->ifindex = ifindex;
	iface->queue_base = (uint32_t)base;
	iface->queues = (uint16_t)count;
	mirror_write_end(mirror);
	return 0;
}

static int iface_reopen(struct supervisor *supervisor, uint32_t index, uint32_t ifindex, struct why *why)
{
	struct iface *iface = &supervisor->ifaces[index];
	struct msg m = {.type = MSG_DP_IFACE_OPEN};
	int error = program_follow(supervisor, index, ifindex, why);

	if (!error)
		error = mirror_follow(supervisor, index, ifindex, why);
	if (!error)
		error = iface_sockets_open(supervisor, index, why);
	if (error)
		return error;
	netlink_refresh(&supervisor->netlink);
	m.iface.iface = index;
	m.iface.queues = iface->queues_had;
	iface->queues_had = 0;
	iface->is_opening = true;
	/* If it does not take them it is condemned, and its successor is given them. */
	if (xsks_send(supervisor, &supervisor->dataplane.child, index) == 0)
		dataplane_tell(supervisor, &m, NULL, 0);
	log_notice("interface %s: has new AF_XDP sockets (device %u, %u queues, %s); connections go on",
		   iface->seen.name, ifindex, iface->seen.queues, iface->seen.copy);
	iface->said[0] = '\0';
	return 0;
}

/* ---- looking */

/* Closes the interface when its device is gone, or was. Else `name` is what the device is called now, or
 * empty where that cannot be found out. */
static bool gone_check(struct supervisor *supervisor, uint32_t index, char name[IF_NAMESIZE])
{
	bool has_name = if_indextoname(mirrored(supervisor, index)->ifindex, name) != NULL;

	/* Without a free descriptor or memory one cannot even ask: no reason to take anything from anybody.
	 */
	if (!has_name)
		name[0] = '\0';
	/* Nothing of RSS to set back, either: the next device has a table of its own. */
	if (!has_name && errno == ENXIO) {
		supervisor->ifaces[index].has_rss_before = false;
		/* It may live on in another namespace, whose packets are none of ours. */
		program_drop(supervisor, index);
		iface_close(supervisor, index,
			    "its device is gone (unbound from its driver, removed, or moved to another "
			    "namespace)");
		return true;
	}
	if (!xsks_have_lost_device(supervisor, index))
		return false;
	iface_close(supervisor, index, "its device was away, and is there again with the same number");
	return true;
}

static void open_check(struct supervisor *supervisor, uint32_t index)
{
	const struct mirror_iface *seen = mirrored(supervisor, index);
	struct iface *iface = &supervisor->ifaces[index];
	char name[IF_NAMESIZE];
	struct why why;

	if (gone_check(supervisor, index, name))
		return;
	if (!bpf_set_link_is_attached(supervisor->bpf, iface->attached_ifindex)) {
		iface_close(supervisor, index, "somebody has detached its XDP program");
		return;
	}
	if (name[0] == '\0')
		return;
	if (strcmp(name, seen->name) != 0) {
		say_once(supervisor, index, LOG_LEVEL_WARNING, "is called %s now; ixd goes on serving it",
			 name);
		return;
	}
	int has = xsk_queues_of(name, &why);
	if (has < 0)
		return; /* it goes this very moment: the next news says so */
	if (queues_to_serve(supervisor, index, (uint32_t)has) != seen->queues)
		iface_close(supervisor, index, "has %d queues now, had %u", has, seen->queues);
	else if (iface->is_diagonal && !iface_rss_is_intact(supervisor, index))
		iface_close(supervisor, index, "somebody has changed its RSS table or key");
}

/* Before a device is up: the kernel would answer the first packets of our connections with a reset. Without
 * sockets they are dropped. What goes wrong here goes wrong again, and is said, when the device is up. */
static void steer_early(struct supervisor *supervisor, uint32_t index, uint32_t ifindex)
{
	const struct mirror_iface *iface = mirrored(supervisor, index);
	struct why why;

	if (program_follow(supervisor, index, ifindex, &why) == 0)
		(void)bpf_set_iface_add(supervisor->bpf, ifindex, iface->queue_base, iface->queues,
					supervisor->ifaces[index].is_diagonal);
}

static void closed_check(struct supervisor *supervisor, uint32_t index)
{
	struct why why = {""};
	uint32_t ifindex;
	bool is_up;
	int error = netlink_iface_find(mirrored(supervisor, index)->name, &ifindex, &is_up);

	if (error) {
		say_once(supervisor, index, LOG_LEVEL_INFO, "waiting for a device of this name");
		return;
	}
	if (!is_up) {
		steer_early(supervisor, index, ifindex);
		say_once(supervisor, index, LOG_LEVEL_INFO,
			 "is there again, and down: waiting for it to be set up");
		return;
	}
	if (iface_reopen(supervisor, index, ifindex, &why) == 0)
		return;
	say_once(supervisor, index, LOG_LEVEL_ERROR, "cannot be used: %s; trying again", why.text);
	loop_timer_set(&supervisor->loop, &supervisor->ifaces_timer, monotonic_ns() + RETRY_NS);
}

void ifaces_check(void *arg)
{
	struct supervisor *supervisor = arg;
	const struct mirror *mirror = supervisor->mirror.area;

	if (!supervisor->dataplane.is_ready || supervisor->is_stopping)
		return;
	/* A device that comes up without the XDP program belongs to the kernel, which resets our connections.
	 */
	supervisor->netlink.must_hurry = false;
	for (uint32_t i = 0; i < mirror->ifaces_count; i++) {
		if (is_settled(&supervisor->ifaces[i]))
			open_check(supervisor, i);
		if (supervisor->ifaces[i].state == IFACE_CLOSED)
			closed_check(supervisor, i);
		supervisor->netlink.must_hurry |= !is_settled(&supervisor->ifaces[i]);
	}
}

void ifaces_before_dataplane(struct supervisor *supervisor)
{
	const struct mirror *mirror = supervisor->mirror.area;
	char name[IF_NAMESIZE];

	for (uint32_t i = 0; i < mirror->ifaces_count; i++) {
		struct iface *iface = &supervisor->ifaces[i];

		iface->is_opening = false; /* it is given what there is, not what is new */
		if (iface->state == IFACE_CLOSING)
			is_closed(supervisor, i);
		/* Nobody can map the rings of a socket whose device is gone. */
		if (iface->state == IFACE_OPEN)
			(void)gone_check(supervisor, i, name);
	}
}

void iface_on_closed(struct supervisor *supervisor, const struct msg_iface *m)
{
	const struct mirror *mirror = supervisor->mirror.area;

	/* An unprivileged process says so: only what it was asked for counts. */
	if (m->iface >= mirror->ifaces_count || supervisor->ifaces[m->iface].state != IFACE_CLOSING)
		return;
	is_closed(supervisor, m->iface);
	ifaces_check(supervisor);
}

void iface_on_opened(struct supervisor *supervisor, const struct msg_iface *m)
{
	const struct mirror *mirror = supervisor->mirror.area;
	char name[IF_NAMESIZE];
	struct why why = {""};

	if (m->iface >= mirror->ifaces_count || !supervisor->ifaces[m->iface].is_opening)
		return; /* nobody asked */
	supervisor->ifaces[m->iface].is_opening = false;
	int error = m->outcome < 0 ? why_set(&why, m->outcome,
					     "interface %s: the new AF_XDP sockets cannot be mapped: %s",
					     supervisor->ifaces[m->iface].seen.name, strerror(-m->outcome))
				   : xsks_bind(supervisor, &why);
	/* A device may go again in between; the sockets of one that is there can be taken over. */
	if (error && !gone_check(supervisor, m->iface, name)) {
		log_error("%s", why.text);
		process_condemn(&supervisor->dataplane, "cannot take over the new AF_XDP sockets");
		return;
	}
	ifaces_check(supervisor);
}

static bool are_all_open(const struct supervisor *supervisor)
{
	const struct mirror *mirror = supervisor->mirror.area;

	for (uint32_t i = 0; i < mirror->ifaces_count; i++)
		if (!is_settled(&supervisor->ifaces[i]))
			return false;
	return supervisor->dataplane.is_ready;
}

/* Packets were dropped for want of a socket though nothing was being changed: RSS does not do as it says. */
static void steer_in_software(struct supervisor *supervisor)
{
	const struct mirror *mirror = supervisor->mirror.area;

	for (uint32_t i = 0; i < mirror->ifaces_count; i++) {
		struct iface *iface = &supervisor->ifaces[i];

		if (iface->state != IFACE_OPEN || !iface->is_diagonal || supervisor->config->fixed.cores == 1)
			continue;
		iface->is_distrusted = true;
		iface_close(supervisor, i, "packets come to queues that its RSS table does not name");
	}
}

static void on_tick(void *arg)
{
	struct supervisor *supervisor = arg;
	uint64_t lost = supervisor->no_socket_packets;
	bool was_steady = supervisor->are_ifaces_steady;

	loop_timer_set(&supervisor->loop, &supervisor->ifaces_tick, monotonic_ns() + NS_PER_S);
	xsks_read_counters(supervisor);
	supervisor->are_ifaces_steady = are_all_open(supervisor);
	if (bpf_set_no_socket_count(supervisor->bpf, &lost) == 0 && lost > supervisor->no_socket_packets &&
	    was_steady && supervisor->are_ifaces_steady)
		steer_in_software(supervisor);
	supervisor->no_socket_packets = lost;
	transmit_look(supervisor);
	/* Not every change has news: some drivers change their queues without a word. */
	ifaces_check(supervisor);
}

int ifaces_watch(struct supervisor *supervisor, struct why *why)
{
	supervisor->ifaces_timer.on_time = ifaces_check;
	supervisor->ifaces_timer.arg = supervisor;
	supervisor->ifaces_tick.on_time = on_tick;
	supervisor->ifaces_tick.arg = supervisor;
	loop_timer_set(&supervisor->loop, &supervisor->ifaces_tick, monotonic_ns() + NS_PER_S);
	netlink_watch_links(&supervisor->netlink, ifaces_check, supervisor);
	return genl_news_open(&supervisor->ethtool_news, &supervisor->loop, "ethtool", "monitor",
			      ifaces_check, supervisor, why);
}
