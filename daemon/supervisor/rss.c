/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RSS by ethtool's ioctl, which every supported kernel has (its netlink form reads since 6.2 and writes since
 * 6.17), and the arithmetic of flow groups, slots and queues.
 */
#include "daemon/supervisor/rss.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/ethtool.h"

#define KEY_BYTES_MAX    256
#define HASH_TOEPLITZ    1u /* the bit of struct ethtool_rxfh's hfunc */
#define TCP_FIELDS       (RXH_IP_SRC | RXH_IP_DST | RXH_L4_B_0_1 | RXH_L4_B_2_3)
#define RSS_WORDS_OFFSET offsetof(struct ethtool_rxfh, rss_config)

/* A request with room for table and key behind it. */
struct rss_request {
	union {
		struct ethtool_rxfh head;
		uint8_t bytes[sizeof(struct ethtool_rxfh) + RSS_SLOTS_MAX * sizeof(uint32_t) + KEY_BYTES_MAX];
	};
};

static uint32_t *request_table(struct rss_request *request)
{
	return (uint32_t *)(void *)(request->bytes + RSS_WORDS_OFFSET);
}

static uint8_t *request_key(struct rss_request *request)
{
	return request->bytes + RSS_WORDS_OFFSET + request->head.indir_size * sizeof(uint32_t);
}

/* First the sizes, then the contents. */
static int request_get(const char *iface_name, struct rss_request *request)
{
	memset(request, 0, sizeof(*request));
	request->head.cmd = ETHTOOL_GRSSH;
	int err = ethtool_call(iface_name, request);

	if (err < 0)
		return err;
	if (request->head.indir_size == 0 || request->head.key_size < IXD_TOEPLITZ_KEY_BYTES)
		return -EOPNOTSUPP;
	if (request->head.indir_size > RSS_SLOTS_MAX || request->head.key_size > KEY_BYTES_MAX)
		return -E2BIG;
	request->head.cmd = ETHTOOL_GRSSH;
	return ethtool_call(iface_name, request);
}

static bool hashes_ports(const char *iface_name)
{
	struct ethtool_rxnfc fields = {.cmd = ETHTOOL_GRXFH, .flow_type = TCP_V4_FLOW};

	return ethtool_call(iface_name, &fields) == 0 && (fields.data & TCP_FIELDS) == TCP_FIELDS;
}

static bool is_power_of_two(uint32_t number)
{
	return number != 0 && (number & (number - 1)) == 0;
}

static bool key_is_zero(const uint8_t *key)
{
	for (unsigned i = 0; i < IXD_TOEPLITZ_KEY_BYTES; i++)
		if (key[i] != 0)
			return false;
	return true;
}

int rss_read(const char *iface_name, struct rss *rss, struct why *why)
{
	struct rss_request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	int err = request_get(iface_name, request);

	/* The byte after hfunc transforms the input (symmetric hashing); older headers call it reserved. */
	if (err < 0)
		why_set(why, err, "its driver shows no RSS key and table (%s)", strerror(-err));
	else if ((request->head.hfunc & HASH_TOEPLITZ) == 0 || request->head.rsvd8[0] != 0)
		err = why_set(why, -EOPNOTSUPP, "its RSS hash is not plain Toeplitz");
	else if (!hashes_ports(iface_name))
		err = why_set(why, -EOPNOTSUPP, "its RSS hash of TCP does not include the ports");
	else if (!is_power_of_two(request->head.indir_size) || key_is_zero(request_key(request)))
		err = why_set(why, -EOPNOTSUPP, "its RSS table or key is unusable");
	if (err == 0) {
		rss->slots = request->head.indir_size;
		memcpy(rss->table, request_table(request), rss->slots * sizeof(rss->table[0]));
		memcpy(rss->key, request_key(request), sizeof(rss->key));
	}
	free(request);
	return err;
}

int rss_write(const char *iface_name, const struct rss *rss, bool with_key)
{
	struct rss_request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		return -ENOMEM;
	/* What was there before: the key may be longer than what of it is used. */
	int err = request_get(iface_name, request);

	if (err == 0 && request->head.indir_size != rss->slots)
		err = -EINVAL;
	if (err == 0) {
		memcpy(request_table(request), rss->table, rss->slots * sizeof(rss->table[0]));
		if (with_key)
			memcpy(request_key(request), rss->key, sizeof(rss->key));
		else
			request->head.key_size = 0; /* stays as it is */
		request->head.cmd = ETHTOOL_SRSSH;
		err = ethtool_call(iface_name, request);
	}
	free(request);
	return err;
}

static uint32_t queue_core(const struct rss_queues *queues, uint32_t queue)
{
	return (queues->base + queue) % queues->cores;
}

bool rss_groups_derive(const struct rss *rss, const struct rss_queues *queues, uint32_t groups,
		       uint32_t *core_of_group)
{
	uint32_t parts[IXD_CORES_MAX] = {0};

	/* Where slots are fewer than groups, a slot serves several groups; where they are more, the reverse.
	 */
	for (uint32_t group = 0; group < groups; group++) {
		uint32_t queue = rss->table[group & (rss->slots - 1)];

		if (queue >= queues->count)
			return false;
		core_of_group[group] = queue_core(queues, queue);
		parts[core_of_group[group]]++;
	}
	for (uint32_t core = 0; core < queues->cores; core++)
		if (parts[core] * queues->cores * 2 < groups)
			return false;
	return rss_is_aligned(rss, queues, groups, core_of_group);
}

bool rss_is_aligned(const struct rss *rss, const struct rss_queues *queues, uint32_t groups,
		    const uint32_t *core_of_group)
{
	uint32_t pairs = rss->slots > groups ? rss->slots : groups;

	for (uint32_t i = 0; i < pairs; i++) {
		uint32_t queue = rss->table[i & (rss->slots - 1)];

		if (queue >= queues->count || queue_core(queues, queue) != core_of_group[i & (groups - 1)])
			return false;
	}
	return true;
}

bool rss_table_make(struct rss *rss, const struct rss_queues *queues, uint32_t groups,
		    const uint32_t *core_of_group)
{
	uint32_t turns[IXD_CORES_MAX] = {0};

	for (uint32_t slot = 0; slot < rss->slots; slot++) {
		uint32_t core = core_of_group[slot & (groups - 1)];
		/* The core's queues are first, first + cores, …; its slots take them in turn. */
		uint32_t first = (core + queues->cores - queues->base % queues->cores) % queues->cores;

		if (first >= queues->count)
			return false;
		uint32_t has = (queues->count - first + queues->cores - 1) / queues->cores;

		rss->table[slot] = first + turns[core]++ % has * queues->cores;
	}
	/* Not where groups that share a slot belong to different cores. */
	return rss_is_aligned(rss, queues, groups, core_of_group);
}
