/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is sent: pattern, which needs no memory, and the pieces that a workload wrote, kept until they are
 * acknowledged. A connection's pieces are a ring of which the last is known.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/bench/lib/options.h"
#include "tests/bench/lib/pattern.h"
#include "tests/bench/load/load.h"

#define SLAB_PIECES 64u

static const uint32_t class_bytes[2] = {256, LOAD_REQUEST_MAX};

static struct load_piece *piece_alloc(struct load *load, uint32_t bytes)
{
	uint8_t class = bytes > class_bytes[0];
	struct load_piece **free_list = &load->free_pieces[class];
	struct load_piece *piece = *free_list;

	if (piece == NULL) {
		/* Grows during the warm-up to what is needed, and is never given back. */
		size_t each = (sizeof(*piece) + class_bytes[class] + 63) & ~(size_t)63;
		uint8_t *slab = aligned_alloc(64, each * SLAB_PIECES);

		if (slab == NULL)
			bench_die("no memory for requests");
		for (uint32_t i = 0; i < SLAB_PIECES; i++) {
			struct load_piece *fresh = (struct load_piece *)(void *)(slab + i * each);

			fresh->next = *free_list;
			fresh->size_class = class;
			*free_list = fresh;
		}
		piece = *free_list;
	}
	*free_list = piece->next;
	return piece;
}

static void piece_append(struct load *load, struct load_conn *conn, const uint8_t *data, uint32_t bytes)
{
	struct load_piece *piece = piece_alloc(load, bytes);

	piece->off = conn->tx_off;
	piece->bytes = bytes;
	memcpy(piece->data, data, bytes);
	if (conn->pieces == NULL) {
		piece->next = piece;
	} else {
		piece->next = conn->pieces->next;
		conn->pieces->next = piece;
	}
	conn->pieces = piece;
}

void stream_release(struct load *load, struct load_conn *conn, uint64_t off)
{
	while (conn->pieces != NULL && conn->pieces->next->off + conn->pieces->next->bytes <= off) {
		struct load_piece *oldest = conn->pieces->next;

		if (oldest == conn->pieces)
			conn->pieces = NULL;
		else
			conn->pieces->next = oldest->next;
		oldest->next = load->free_pieces[oldest->size_class];
		load->free_pieces[oldest->size_class] = oldest;
	}
}

static void pieces_copy(const struct load_conn *conn, uint64_t off, uint32_t len, uint8_t *dst)
{
	const struct load_piece *piece = conn->pieces->next;

	/* The pattern everywhere, then what covers it. */
	memcpy(dst, bench_pattern_at(conn->pattern_base, off), len);
	for (;; piece = piece->next) {
		uint64_t from = piece->off > off ? piece->off : off;
		uint64_t to = piece->off + piece->bytes < off + len ? piece->off + piece->bytes : off + len;

		if (from < to)
			memcpy(dst + (from - off), piece->data + (from - piece->off), to - from);
		if (piece == conn->pieces || to >= off + len)
			return;
	}
}

void stream_gather(const struct load *load, uint32_t index, uint64_t off, uint32_t len, uint8_t *dst,
		   uint64_t *sum)
{
	const struct load_conn *conn = conn_at(load, index);

	if (conn->pieces == NULL) {
		*sum = inet_checksum_copy(*sum, dst, bench_pattern_at(conn->pattern_base, off), len);
		return;
	}
	pieces_copy(conn, off, len, dst);
	*sum = inet_checksum_add(*sum, dst, len);
}

uint64_t stream_request(struct load *load, uint32_t index, bool is_preparation)
{
	static uint8_t scratch[LOAD_REQUEST_MAX];
	const struct load_workload *workload = load->config.workload;
	struct load_conn *conn = conn_at(load, index);
	struct load_request request = {.pattern_bytes = load->config.settings.message_bytes};
	void *state = conn_state(load, conn);
	uint64_t bytes;

	if (is_preparation)
		request = workload->prepare(state, scratch);
	else if (workload->request != NULL)
		request = workload->request(state, &load->random, conn->tx_off, scratch);
	bytes = request.bytes + request.pattern_bytes;
	if (bytes == 0)
		return 0;
	if (request.bytes > 0)
		piece_append(load, conn, scratch, request.bytes);
	conn->tx_off += bytes;
	/* A connection that has just died refuses; its end is reported by itself. */
	(void)tcp_send(load->tcp, load->now, index, (uint32_t)bytes);
	return bytes;
}
