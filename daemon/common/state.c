/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The layout of the state memfd. One function computes it for every process, from the sizes fixed at start
 * alone; nothing in it depends on the machine or on the order of events.
 */
#include "daemon/common/state.h"

#include <errno.h>
#include <string.h>

#define STATE_LINE_BYTES     ((size_t)64)   /* records of different kinds share no cache line */
#define STATE_PAGE_BYTES     ((size_t)4096) /* cores share no page: memory can be placed near its core */

/* The structure ends in padding whose content is not defined: compare the fields only. */
#define FIXED_COMPARED_BYTES (offsetof(struct static_config, toeplitz_key) + IXD_TOEPLITZ_KEY_BYTES)

static size_t align_up(size_t value, size_t step)
{
	return (value + step - 1) & ~(step - 1);
}

/* Takes room for count records at *end, which it moves; returns where they start. */
static size_t region_place(size_t *end, size_t count, size_t record_bytes)
{
	size_t off = align_up(*end, STATE_LINE_BYTES);

	*end = off + count * record_bytes;
	return off;
}

void state_engine_limits(const struct static_config *fixed, struct tcp_limits *limits)
{
	*limits = (struct tcp_limits){
	    .conns = fixed->conns_per_core,
	    .listeners = IXD_LISTENERS_MAX,
	    .syn_backlog = fixed->syn_backlog_max_per_core,
	    .time_waits = fixed->time_waits_per_core,
	    .sent_records = fixed->sent_records_per_core,
	    .ooo_records = fixed->ooo_records_per_core,
	};
}

void state_layout_compute(const struct static_config *fixed, struct state_layout *layout)
{
	struct tcp_limits limits;
	size_t core_bytes = 0;
	size_t end = sizeof(struct state_header);

	memset(layout, 0, sizeof(*layout));
	state_engine_limits(fixed, &limits);

	layout->engine_bytes = tcp_surviving_size(&limits);
	layout->engine_off = region_place(&core_bytes, 1, layout->engine_bytes);
	layout->conn_off = region_place(&core_bytes, fixed->conns_per_core, sizeof(struct conn_record));
	layout->chunk_off = region_place(&core_bytes, fixed->send_chunks_per_core, sizeof(struct send_chunk));
	layout->listener_off = region_place(&core_bytes, IXD_LISTENERS_MAX, sizeof(struct listener_record));

	layout->frame_owner_off = region_place(&end, fixed->cores, fixed->frames_per_core);
	for (uint32_t core = 0; core < fixed->cores && core < IXD_CORES_MAX; core++) {
		layout->core_off[core] = align_up(end, STATE_PAGE_BYTES);
		end = layout->core_off[core] + core_bytes;
	}
	layout->bytes = align_up(end, STATE_PAGE_BYTES);
}

int state_header_check(const void *state, size_t bytes, const struct static_config *fixed)
{
	const struct state_header *header = state;
	struct state_layout layout;

	if (bytes < sizeof(*header) || header->magic != STATE_MAGIC || header->version != STATE_VERSION)
		return -EPROTO;
	if (memcmp(&header->fixed, fixed, FIXED_COMPARED_BYTES) != 0)
		return -EPROTO;
	state_layout_compute(fixed, &layout);
	/* A memfd of huge pages is rounded up, so it may be larger than the layout; never smaller. */
	if (header->bytes != layout.bytes || bytes < layout.bytes)
		return -EPROTO;
	return 0;
}
