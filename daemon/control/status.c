/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instance as a whole: processes, interfaces, settings.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "daemon/control/address.h"
#include "daemon/control/methods.h"
#include "daemon/control/tried.h"

json_t *version_get(struct server *server, struct connection *c, const json_t *parameters)
{
	(void)server;
	(void)c;
	(void)parameters;
	return json_pack("{s:s, s:i}", "version", IXD_VERSION, "client_abi", (int)IX_ABI_VERSION);
}

static json_t *process_json(uint32_t pid, uint32_t starts)
{
	return json_pack("{s:I, s:I}", "pid", (json_int_t)pid, "starts", (json_int_t)starts);
}

static const struct mirror_iface *find_mirrored(const struct sources_net *net, uint32_t ifindex)
{
	for (uint32_t i = 0; i < net->ifaces_count; i++)
		if (net->ifaces[i].ifindex == ifindex)
			return &net->ifaces[i];
	return NULL;
}

static json_t *addresses_json(const struct sources_net *net, const struct mirror_iface *iface)
{
	json_t *list = json_array();
	char text[ADDRESS_TEXT_SIZE];

	for (uint32_t i = 0; iface && i < net->addrs_count; i++)
		if (net->addrs[i].iface == iface - net->ifaces &&
		    json_array_append_new(list, json_string(address_prefix_text(
						    net->addrs[i].addr, net->addrs[i].prefix_len, text)))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_int_t queue_received(const struct sources *s, uint32_t number)
{
	struct core_stats stats;
	uint64_t sum = 0;

	for (uint32_t core = 0; core < s->fixed.cores; core++) {
		sources_copy_core_stats(s, core, &stats);
		sum += stats.queue_rx_packets[number];
	}
	return (json_int_t)(sum & INT64_MAX);
}

static json_t *queue_json(const struct sources *s, const struct view *view, uint32_t number)
{
	const struct view_queue *queue = &view->queues[number];
	const struct view_queue_counters *counters = &queue->counters;

	return json_pack("{s:I, s:I, s:I, s:s, s:o, s:I, s:I, s:I, s:I, s:I}", "queue",
			 (json_int_t)queue->queue, "core", (json_int_t)queue->core, "sockets",
			 (json_int_t)queue->sockets, "copy", queue->is_zerocopy ? "zerocopy" : "copy",
			 "copy_why", varlink_text(queue->copy_why, strlen(queue->copy_why)), "received",
			 queue_received(s, number), "received_dropped",
			 (json_int_t)(counters->rx_dropped + counters->rx_ring_full), "ring_full",
			 (json_int_t)counters->rx_ring_full, "fill_empty", (json_int_t)counters->fill_empty,
			 "invalid", (json_int_t)(counters->fill_invalid + counters->tx_invalid));
}

static json_t *queues_json(const struct sources *s, const struct view *view, uint32_t iface)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < IXD_QUEUES_MAX; i++)
		if (view->queues[i].is_used && view->queues[i].iface == iface &&
		    json_array_append_new(list, queue_json(s, view, i))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *iface_json(const struct sources *s, const struct view *view, uint32_t index,
			  const struct sources_net *net)
{
	const struct view_iface *seen = &view->ifaces[index];
	const struct mirror_iface *iface = find_mirrored(net, seen->ifindex);
	const uint8_t none[6] = {0};
	const uint8_t *mac = iface ? iface->mac : none;
	char mac_text[18];

	snprintf(mac_text, sizeof(mac_text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return json_pack(
	    "{s:o, s:I, s:s, s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o}",
	    "name", varlink_text(seen->name, strlen(seen->name)), "index", (json_int_t)seen->ifindex, "mac",
	    mac_text, "mtu", iface ? iface->mtu : 0, "is_up", iface && iface->is_up, "mode",
	    varlink_text(seen->mode, strlen(seen->mode)), "mode_why",
	    varlink_text(seen->mode_why, strlen(seen->mode_why)), "copy",
	    varlink_text(seen->copy, strlen(seen->copy)), "copy_why",
	    varlink_text(seen->copy_why, strlen(seen->copy_why)), "driver",
	    varlink_text(seen->driver, strlen(seen->driver)), "tried", tried_json(seen->driver), "transmit",
	    varlink_text(seen->transmit, strlen(seen->transmit)), "transmit_why",
	    varlink_text(seen->transmit_why, strlen(seen->transmit_why)), "rss",
	    varlink_text(seen->rss, strlen(seen->rss)), "rss_why",
	    varlink_text(seen->rss_why, strlen(seen->rss_why)), "closes", (json_int_t)seen->closes, "queues",
	    (json_int_t)seen->queues, "queue_list", queues_json(s, view, index), "addresses",
	    addresses_json(net, iface));
}

static json_t *ifaces_json(const struct sources *s, const struct view *view, const struct sources_net *net)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < view->ifaces_count; i++)
		if (json_array_append_new(list, iface_json(s, view, i, net))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static const char *log_level_text(uint32_t level)
{
	static const char *const names[] = {"error", "warning", "notice", "info", "debug"};

	return level < sizeof(names) / sizeof(names[0]) ? names[level] : "info";
}

static json_t *settings_json(const struct runtime_config *config)
{
	return json_pack(
	    "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:b, s:b, s:b, s:b, s:b, s:b, s:s, "
	    "s:s}",
	    "batch_packets", (json_int_t)config->batch, "spin_us", (json_int_t)config->spin_us,
	    "ack_delay_us", (json_int_t)config->ack_delay_us, "rto_min_us", (json_int_t)config->rto_min_us,
	    "linger_ms", (json_int_t)config->linger_ms, "syn_backlog", (json_int_t)config->syn_backlog,
	    "challenge_acks_per_s", (json_int_t)config->challenge_acks_per_s, "keepalive_idle_s",
	    (json_int_t)config->keepalive_idle_s, "keepalive_interval_s",
	    (json_int_t)config->keepalive_interval_s, "ttl", (json_int_t)config->ttl, "dscp",
	    (json_int_t)config->dscp, "congestion_control",
	    config->cc < TCP_CC_COUNT ? tcp_cc_name((enum tcp_cc)config->cc) : "default", "ecn",
	    config->ecn != 0, "accurate_ecn", config->ecn == 2, "fast_open", config->fast_open, "timestamps",
	    config->timestamps, "sack", config->sack, "window_scaling", config->window_scaling, "placement",
	    config->is_shared_core ? "shared" : "dedicated", "log_level", log_level_text(config->log_level));
}

/* Time since, in microseconds, or null for never. */
static json_t *since_json(uint64_t now_ns, uint64_t then_ns)
{
	if (then_ns == 0)
		return json_null();
	return json_integer(now_ns > then_ns ? (json_int_t)((now_ns - then_ns) / 1000) : 0);
}

static void count_used(const struct view *view, unsigned *clients, unsigned *listeners)
{
	*clients = *listeners = 0;
	for (unsigned i = 0; i < IXD_CLIENTS_MAX; i++)
		*clients += view->clients[i].is_used != 0;
	for (unsigned i = 0; i < IXD_LISTENERS_MAX; i++)
		*listeners += view->listeners[i].is_used != 0;
}

/* Which kernel this is; what works differs between them. */
static const char *kernel_text(void)
{
	static struct utsname kernel;

	if (kernel.release[0] == '\0' && uname(&kernel) != 0)
		return "unknown";
	return kernel.release;
}

static json_int_t connections_open(const struct sources *s)
{
	struct core_stats stats;
	uint64_t sum = 0;

	for (uint32_t core = 0; core < s->fixed.cores; core++) {
		sources_copy_core_stats(s, core, &stats);
		sum += stats.conns_open;
	}
	return sum <= INT64_MAX ? (json_int_t)sum : 0;
}

json_t *status_get(struct server *server, struct connection *c, const json_t *parameters)
{
	const struct sources *s = server->sources;
	const struct view *view = &server->view;
	unsigned clients, listeners;

	(void)parameters;
	if (sources_copy_view(s, &server->view) || sources_copy_net(s, &server->net)) {
		connection_error(c, VARLINK_IXD ".Busy", json_pack("{s:s}", "what", "the supervisor's view"),
				 server->now_ns);
		return NULL;
	}
	count_used(view, &clients, &listeners);
	return json_pack(
	    "{s:o, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:o,"
	    " s:s, s:o}",
	    "instance", varlink_text(view->instance, strlen(view->instance)), "version", IXD_VERSION,
	    "config_path", varlink_text(view->config_path, strlen(view->config_path)), "is_ready",
	    view->is_dataplane_ready, "uptime_us", since_json(server->now_ns, view->started_ns),
	    "dataplane_uptime_us", since_json(server->now_ns, view->dataplane_started_ns),
	    "reconfigured_us_ago", since_json(server->now_ns, view->reconfigured_ns), "supervisor",
	    process_json(view->supervisor_pid, 1), "dataplane",
	    process_json(view->dataplane_pid, view->dataplane_starts), "control",
	    process_json(view->control_pid, view->control_starts), "cores", (json_int_t)s->fixed.cores,
	    "queues", (json_int_t)s->fixed.queues, "huge_pages", view->is_hugetlb, "connections",
	    connections_open(s), "connections_max", (json_int_t)s->fixed.cores * s->fixed.conns_per_core,
	    "clients", (json_int_t)clients, "listeners", (json_int_t)listeners, "interfaces",
	    ifaces_json(s, view, &server->net), "kernel", kernel_text(), "settings",
	    settings_json(&view->config));
}
