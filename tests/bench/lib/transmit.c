/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading the transmit program for one device, and when it is called. */
#include "tests/bench/lib/transmit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/ethtool.h"
#include "daemon/supervisor/genl_family.h"
#include "daemon/supervisor/netdev_features.h"
#include "tests/bench/lib/options.h"

#define BURST_MIN 12u /* below it the socket is cheaper */
#define ASK_EVERY 64u /* bursts: the other end may have become able meanwhile */

bool bench_transmit_parse(const char *text, enum bench_transmit_mode *mode)
{
	static const char *const names[] = {
	    [BENCH_TRANSMIT_AUTO] = "auto", [BENCH_TRANSMIT_XSK] = "xsk", [BENCH_TRANSMIT_LIVE] = "live"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*mode = (enum bench_transmit_mode)i;
		return true;
	}
	return false;
}

/* A veth takes none while its other end has neither an XDP program nor GRO: it would drop them, and nobody
 * would be told. */
static bool device_takes_frames(const struct bench_transmit *transmit)
{
	uint64_t features;

	return netdev_xdp_features(transmit->netdev_family, transmit->ifindex, &features) == 0 &&
	       (features & NETDEV_XDP_NDO_XMIT) != 0;
}

static int program_open(struct bench_transmit *transmit, const char *iface, struct why *why)
{
	int fds[MSG_DP_TRANSMIT_FDS], error;
	struct ixd_tx_cursor *cursors = NULL;
	struct ixd_tx_slot *slots = NULL;
	struct genl_family family;
	char driver[32];

	ethtool_driver_name(iface, driver, sizeof(driver));
	if (!netdev_xmit_is_safe(driver))
		return why_set(why, -EOPNOTSUPP,
			       "%s: driver %s is not known to take redirected frames safely", iface, driver);
	error = genl_family_find(NETDEV_FAMILY, NETDEV_GROUP, &family);
	if (error)
		return why_set(why, error, "which devices take frames: %s", strerror(-error));
	transmit->netdev_family = family.id;
	error = transmit_program_open(1, getuid(), getgid(), &transmit->program, why);
	if (error)
		return error;
	error = transmit_program_port_set(transmit->program, 0, transmit->ifindex);
	if (error)
		return why_set(why, error, "map tx_ports: %s", strerror(-error));
	transmit_program_fds(transmit->program, fds);
	error = xdp_transmit_map(fds[1], fds[2], 1, &slots, &cursors);
	if (error)
		return why_set(why, error, "mapping the slots: %s", strerror(-error));
	transmit->core = xdp_transmit_new(fds[0], slots, cursors, 0);
	return transmit->core == NULL ? why_set(why, -ENOMEM, "out of memory") : 0;
}

void bench_transmit_open(struct bench_transmit *transmit, enum bench_transmit_mode mode, const char *iface,
			 unsigned ifindex)
{
	struct why why = {""};

	*transmit = (struct bench_transmit){.mode = mode, .ifindex = ifindex};
	if (mode == BENCH_TRANSMIT_XSK)
		return;
	if (program_open(transmit, iface, &why) != 0) {
		if (mode == BENCH_TRANSMIT_LIVE)
			bench_die("no frames can be sent: %s", why.text);
		bench_transmit_close(transmit);
		transmit->mode = BENCH_TRANSMIT_XSK;
		return;
	}
	transmit->is_able = device_takes_frames(transmit);
	if (!transmit->is_able && mode == BENCH_TRANSMIT_LIVE)
		bench_die("interface %s takes no frames now: a veth's other end needs an XDP program or GRO",
			  iface);
}

void bench_transmit_close(struct bench_transmit *transmit)
{
	free(transmit->core);
	transmit_program_close(transmit->program);
	transmit->core = NULL;
	transmit->program = NULL;
}

bool bench_transmit_takes(struct bench_transmit *transmit, uint32_t count)
{
	if (transmit->mode == BENCH_TRANSMIT_XSK)
		return false;
	if (transmit->mode == BENCH_TRANSMIT_LIVE)
		return true;
	if (count < BURST_MIN)
		return false;
	if (!transmit->is_able && ++transmit->passed_by >= ASK_EVERY) {
		transmit->passed_by = 0;
		transmit->is_able = device_takes_frames(transmit);
	}
	return transmit->is_able;
}

void bench_transmit_put(struct bench_transmit *transmit, const uint8_t *data, uint32_t len)
{
	struct ixd_tx_slot *slot;

	if (transmit->staged == IXD_TX_SLOTS)
		bench_transmit_flush(transmit);
	slot = &transmit->core->slots[transmit->staged++];
	slot->port = 0;
	slot->len = len;
	memcpy(slot->data, data, len);
}

/* A call may take fewer than it was given (struct ixd_tx_call): the rest has another. */
void bench_transmit_flush(struct bench_transmit *transmit)
{
	struct ixd_tx_slot *slots = transmit->core->slots;

	while (transmit->staged > 0) {
		uint32_t sent;
		int error = xdp_transmit_run(transmit->core, transmit->staged, &sent);

		if (error < 0 || sent == 0)
			bench_die("sending frames: %s", error < 0 ? strerror(-error) : "none is taken");
		transmit->packets += sent;
		transmit->calls++;
		transmit->staged -= sent;
		memmove(slots, slots + sent, transmit->staged * sizeof(*slots));
	}
}

const char *bench_transmit_used(uint64_t frames, uint64_t kicks)
{
	return frames == 0 ? "xsk" : kicks == 0 ? "live" : "both";
}
