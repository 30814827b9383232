/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections: from which address and port, what the engine reports about them, and how they end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "tests/bench/lib/options.h"
#include "tests/bench/load/load.h"

#define CACHE_LINE        64u
#define HALF_OPEN_MAX     256u /* handshakes under way */
#define CONNECTS_PER_TURN 64u
#define SPARE_CONNS       64u
#define SENT_SPARE        131072u
#define CLOSING_MAX       512u /* FINs under way at the end: no more than a server's ring takes */
#define CLOSE_PER_CALL    64u
#define PORTS_TRIED       4096u /* in a turn: TIME_WAIT may hold many in a row */
#define FIBONACCI         2654435761u

static void dirty_mark(struct load *load, uint32_t index, struct load_conn *conn)
{
	if (conn->flags & CONN_DIRTY)
		return;
	conn->flags |= CONN_DIRTY;
	load->dirty[load->dirty_count++] = index;
}

static bool on_path(void *ctx, uint32_t listener, const struct tcp_tuple *tuple, struct tcp_path *path)
{
	struct load *load = ctx;

	(void)tuple;
	if (listener != TCP_NONE)
		return false;
	*path = (struct tcp_path){.mtu = (uint16_t)load->mtu,
				  .rcv_window = (uint32_t)load->config.window_bytes,
				  .rcv_window_max = (uint32_t)load->config.window_bytes};
	return true;
}

static void on_open(void *ctx, uint32_t index, uint32_t listener)
{
	(void)ctx; /* passive opens only, of which there are none */
	(void)index;
	(void)listener;
}

static void on_established(void *ctx, uint32_t index, uint32_t listener)
{
	struct load *load = ctx;
	struct load_conn *conn = conn_at(load, index);

	(void)listener;
	load->opening--;
	load->established++;
	load->result.connected++;
	bench_histogram_add(&load->result.connect, load->now.ns - conn->times[0]);
	conn->flags |= CONN_OPEN | CONN_NEW;
	dirty_mark(load, index, conn);
}

/* The next bytes of the stream. */
static void bytes_take(struct load *load, uint32_t index, struct load_conn *conn, const uint8_t *data,
		       uint32_t len)
{
	struct load_progress progress = load->config.workload->response(
	    conn_state(load, conn), conn->pattern_base, conn->rx_off, data, len);

	conn->rx_off += len;
	conn->consumed += len;
	/* More answers than questions are wrong, whatever is in them. */
	if (progress.is_wrong || progress.completed > (uint32_t)(conn->outstanding - conn->completed))
		conn->flags |= CONN_WRONG;
	else
		conn->completed = (uint16_t)(conn->completed + progress.completed);
	load->result.misses += progress.misses;
	dirty_mark(load, index, conn);
}

static bool on_store(void *ctx, uint32_t index, uint64_t off, const uint8_t *data, uint32_t len)
{
	struct load *load = ctx;
	struct load_conn *conn = conn_at(load, index);
	uint64_t window = load->config.window_bytes, at = off & (window - 1), first = window - at;

	if (off == conn->rx_off) {
		bytes_take(load, index, conn, data, len);
		return true;
	}
	/* Out of order, which is rare: kept in a ring of the window's size, until on_readable(). */
	if (load->hoards[index] == NULL)
		load->hoards[index] = malloc(window);
	if (load->hoards[index] == NULL || off + len > conn->rx_off + window)
		return false;
	first = len < first ? len : first;
	memcpy(load->hoards[index] + at, data, first);
	memcpy(load->hoards[index], data + first, len - first);
	return true;
}

static void on_readable(void *ctx, uint32_t index, uint64_t end_off)
{
	struct load *load = ctx;
	struct load_conn *conn = conn_at(load, index);
	uint64_t window = load->config.window_bytes;

	/* What came in order was taken already; the rest has waited. */
	while (conn->rx_off < end_off) {
		uint64_t at = conn->rx_off & (window - 1);
		uint64_t len = end_off - conn->rx_off;

		len = len < window - at ? len : window - at;
		bytes_take(load, index, conn, load->hoards[index] + at, (uint32_t)len);
	}
}

static void on_acked(void *ctx, uint32_t index, uint64_t acked_off)
{
	struct load *load = ctx;
	struct load_conn *conn = conn_at(load, index);

	if (conn->pieces != NULL)
		stream_release(load, conn, acked_off);
}

static void on_eof(void *ctx, uint32_t index)
{
	struct load *load = ctx;
	struct load_conn *conn = conn_at(load, index);

	conn->flags |= CONN_EOF;
	dirty_mark(load, index, conn);
}

static void end_count(struct load *load, const struct load_conn *conn, enum tcp_reason reason)
{
	struct load_errors *errors = &load->result.errors;

	if (load->phase == LOAD_CLOSING || (conn->flags & CONN_COUNTED))
		return;
	switch (reason) {
	case TCP_REASON_CLOSED:
		load->result.closed++;
		break;
	case TCP_REASON_RESET:
		errors->reset++;
		break;
	case TCP_REASON_REFUSED:
		errors->refused++;
		break;
	case TCP_REASON_TIMEOUT:
		errors->timed_out++;
		break;
	case TCP_REASON_UNREACHABLE:
		errors->unreachable++;
		break;
	default:
		errors->other++;
	}
}

static bool on_dead(void *ctx, uint32_t index, enum tcp_reason reason)
{
	struct load *load = ctx;
	struct load_conn *conn = conn_at(load, index);

	end_count(load, conn, reason);
	if (conn->flags & CONN_OPEN)
		load->established--;
	else
		load->opening--;
	load->closing -= (conn->flags & CONN_CLOSING) != 0;
	load->alive--;
	load->in_flight -= conn->outstanding;
	conn->generation++; /* tokens of it are worth nothing now */
	conn->flags &= CONN_DIRTY;
	conn->outstanding = conn->completed = 0;
	stream_release(load, conn, UINT64_MAX);
	free(load->hoards[index]);
	load->hoards[index] = NULL;
	return false;
}

static const struct tcp_ops ops = {
    .emit = wire_emit,
    .path = on_path,
    .on_open = on_open,
    .on_established = on_established,
    .rx_store = on_store,
    .on_readable = on_readable,
    .on_acked = on_acked,
    .on_eof = on_eof,
    .on_dead = on_dead,
};

/* Zeroed memory, touched now and not when a packet waits for it. */
static void *memory_make(size_t bytes)
{
	const size_t huge = (size_t)2 << 20;
	size_t rounded = (bytes + huge - 1) & ~(huge - 1);
	uint8_t *area =
	    mmap(NULL, rounded + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		bench_die("no memory for %zu MB: fewer connections need less", bytes >> 20);
	area += huge - (uintptr_t)area % huge;
	(void)madvise(area, rounded, MADV_HUGEPAGE);
	memset(area, 0, bytes);
	return area;
}

static void engine_make(struct load *load)
{
	const struct load_config *config = &load->config;
	uint64_t sent = load->conns_max * (config->depth + 1) + SENT_SPARE;
	struct tcp_limits limits = {
	    .conns = load->conns_max,
	    .listeners = 1,
	    .syn_backlog = 16,
	    .time_waits = (uint32_t)config->time_waits,
	    .sent_records = sent > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)sent,
	    .ooo_records = 8192,
	};
	struct tcp_config tcp;
	struct tcp_keys keys;

	tcp_config_default(&tcp);
	tcp.ack_delay_ns = config->ack_delay_us * 1000;
	if (getrandom(&keys, sizeof(keys), 0) != (ssize_t)sizeof(keys))
		bench_die("getrandom: %s", strerror(errno));
	load->tcp =
	    tcp_engine_init(memory_make(tcp_surviving_size(&limits)), memory_make(tcp_volatile_size(&limits)),
			    &limits, &tcp, &keys, &ops, load, &load->stats, load->now);
	if (load->tcp == NULL)
		bench_die("the engine does not take these limits");
}

void conn_init(struct load *load)
{
	const struct load_config *config = &load->config;

	load->conns_max = (uint32_t)config->connections + SPARE_CONNS;
	load->state_off = sizeof(struct load_conn) + config->depth * sizeof(uint64_t);
	load->conn_stride =
	    (load->state_off + config->workload->state_bytes + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
	load->conns = memory_make(load->conns_max * load->conn_stride);
	load->hoards = memory_make(load->conns_max * sizeof(load->hoards[0]));
	load->dirty = memory_make(load->conns_max * sizeof(load->dirty[0]));
	/* Somewhere in the round: a second run soon after this one meets other ports. */
	load->next_source = load->now.ns >> 10;
	engine_make(load);
}

static void ip_map(uint8_t out[16], uint32_t ip)
{
	const uint8_t mapped[16] = {[10] = 0xff,
				    [11] = 0xff,
				    [12] = (uint8_t)(ip >> 24),
				    [13] = (uint8_t)(ip >> 16),
				    [14] = (uint8_t)(ip >> 8),
				    [15] = (uint8_t)ip};

	memcpy(out, mapped, sizeof(mapped));
}

static void tuple_next(struct load *load, struct tcp_tuple *tuple)
{
	const struct load_config *config = &load->config;
	uint64_t addresses = (uint64_t)config->sources.last - config->sources.first + 1;
	uint64_t ports = (uint64_t)config->ports.last - config->ports.first + 1;
	uint64_t at = load->next_source++;

	*tuple = (struct tcp_tuple){.local_port = (uint16_t)(config->ports.first + at / addresses % ports),
				    .remote_port = config->target.port};
	ip_map(tuple->local, config->sources.first + (uint32_t)(at % addresses));
	ip_map(tuple->remote, config->target.ip);
}

static bool connect_one(struct load *load)
{
	const struct tcp_params params = {0};
	struct tcp_tuple tuple;
	struct load_conn *conn;
	int64_t index = -EADDRINUSE;

	for (uint32_t i = 0; index == -EADDRINUSE && i < PORTS_TRIED; i++) {
		tuple_next(load, &tuple);
		index = tcp_connect(load->tcp, load->now, &tuple, &params);
	}
	if (index < 0) {
		load->result.errors.no_port += index == -EADDRINUSE;
		return false;
	}
	conn = conn_at(load, (uint32_t)index);
	memset((uint8_t *)conn + sizeof(*conn), 0, load->conn_stride - sizeof(*conn));
	*conn = (struct load_conn){
	    .generation = conn->generation,
	    .flags = conn->flags & CONN_DIRTY,
	    .pattern_base = (uint16_t)((uint32_t)index * FIBONACCI >> 16),
	};
	conn->times[0] = load->now.ns;
	load->opening++;
	load->alive++;
	return true;
}

void conn_open_missing(struct load *load)
{
	double rate = load->config.connect_rate;
	uint32_t budget = CONNECTS_PER_TURN;

	if (load->phase == LOAD_CLOSING || load->alive >= load->config.connections)
		return;
	if (rate > 0) {
		load->connect_credit += (double)(load->now.ns - load->connect_credited_ns) * rate / 1e9;
		load->connect_credited_ns = load->now.ns;
		if (load->connect_credit > CONNECTS_PER_TURN)
			load->connect_credit = CONNECTS_PER_TURN;
		budget = (uint32_t)load->connect_credit;
	}
	while (budget > 0 && load->alive < load->config.connections && load->opening < HALF_OPEN_MAX &&
	       connect_one(load)) {
		budget--;
		load->connect_credit -= rate > 0;
	}
}

void conn_close(struct load *load, uint32_t index)
{
	struct load_conn *conn = conn_at(load, index);

	conn->flags |= CONN_CLOSING;
	load->closing++;
	conn->generation++; /* its tokens are worth nothing now */
	tcp_close(load->tcp, load->now, index, false);
}

/* Answers of this batch: how long each took, and what comes next. */
static void answers_settle(struct load *load, uint32_t index, struct load_conn *conn)
{
	uint32_t depth = (uint32_t)load->config.depth;
	uint32_t completed = conn->completed;

	for (uint32_t i = 0; i < completed; i++) {
		uint64_t began_ns = conn->times[conn->first];

		bench_histogram_add(&load->result.latency,
				    load->now.ns > began_ns ? load->now.ns - began_ns : 0);
		conn->first = (uint16_t)(conn->first + 1u == depth ? 0 : conn->first + 1u);
	}
	load->result.messages += completed;
	conn->completed = 0;
	conn->outstanding = (uint16_t)(conn->outstanding - completed);
	conn->trips += load->phase == LOAD_PREPARING ? 0 : completed;
	load->in_flight -= completed;
	if (load->config.round_trips != 0 && conn->trips >= load->config.round_trips) {
		conn_close(load, index);
		return;
	}
	for (uint32_t i = 0; i < completed; i++)
		schedule_next(load, index);
}

static void conn_look(struct load *load, uint32_t index)
{
	struct load_conn *conn = conn_at(load, index);

	conn->flags &= ~(uint32_t)CONN_DIRTY;
	if ((conn->flags & (CONN_OPEN | CONN_CLOSING)) != CONN_OPEN)
		return;
	if (conn->flags & (CONN_WRONG | CONN_EOF)) {
		if (conn->flags & CONN_WRONG)
			load->result.errors.wrong_bytes++;
		else
			load->result.errors.closed_by_peer++;
		conn->flags |= CONN_COUNTED;
		tcp_abort(load->tcp, load->now, index);
		return;
	}
	if (conn->flags & CONN_NEW) {
		conn->flags &= ~(uint32_t)CONN_NEW;
		conn->times[0] = 0;
		schedule_join(load, index);
	}
	if (conn->completed > 0)
		answers_settle(load, index, conn);
	if (conn->consumed >= load->config.window_bytes / 4) {
		conn->consumed = 0;
		tcp_rx_limit(load->tcp, load->now, index, conn->rx_off + load->config.window_bytes);
	}
}

void conn_turn(struct load *load)
{
	/* Looking at one may mark others only through the engine's callbacks of an abort: at the end. */
	for (uint32_t i = 0; i < load->dirty_count; i++) {
		if (i + 1 < load->dirty_count)
			__builtin_prefetch(conn_at(load, load->dirty[i + 1]));
		conn_look(load, load->dirty[i]);
	}
	load->dirty_count = 0;
}

/* Looks at all records once, from where it stopped the last time. */
bool conn_close_some(struct load *load, bool is_reset)
{
	uint32_t budget = CLOSE_PER_CALL;

	if (load->alive == 0)
		return false;
	for (uint32_t i = 0; i < load->conns_max && budget > 0; i++) {
		uint32_t index = load->close_at;
		const struct load_conn *conn = conn_at(load, index);

		if (!is_reset && load->closing >= CLOSING_MAX)
			break;
		load->close_at = index + 1 == load->conns_max ? 0 : index + 1;
		if (is_reset) {
			budget -= tcp_abort(load->tcp, load->now, index) == 0;
		} else if ((conn->flags & (CONN_OPEN | CONN_CLOSING)) == CONN_OPEN &&
			   conn->outstanding == 0) {
			conn_close(load, index);
			budget--;
		}
	}
	return true;
}
