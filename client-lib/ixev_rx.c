/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receiving: a queue of the places in RX memory where a connection's bytes lie. Reading never copies unless
 * asked to; consuming is told to ixd once per turn.
 */
#include <stdlib.h>
#include <string.h>

#include "client-lib/ixev_internal.h"

bool rx_add(struct ixev_conn *conn, uint64_t off, uint32_t len)
{
	struct rx_part *last, *parts;

	if (conn->rx.count) {
		last = &conn->rx_parts[queue_place(&conn->rx, conn->rx.count - 1)];
		if (last->off + last->len == off && last->len <= UINT32_MAX - len) {
			last->len += len;
			conn->rx_bytes += len;
			conn->rx_total += len;
			return true;
		}
	}
	parts = queue_grow(&conn->rx, conn->rx_parts, sizeof(*parts));
	if (!parts)
		return false;
	conn->rx_parts = parts;
	conn->rx_parts[queue_place(&conn->rx, conn->rx.count++)] = (struct rx_part){off, len};
	conn->rx_bytes += len;
	conn->rx_total += len;
	return true;
}

IX_EXPORT uint64_t ixev_urgent(const struct ixev_conn *conn)
{
	uint64_t taken = conn->rx_total - conn->rx_bytes;

	return conn->urgent_end > taken ? conn->urgent_end - taken : 0;
}

bool rx_inherit(struct ixev_conn *conn)
{
	size_t filled = 0;

	conn->rx_legacy = malloc(conn->rx_bytes);
	if (!conn->rx_legacy)
		return false;
	for (uint32_t i = 0; i < conn->rx.count; i++) {
		const struct rx_part *part = &conn->rx_parts[queue_place(&conn->rx, i)];

		memcpy(conn->rx_legacy + filled, conn->rx_base + part->off, part->len);
		filled += part->len;
	}
	/* The budget of a connection is far below 4 GiB, so one part holds it all. */
	conn->rx.count = 1;
	conn->rx_parts[queue_place(&conn->rx, 0)] = (struct rx_part){.len = (uint32_t)filled};
	conn->rx_base = conn->rx_legacy;
	return true;
}

IX_EXPORT bool ixev_is_eof(const struct ixev_conn *conn)
{
	return conn->is_eof;
}

IX_EXPORT size_t ixev_readable(const struct ixev_conn *conn)
{
	return conn->rx_bytes;
}

IX_EXPORT size_t ixev_peek(const struct ixev_conn *conn, const void **data)
{
	const struct rx_part *part;

	if (!conn->rx.count)
		return 0;
	part = &conn->rx_parts[queue_place(&conn->rx, 0)];
	*data = conn->rx_base + part->off;
	return part->len;
}

IX_EXPORT unsigned ixev_peekv(const struct ixev_conn *conn, struct iovec *parts, unsigned count)
{
	unsigned filled = 0;

	for (; filled < count && filled < conn->rx.count; filled++) {
		const struct rx_part *part = &conn->rx_parts[queue_place(&conn->rx, filled)];

		/* iovec has no const; the memory is mapped read-only, so a writer learns at once. */
		parts[filled].iov_base = (void *)(uintptr_t)(conn->rx_base + part->off);
		parts[filled].iov_len = part->len;
	}
	return filled;
}

IX_EXPORT void ixev_consume(struct ixev_conn *conn, size_t bytes)
{
	if (bytes > conn->rx_bytes)
		bytes = conn->rx_bytes;
	if (!bytes)
		return;
	conn->rx_bytes -= bytes;
	conn->rx_owed += bytes;
	while (bytes) {
		struct rx_part *part = &conn->rx_parts[queue_place(&conn->rx, 0)];
		uint32_t taken = bytes < part->len ? (uint32_t)bytes : part->len;

		part->off += taken;
		part->len -= taken;
		bytes -= taken;
		if (!part->len) {
			conn->rx.head++;
			conn->rx.count--;
		}
	}
	conn_mark(conn);
}

IX_EXPORT size_t ixev_read(struct ixev_conn *conn, void *data, size_t bytes)
{
	uint8_t *to = data;
	size_t taken = 0;

	while (taken < bytes) {
		const void *from;
		size_t run = ixev_peek(conn, &from);

		if (!run)
			break;
		if (run > bytes - taken)
			run = bytes - taken;
		memcpy(to + taken, from, run);
		ixev_consume(conn, run);
		taken += run;
	}
	return taken;
}
