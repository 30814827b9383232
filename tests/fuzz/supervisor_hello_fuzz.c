/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a hello may ask for: the sizes that are granted stay within the policy, and the layout that is made of
 * them is one in which nothing overlaps.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/client_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void layout_check(const struct ix_welcome *l, const struct client_limits *limits)
{
	require(l->daemon_core_off + l->cores * l->daemon_core_stride <= l->evt_off);
	require(l->evt_stride >= limits->evt_slots * sizeof(struct ix_event));
	require(l->evt_off + l->cores * l->evt_stride <= l->rx_off);
	require(l->rx_off + l->rx_bytes <= l->daemon_bytes);
	require(l->client_core_off + l->cores * l->client_core_stride <= l->cmd_off);
	require(l->cmd_stride >= limits->cmd_slots * sizeof(struct ix_cmd));
	require(l->cmd_off + l->cores * l->cmd_stride <= l->tx_off);
	require(l->tx_off + l->tx_bytes <= l->client_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_grants grants = {
	    .rx_bytes = 4u << 20,
	    .rx_bytes_max = 64u << 20,
	    .tx_bytes = 4u << 20,
	    .tx_bytes_max = 64u << 20,
	    .cmd_slots = 1024,
	    .cmd_slots_max = 16384,
	    .evt_slots = 1024,
	    .evt_slots_max = 16384,
	    .connections_max = 1000,
	    .listeners_max = 16,
	    .clients_max = 8,
	};
	struct ix_hello hello = {.magic = 0};
	struct client_limits limits;
	struct ix_welcome layout;
	struct why why = {""};

	memset(&layout, 0, sizeof(layout));
	if (size < sizeof(hello) + 1)
		return 0;
	memcpy(&hello, data, sizeof(hello));
	uint32_t cores = 1 + data[sizeof(hello)] % IXD_CORES_MAX;
	if (client_limits_decide(&hello, &grants, cores, &limits, &why) != 0) {
		require(why.text[0] != '\0');
		return 0;
	}
	require(limits.rx_bytes <= grants.rx_bytes_max + IXD_RX_BLOCK_BYTES);
	require(limits.tx_bytes <= grants.tx_bytes_max + 65536);
	require(limits.cmd_slots <= grants.cmd_slots_max && limits.evt_slots <= grants.evt_slots_max);
	client_layout_compute(&limits, cores, &layout);
	layout_check(&layout, &limits);
	return 0;
}
