/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's two memories and its doorbells.
 */
#include "daemon/supervisor/client_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/rights.h"
#include "daemon/supervisor/memory.h"

static int within(uint64_t asked, uint64_t standard, uint64_t most, const char *what, uint64_t *granted,
		  struct why *why)
{
	*granted = asked ? asked : standard;
	if (*granted > most)
		return why_set(why, -EDQUOT,
			       "%s = %" PRIu64 " is more than your policy allows, %" PRIu64
			       "; ask for less, or raise %s_max in ixd's configuration",
			       what, asked, most, what);
	return 0;
}

static int slots_check(uint64_t slots, const char *what, struct why *why)
{
	if (slots >= 16 && (slots & (slots - 1)) == 0)
		return 0;
	return why_set(why, -EINVAL, "%s = %" PRIu64 " must be a power of two from 16", what, slots);
}

int client_limits_decide(const struct ix_hello *hello, const struct config_grants *grants, uint32_t cores,
			 struct client_limits *limits, struct why *why)
{
	uint64_t cmd_slots, evt_slots;
	/* Two blocks for each core, or a core could not turn them over. */
	uint64_t rx_least = 2ull * cores * IXD_RX_BLOCK_BYTES;
	int error = within(hello->rx_bytes, grants->rx_bytes, grants->rx_bytes_max, "rx_bytes",
			   &limits->rx_bytes, why);

	if (!error)
		error = within(hello->tx_bytes, grants->tx_bytes, grants->tx_bytes_max, "tx_bytes",
			       &limits->tx_bytes, why);
	if (!error)
		error = within(hello->cmd_slots, grants->cmd_slots, grants->cmd_slots_max, "cmd_slots",
			       &cmd_slots, why);
	if (!error)
		error = within(hello->evt_slots, grants->evt_slots, grants->evt_slots_max, "evt_slots",
			       &evt_slots, why);
	if (!error)
		error = slots_check(cmd_slots, "cmd_slots", why);
	if (!error)
		error = slots_check(evt_slots, "evt_slots", why);
	if (error)
		return error;
	/* Whole blocks and pages: rounding up may pass the limit by less than a block. */
	limits->rx_bytes =
	    (limits->rx_bytes + IXD_RX_BLOCK_BYTES - 1) / IXD_RX_BLOCK_BYTES * IXD_RX_BLOCK_BYTES;
	limits->tx_bytes = memory_page_round(limits->tx_bytes);
	if (limits->rx_bytes < rx_least)
		return why_set(why, -EINVAL,
			       "rx_bytes = %" PRIu64 " is too little for %" PRIu32
			       " cores; ask for at least %" PRIu64,
			       limits->rx_bytes, cores, rx_least);
	limits->cmd_slots = (uint32_t)cmd_slots;
	limits->evt_slots = (uint32_t)evt_slots;
	limits->conns_max = grants->connections_max;
	limits->listeners_max = grants->listeners_max;
	return 0;
}

void client_layout_compute(const struct client_limits *limits, uint32_t cores, struct ix_welcome *layout)
{
	layout->cores = cores;
	layout->cmd_slots = limits->cmd_slots;
	layout->evt_slots = limits->evt_slots;
	layout->daemon_core_off = 0;
	layout->daemon_core_stride = sizeof(struct ix_daemon_core);
	layout->evt_off = memory_page_round(cores * sizeof(struct ix_daemon_core));
	layout->evt_stride = memory_page_round(limits->evt_slots * sizeof(struct ix_event));
	layout->rx_off = layout->evt_off + cores * layout->evt_stride;
	layout->rx_bytes = limits->rx_bytes;
	layout->daemon_bytes = memory_page_round(layout->rx_off + layout->rx_bytes);
	layout->client_core_off = 0;
	layout->client_core_stride = sizeof(struct ix_client_core);
	layout->cmd_off = memory_page_round(cores * sizeof(struct ix_client_core));
	layout->cmd_stride = memory_page_round(limits->cmd_slots * sizeof(struct ix_cmd));
	layout->tx_off = layout->cmd_off + cores * layout->cmd_stride;
	layout->tx_bytes = limits->tx_bytes;
	layout->client_bytes = memory_page_round(layout->tx_off + layout->tx_bytes);
}

static int doorbells_create(struct client_memory *memory, int *peer_fds)
{
	for (uint32_t i = 0; i < memory->cores; i++) {
		int pair[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
			return -errno;
		rights_refuse(pair[0]);
		memory->doorbell_fd[i] = pair[0];
		peer_fds[i] = pair[1];
	}
	return 0;
}

int client_memory_create(struct client_memory *memory, const struct ix_welcome *layout, int *peer_fds)
{
	memset(memory, 0xff, sizeof(*memory)); /* every descriptor -1 */
	memory->cores = layout->cores;
	memset(peer_fds, 0xff, (2 + memory->cores) * sizeof(int));
	int error = memory->daemon_fd = memory_create("ixd-daemon", layout->daemon_bytes);
	if (error >= 0)
		error = memory->client_fd = memory_create("ixd-client", layout->client_bytes);
	if (error >= 0)
		error = peer_fds[0] = memory_readonly(memory->daemon_fd);
	if (error >= 0) {
		peer_fds[1] = fcntl(memory->client_fd, F_DUPFD_CLOEXEC, 0);
		error = peer_fds[1] < 0 ? -errno : 0;
	}
	if (error >= 0)
		error = doorbells_create(memory, peer_fds + 2);
	if (error >= 0)
		return 0;
	for (uint32_t i = 0; i < 2 + memory->cores; i++)
		if (peer_fds[i] >= 0)
			close(peer_fds[i]);
	client_memory_close(memory);
	return error;
}

void client_memory_close(struct client_memory *memory)
{
	if (memory->daemon_fd >= 0)
		close(memory->daemon_fd);
	if (memory->client_fd >= 0)
		close(memory->client_fd);
	for (uint32_t i = 0; i < memory->cores && i < IXD_CORES_MAX; i++)
		if (memory->doorbell_fd[i] >= 0)
			close(memory->doorbell_fd[i]);
	memset(memory, 0xff, sizeof(*memory));
	memory->cores = 0;
}
