/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters of cores, engine and XDP program, from the same rows that define them.
 */
#include <stddef.h>
#include <string.h>

#include "daemon/control/methods.h"

struct counter {
	const char *name, *description;
	size_t off; /* in struct core_stats or struct ixd_verdicts, or the enum frame_owner */
};

static const struct counter core_counters[] = {
#define ROW(field, doc) {#field, doc, offsetof(struct core_stats, field)},
    CORE_STATS(ROW)
#undef ROW
};
static const struct counter tcp_counters[] = {
#define ROW(field, doc) {#field, doc, offsetof(struct core_stats, tcp.field)},
    TCP_STATS(ROW)
#undef ROW
};
static const struct counter xdp_counters[] = {
#define ROW(field, doc) {#field, doc, offsetof(struct ixd_verdicts, field)},
    IXD_VERDICTS(ROW)
#undef ROW
};

static const struct counter frame_counters[] = {
    {"free", "packet frames that nobody uses now", FRAME_FREE},
    {"kernel_rx", "packet frames given to the kernel for receiving and not back yet, now", FRAME_KERNEL_RX},
    {"kernel_tx", "packet frames that the kernel has not sent yet, now", FRAME_KERNEL_TX},
    {"core", "packet frames that a core works on, now", FRAME_CORE},
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static json_int_t value_at(const void *base, size_t off)
{
	uint64_t value;

	memcpy(&value, (const uint8_t *)base + off, sizeof(value));
	return value <= INT64_MAX ? (json_int_t)value : (json_int_t)INT64_MAX;
}

/* Appends one counter; cores NULL: value stands for itself. 0 or -1. */
static int append(json_t *list, const char *group, const struct counter *row, json_int_t value,
		  json_t *per_core)
{
	return json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:o}", "group", group, "name",
						     row->name, "description", row->description, "value",
						     value, "per_core", per_core));
}

static int append_core_rows(json_t *list, const char *group, const struct counter *rows, size_t count,
			    const struct core_stats *cores, uint32_t cores_count, bool is_nonzero)
{
	for (size_t i = 0; i < count; i++) {
		json_int_t sum = 0;
		json_t *per_core;

		for (uint32_t core = 0; core < cores_count; core++)
			sum += value_at(&cores[core], rows[i].off);
		if (is_nonzero && sum == 0)
			continue;
		per_core = json_array();
		for (uint32_t core = 0; core < cores_count; core++)
			json_array_append_new(per_core, json_integer(value_at(&cores[core], rows[i].off)));
		if (append(list, group, &rows[i], sum, per_core))
			return -1;
	}
	return 0;
}

static int append_xdp_rows(json_t *list, const struct ixd_verdicts *verdicts, bool is_nonzero)
{
	for (size_t i = 0; i < COUNT(xdp_counters); i++) {
		json_int_t value = value_at(verdicts, xdp_counters[i].off);

		if (is_nonzero && value == 0)
			continue;
		if (append(list, "xdp", &xdp_counters[i], value, json_array()))
			return -1;
	}
	return 0;
}

static int append_frame_rows(json_t *list, const struct sources *s, bool is_nonzero)
{
	uint32_t count[IXD_CORES_MAX][SOURCES_FRAME_OWNERS];

	for (uint32_t core = 0; core < s->fixed.cores; core++)
		sources_count_frames(s, core, count[core]);
	for (size_t i = 0; i < COUNT(frame_counters); i++) {
		json_t *per_core = json_array();
		json_int_t sum = 0;

		for (uint32_t core = 0; core < s->fixed.cores; core++) {
			sum += count[core][frame_counters[i].off];
			json_array_append_new(per_core, json_integer(count[core][frame_counters[i].off]));
		}
		if (is_nonzero && sum == 0) {
			json_decref(per_core);
			continue;
		}
		if (append(list, "frames", &frame_counters[i], sum, per_core))
			return -1;
	}
	return 0;
}

json_t *stats_get(struct server *server, struct connection *c, const json_t *parameters)
{
	const bool is_nonzero = json_is_true(json_object_get(parameters, "nonzero"));
	const struct sources *s = server->sources;
	struct core_stats cores[IXD_CORES_MAX];
	struct ixd_verdicts verdicts;
	json_t *list = json_array();

	for (uint32_t core = 0; core < s->fixed.cores; core++)
		sources_copy_core_stats(s, core, &cores[core]);
	int err = sources_read_verdicts(s, &verdicts);
	if (err) {
		json_decref(list);
		connection_error(
		    c, VARLINK_IXD ".Unavailable",
		    json_pack("{s:s+}", "reason", "cannot read the XDP program's counters: ", strerror(-err)),
		    server->now_ns);
		return NULL;
	}
	if (append_core_rows(list, "core", core_counters, COUNT(core_counters), cores, s->fixed.cores,
			     is_nonzero) ||
	    append_core_rows(list, "tcp", tcp_counters, COUNT(tcp_counters), cores, s->fixed.cores,
			     is_nonzero) ||
	    append_xdp_rows(list, &verdicts, is_nonzero) || append_frame_rows(list, s, is_nonzero)) {
		json_decref(list);
		return NULL;
	}
	return json_pack("{s:o}", "counters", list);
}

static json_t *core_json(const struct sources *s, uint32_t core, const uint32_t *groups)
{
	const uint16_t cpu = s->fixed.cpu[core];
	struct core_stats stats;
	json_int_t owned = 0;

	sources_copy_core_stats(s, core, &stats);
	for (uint32_t group = 0; groups && group < s->fixed.flow_groups; group++)
		owned += groups[group] == core;
	return json_pack("{s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "id",
			 (json_int_t)core, "cpu", cpu == UINT16_MAX ? json_null() : json_integer(cpu),
			 "connections", value_at(&stats, offsetof(struct core_stats, conns_open)),
			 "connections_max", (json_int_t)s->fixed.conns_per_core, "turns",
			 value_at(&stats, offsetof(struct core_stats, loop_turns)), "sleeps",
			 value_at(&stats, offsetof(struct core_stats, loop_sleeps)), "busy_us",
			 (json_int_t)(stats.busy_ns / 1000), "mean_batch_milli",
			 stats.batch_count ? (json_int_t)(stats.batch_sum * 1000 / stats.batch_count)
					   : (json_int_t)0,
			 "rx_packets", value_at(&stats, offsetof(struct core_stats, rx_packets)),
			 "tx_packets", value_at(&stats, offsetof(struct core_stats, tx_packets)), "commands",
			 value_at(&stats, offsetof(struct core_stats, commands)), "events",
			 value_at(&stats, offsetof(struct core_stats, events)), "flow_groups", owned);
}

json_t *cores_get(struct server *server, struct connection *c, const json_t *parameters)
{
	const struct sources *s = server->sources;
	uint32_t groups[IXD_FLOW_GROUPS];
	const bool has_groups = sources_read_flow_groups(s, groups) == 0;
	json_t *list = json_array();

	(void)c;
	(void)parameters;
	for (uint32_t core = 0; core < s->fixed.cores; core++)
		if (json_array_append_new(list, core_json(s, core, has_groups ? groups : NULL))) {
			json_decref(list);
			return NULL;
		}
	return json_pack("{s:o}", "cores", list);
}

json_t *flows_get(struct server *server, struct connection *c, const json_t *parameters)
{
	const struct sources *s = server->sources;
	uint32_t groups[IXD_FLOW_GROUPS];
	int err = sources_read_flow_groups(s, groups);
	json_t *list;

	(void)parameters;
	if (err) {
		connection_error(
		    c, VARLINK_IXD ".Unavailable",
		    json_pack("{s:s+}", "reason", "cannot read the map of flow groups: ", strerror(-err)),
		    server->now_ns);
		return NULL;
	}
	list = json_array();
	for (uint32_t group = 0; group < s->fixed.flow_groups; group++)
		json_array_append_new(list, json_integer(groups[group]));
	return json_pack("{s:o}", "groups", list);
}
