/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The layout of the state memfd: parts do not overlap, and a memfd of other sizes is refused.
 */
#include "daemon/common/state.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct static_config fixed_small(void)
{
	struct static_config fixed;

	memset(&fixed, 0xa5, sizeof(fixed)); /* padding must not matter */
	fixed.cores = 3;
	fixed.queues = 2;
	fixed.frames_per_core = 100;
	fixed.conns_per_core = 77;
	fixed.time_waits_per_core = 50;
	fixed.syn_backlog_max_per_core = 20;
	fixed.sent_records_per_core = 1000;
	fixed.ooo_records_per_core = 30;
	fixed.send_chunks_per_core = 123;
	return fixed;
}

Test(state, parts_lie_side_by_side_and_aligned)
{
	struct static_config fixed = fixed_small();
	struct state_layout l;

	state_layout_compute(&fixed, &l);
	cr_expect_geq(l.frame_owner_off, sizeof(struct state_header));
	cr_expect_geq(l.core_off[0], l.frame_owner_off + 300);
	cr_expect_geq(l.conn_off, l.engine_off + l.engine_bytes);
	cr_expect_geq(l.chunk_off, l.conn_off + 77 * sizeof(struct conn_record));
	cr_expect_geq(l.listener_off, l.chunk_off + 123 * sizeof(struct send_chunk));

	size_t core_bytes = l.listener_off + IXD_LISTENERS_MAX * sizeof(struct listener_record);

	cr_expect_geq(l.core_off[1], l.core_off[0] + core_bytes);
	cr_expect_geq(l.core_off[2], l.core_off[1] + core_bytes);
	cr_expect_geq(l.bytes, l.core_off[2] + core_bytes);
	cr_expect_eq(l.core_off[3], 0);
	cr_expect_eq(l.bytes % 4096, 0);
	for (int core = 0; core < 3; core++)
		cr_expect_eq(l.core_off[core] % 4096, 0);
	cr_expect_eq(l.conn_off % 64, 0);
	cr_expect_eq(l.chunk_off % 64, 0);
	cr_expect_eq(l.listener_off % 64, 0);
}

Test(state, engine_limits_follow_the_configuration)
{
	struct static_config fixed = fixed_small();
	struct tcp_limits limits;

	state_engine_limits(&fixed, &limits);
	cr_expect_eq(limits.conns, 77);
	cr_expect_eq(limits.listeners, IXD_LISTENERS_MAX);
	cr_expect_eq(limits.syn_backlog, 20);
	cr_expect_eq(limits.time_waits, 50);
	cr_expect_eq(limits.sent_records, 1000);
	cr_expect_eq(limits.ooo_records, 30);
}

Test(state, header_is_checked_field_by_field)
{
	struct static_config fixed = fixed_small();
	struct state_header header = {.magic = STATE_MAGIC, .version = STATE_VERSION, .fixed = fixed};
	struct state_layout l;

	state_layout_compute(&fixed, &l);
	header.bytes = l.bytes;
	cr_expect_eq(state_header_check(&header, l.bytes, &fixed), 0);
	cr_expect_eq(state_header_check(&header, l.bytes + (2u << 20), &fixed), 0, "huge pages round up");
	cr_expect_eq(state_header_check(&header, l.bytes - 1, &fixed), -EPROTO);
	cr_expect_eq(state_header_check(&header, sizeof(header) - 1, &fixed), -EPROTO);

	header.magic++;
	cr_expect_eq(state_header_check(&header, l.bytes, &fixed), -EPROTO);
	header.magic--;
	header.version++;
	cr_expect_eq(state_header_check(&header, l.bytes, &fixed), -EPROTO);
	header.version--;
	header.bytes++;
	cr_expect_eq(state_header_check(&header, l.bytes, &fixed), -EPROTO);
	header.bytes--;
	header.fixed.toeplitz_key[39]++;
	cr_expect_eq(state_header_check(&header, l.bytes, &fixed), -EPROTO);
	header.fixed.toeplitz_key[39]--;
	header.fixed.conns_per_core++;
	cr_expect_eq(state_header_check(&header, l.bytes, &fixed), -EPROTO);
	header.fixed.conns_per_core--;
	/* The padding at the end of the structure is nobody's business. */
	memset((char *)&header.fixed + offsetof(struct static_config, toeplitz_key) + IXD_TOEPLITZ_KEY_BYTES,
	       0, sizeof(fixed) - offsetof(struct static_config, toeplitz_key) - IXD_TOEPLITZ_KEY_BYTES);
	cr_expect_eq(state_header_check(&header, l.bytes, &fixed), 0);
}
