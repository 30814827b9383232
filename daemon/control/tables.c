/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients and listeners, as the supervisor admitted them.
 */
#include <string.h>

#include "daemon/control/address.h"
#include "daemon/control/methods.h"

/* 0, or -1 after the error was answered. */
static int refresh_view(struct server *server, struct connection *c)
{
	if (sources_copy_view(server->sources, &server->view) == 0)
		return 0;
	connection_error(c, VARLINK_IXD ".Busy", json_pack("{s:s}", "what", "the supervisor's view"),
			 server->now_ns);
	return -1;
}

static void count_connections(const struct sources *s, uint32_t counts[IXD_CLIENTS_MAX])
{
	struct conn_record record;

	memset(counts, 0, IXD_CLIENTS_MAX * sizeof(*counts));
	for (uint32_t core = 0; core < s->fixed.cores; core++)
		for (uint32_t i = 0; i < s->fixed.conns_per_core; i++) {
			sources_copy_record(s, core, i, &record);
			if (record.phase != CONN_FREE && !conn_is_over(&record) &&
			    record.client < IXD_CLIENTS_MAX)
				counts[record.client]++;
		}
}

static json_t *client_json(const struct view_client *client, uint32_t id, uint32_t connections,
			   uint64_t now_ns)
{
	uint64_t age_ns = now_ns > client->since_ns ? now_ns - client->since_ns : 0;

	return json_pack("{s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "id", (json_int_t)id,
			 "pid", (json_int_t)client->pid, "uid", (json_int_t)client->uid, "gid",
			 (json_int_t)client->gid, "command", varlink_text(client->comm, strlen(client->comm)),
			 "connections", (json_int_t)connections, "connections_max",
			 (json_int_t)client->conns_max, "listeners", (json_int_t)client->listeners,
			 "rx_bytes", (json_int_t)client->rx_bytes, "tx_bytes", (json_int_t)client->tx_bytes,
			 "age_us", (json_int_t)(age_ns / 1000));
}

json_t *clients_get(struct server *server, struct connection *c, const json_t *parameters)
{
	uint32_t connections[IXD_CLIENTS_MAX];
	json_t *list;

	(void)parameters;
	if (refresh_view(server, c))
		return NULL;
	count_connections(server->sources, connections);
	list = json_array();
	for (uint32_t id = 0; id < IXD_CLIENTS_MAX; id++)
		if (server->view.clients[id].is_used &&
		    json_array_append_new(
			list, client_json(&server->view.clients[id], id, connections[id], server->now_ns))) {
			json_decref(list);
			return NULL;
		}
	return json_pack("{s:o}", "clients", list);
}

json_t *listeners_get(struct server *server, struct connection *c, const json_t *parameters)
{
	char text[ADDRESS_TEXT_SIZE];
	json_t *list;

	(void)parameters;
	if (refresh_view(server, c))
		return NULL;
	list = json_array();
	for (uint32_t id = 0; id < IXD_LISTENERS_MAX; id++) {
		const struct view_listener *listener = &server->view.listeners[id];
		if (listener->is_used &&
		    json_array_append_new(
			list, json_pack("{s:I, s:s, s:i, s:i, s:I, s:I}", "id", (json_int_t)id, "address",
					address_text(listener->addr, text), "port", listener->port, "vlan",
					listener->vlan, "clients", (json_int_t)listener->clients, "uid",
					(json_int_t)listener->uid))) {
			json_decref(list);
			return NULL;
		}
	}
	return json_pack("{s:o}", "listeners", list);
}
