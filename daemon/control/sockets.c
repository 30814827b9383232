/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listing connections.
 */
#include "daemon/control/sockets.h"

#include <errno.h>
#include <string.h>

#include "daemon/control/address.h"

static const char *const phase_names[] = {
    [CONN_FREE] = "opening", [CONN_OPENING] = "opening", [CONN_KNOCKED] = "knocked",
    [CONN_OPEN] = "open",    [CONN_CLOSED] = "closed",   [CONN_ORPHANED] = "orphaned",
};

static int64_t get_number(const json_t *parameters, const char *name)
{
	const json_t *value = json_object_get(parameters, name);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

int sockets_filter_parse(struct sockets_filter *filter, const json_t *parameters)
{
	const char *state = json_string_value(json_object_get(parameters, "state"));

	filter->local_port = get_number(parameters, "local_port");
	filter->remote_port = get_number(parameters, "remote_port");
	filter->client = get_number(parameters, "client");
	filter->core = get_number(parameters, "core");
	filter->state = -1;
	if (!state)
		return 0;
	for (int i = 0; i < TCP_STATE_COUNT; i++)
		if (strcmp(state, tcp_state_name((enum tcp_state)i)) == 0)
			filter->state = i;
	return filter->state < 0 ? -EINVAL : 0;
}

int sockets_query_init(struct sockets_query *q, const struct sockets_filter *filter, uint32_t limit)
{
	sockets_query_fini(q);
	*q = (struct sockets_query){.filter = *filter, .limit = limit, .piece = json_array()};
	return q->piece ? 0 : -ENOMEM;
}

void sockets_query_fini(struct sockets_query *q)
{
	json_decref(q->piece);
	q->piece = NULL;
}

json_t *sockets_query_take(struct sockets_query *q)
{
	json_t *piece = q->piece;

	q->piece = json_array();
	if (!q->piece) {
		json_decref(piece);
		return NULL;
	}
	return piece;
}

static bool is_wanted(const struct sockets_filter *f, const struct sources_conn *conn)
{
	return (f->state < 0 || (int)conn->tcp.state == f->state) &&
	       (f->local_port < 0 || conn->tcp.tuple.local_port == f->local_port) &&
	       (f->remote_port < 0 || conn->tcp.tuple.remote_port == f->remote_port) &&
	       (f->client < 0 || conn->record.client == f->client);
}

/* Two counts read a moment apart may seem to be in the wrong order. */
static json_int_t difference(uint64_t larger, uint64_t smaller)
{
	return larger > smaller && larger - smaller <= INT64_MAX ? (json_int_t)(larger - smaller) : 0;
}

static json_int_t number(uint64_t value)
{
	return value <= INT64_MAX ? (json_int_t)value : (json_int_t)INT64_MAX;
}

static json_t *client_json(const struct conn_record *record)
{
	return record->client < IXD_CLIENTS_MAX ? json_integer(record->client) : json_null();
}

/* The process id of a client that has disconnected is no longer known. */
static json_t *pid_json(const struct conn_record *record, const struct view *view)
{
	if (record->client >= IXD_CLIENTS_MAX || !view->clients[record->client].is_used ||
	    record->phase == CONN_ORPHANED)
		return json_null();
	return json_integer(view->clients[record->client].pid);
}

static json_t *wscale_json(const struct tcp_info *info)
{
	if (!(info->options & TCP_INFO_WSCALE))
		return json_null();
	return json_pack("{s:i, s:i}", "send", info->snd_wscale, "receive", info->rcv_wscale);
}

/* What the engine knows. */
static json_t *engine_json(const struct tcp_info *info, uint64_t now_ns)
{
	char local[ADDRESS_TEXT_SIZE], remote[ADDRESS_TEXT_SIZE];
	/* The engine begins with a threshold that no window reaches (at most 2^30 bytes, RFC 7323). */
	const bool is_slow_start_free = info->ssthresh_bytes >= 1u << 30;

	return json_pack(
	    "{s:s, s:s, s:i, s:s, s:i, s:i, s:I, s:I, s:I, s:o, s:I, s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:I, "
	    "s:I,"
	    " s:b, s:s, s:I, s:s, s:b, s:b, s:b, s:b, s:b, s:o, s:I, s:I, s:I, s:I}",
	    "state", tcp_state_name(info->state), "local_address", address_text(info->tuple.local, local),
	    "local_port", info->tuple.local_port, "remote_address", address_text(info->tuple.remote, remote),
	    "remote_port", info->tuple.remote_port, "vlan", info->tuple.vlan, "out_of_order",
	    (json_int_t)info->ooo_bytes, "in_flight", (json_int_t)info->unacked_bytes, "cwnd",
	    (json_int_t)info->cwnd_bytes, "ssthresh",
	    is_slow_start_free ? json_null() : json_integer(info->ssthresh_bytes), "send_window",
	    (json_int_t)info->snd_wnd_bytes, "receive_window", (json_int_t)info->rcv_wnd_bytes, "mss",
	    info->mss, "srtt_us", (json_int_t)info->srtt_us, "rttvar_us", (json_int_t)info->rttvar_us,
	    "min_rtt_us", (json_int_t)info->min_rtt_us, "rto_us", (json_int_t)info->rto_us, "backoff",
	    (json_int_t)info->backoff, "retransmits", (json_int_t)info->retransmits, "lost",
	    (json_int_t)info->lost_segments, "in_recovery", info->in_recovery, "congestion_state",
	    tcp_phase_name(info->phase), "reordering_window_us", (json_int_t)info->rack_reo_wnd_us,
	    "congestion_control", tcp_cc_name(info->cc), "timestamps",
	    (info->options & TCP_INFO_TIMESTAMPS) != 0, "sack", (info->options & TCP_INFO_SACK) != 0, "ecn",
	    (info->options & TCP_INFO_ECN) != 0, "accurate_ecn", (info->options & TCP_INFO_ACCECN) != 0,
	    "fast_open", (info->options & TCP_INFO_FAST_OPEN) != 0, "window_scale", wscale_json(info),
	    "bytes_acked", number(info->acked_bytes), "bytes_received", number(info->received_bytes),
	    "delivery_rate", number(info->delivery_rate_bytes_s), "age_us",
	    difference(now_ns, info->opened_at_ns) / 1000);
}

static json_t *socket_json(const struct sources_conn *conn, uint32_t core, uint32_t index,
			   const struct view *view, uint64_t now_ns)
{
	const struct conn_record *record = &conn->record;
	const size_t phases = sizeof(phase_names) / sizeof(phase_names[0]);
	json_t *engine = engine_json(&conn->tcp, now_ns);
	json_t *ours = json_pack(
	    "{s:I, s:I, s:I, s:I, s:s, s:b, s:o, s:o}", "core", (json_int_t)core, "index", (json_int_t)index,
	    "send_queue", difference(record->sent_given_off, record->sent_acked_off), "receive_queue",
	    difference(record->rx_ready_off, record->rx_done_off), "phase",
	    record->phase < phases ? phase_names[record->phase] : "opening", "is_passive",
	    record->listener != STATE_NONE, "client", client_json(record), "pid", pid_json(record, view));

	if (!engine || !ours || json_object_update_new(ours, engine)) {
		json_decref(ours);
		return NULL;
	}
	return ours;
}

static bool advance(struct sockets_query *q, const struct sources *s)
{
	if (q->filter.core >= 0 && q->core < (uint64_t)q->filter.core && q->index == 0)
		q->core = (uint32_t)q->filter.core;
	while (q->core < s->fixed.cores && q->index >= s->fixed.conns_per_core) {
		q->core++;
		q->index = 0;
	}
	return q->core < s->fixed.cores && (q->filter.core < 0 || q->core == (uint64_t)q->filter.core);
}

int sockets_query_step(struct sockets_query *q, const struct sources *s, const struct view *view,
		       uint64_t now_ns)
{
	struct sources_conn conn;

	for (unsigned seen = 0; seen < SOCKETS_STEP_RECORDS; seen++) {
		if (!advance(q, s))
			return SOCKETS_FINISHED;
		uint32_t index = q->index++;
		if (sources_copy_conn(s, q->core, index, &conn) || conn.tcp.state >= TCP_STATE_COUNT ||
		    conn.tcp.cc >= TCP_CC_COUNT || !is_wanted(&q->filter, &conn))
			continue;
		if (json_array_append_new(q->piece, socket_json(&conn, q->core, index, view, now_ns)))
			return -ENOMEM;
		if (json_array_size(q->piece) >= q->limit)
			return SOCKETS_FULL;
	}
	return SOCKETS_AGAIN;
}
