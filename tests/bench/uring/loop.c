/* SPDX-License-Identifier: BSD-2-Clause */
/* The turn of a program on io_uring, see loop.h. */
#include <liburing.h>

#include "tests/bench/uring/loop.h"
#include "tests/net/k.h"

#define ENTRIES       4096u
#define BUFFERS_BYTES (4u << 20) /* of all; divided by a power of two, a power of two */
#define BUFFER_GROUP  0
#define PAGE_BYTES    4096u

/* Linux 6.2; the headers of a distribution may be older than its kernel. */
#ifndef IORING_SEND_ZC_REPORT_USAGE
#define IORING_SEND_ZC_REPORT_USAGE  (1u << 3)
#define IORING_NOTIF_USAGE_ZC_COPIED (1u << 31)
#endif

/* What a completion is of, in the upper half of its user data; the lower half is a descriptor. */
enum { OP_ACCEPT, OP_RECEIVE, OP_SEND };

/* A connection. Pieces to be sent form a list, oldest first; the first is being sent. */
struct conn {
	struct uring_piece *first, *last;
	bool is_over;    /* nothing more will be received */
	bool is_starved; /* its receive ended for want of buffers */
	bool is_receiving;
};

static const struct uring_service *service;
static struct io_uring ring;
static struct io_uring_buf_ring *buffer_ring;
static uint8_t *memory;
static uint32_t buffer_bytes, buffer_count;
static struct uring_piece *buffers; /* one for each in the ring */
static struct conn conns[URING_FDS_MAX];
static int starved[URING_FDS_MAX];
static unsigned starved_count, free_count, lent_count;
static struct uring_lent lent;

static struct io_uring_sqe *next_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (sqe == NULL) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	if (sqe == NULL)
		k_die("io_uring: the submission queue does not empty");
	return sqe;
}

/* Behind the prepare function, which may clear it. */
static void mark(struct io_uring_sqe *sqe, unsigned op, int fd)
{
	io_uring_sqe_set_data64(sqe, (uint64_t)op << 32 | (uint32_t)fd);
}

void uring_accept(int listen_fd)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_multishot_accept(sqe, listen_fd, NULL, NULL, SOCK_CLOEXEC);
	mark(sqe, OP_ACCEPT, listen_fd);
}

static void arm_receive(int fd)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	mark(sqe, OP_RECEIVE, fd);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
	conns[fd].is_receiving = true;
}

static void send_first(int fd)
{
	struct uring_piece *piece = conns[fd].first;
	struct io_uring_sqe *sqe = next_sqe();

	if (piece->lent_id != 0)
		io_uring_prep_send_zc_fixed(sqe, fd, piece->at, piece->len, MSG_WAITALL,
					    IORING_SEND_ZC_REPORT_USAGE, piece->lent_id - 1u);
	else
		io_uring_prep_send(sqe, fd, piece->at, piece->len, MSG_WAITALL);
	mark(sqe, OP_SEND, fd);
}

static void buffer_return(uint16_t id)
{
	io_uring_buf_ring_add(buffer_ring, memory + (size_t)id * buffer_bytes, buffer_bytes, id,
			      io_uring_buf_ring_mask(buffer_count), 0);
	io_uring_buf_ring_advance(buffer_ring, 1);
	free_count++;
}

struct uring_piece *uring_piece_make(uint32_t len)
{
	struct uring_piece *piece = malloc(sizeof(*piece) + len);

	if (piece != NULL)
		*piece = (struct uring_piece){.at = piece->made, .len = len};
	return piece;
}

void uring_piece_drop(struct uring_piece *piece)
{
	if (piece->is_buffer)
		buffer_return((uint16_t)(piece - buffers));
	else
		free(piece);
}

void uring_send(int fd, struct uring_piece *piece)
{
	struct conn *conn = &conns[fd];

	piece->next = NULL;
	if (conn->first == NULL) {
		conn->first = conn->last = piece;
		send_first(fd);
	} else {
		conn->last->next = piece;
		conn->last = piece;
	}
}

/* Closes when the kernel holds nothing of it any more: the descriptor's number will be another's. */
static void conn_end_if_idle(int fd)
{
	struct conn *conn = &conns[fd];

	if (!conn->is_over || conn->is_receiving || conn->is_starved || conn->first != NULL)
		return;
	service->on_close(fd);
	close(fd);
}

void uring_adopt(int fd)
{
	if (fd >= URING_FDS_MAX) {
		close(fd);
		return;
	}
	conns[fd] = (struct conn){0};
	service->on_open(fd);
	arm_receive(fd);
}

static void on_accept(int listen_fd, int result, unsigned flags)
{
	/* TCP_NODELAY and cubic are inherited from the listener. */
	if (result >= 0)
		uring_adopt(result);
	if ((flags & IORING_CQE_F_MORE) == 0)
		uring_accept(listen_fd);
}

/* The last piece has left, and the service said that it is the end. */
static void conn_finish_if_sent(int fd)
{
	struct conn *conn = &conns[fd];

	if (conn->is_over && conn->is_receiving && conn->first == NULL)
		shutdown(fd, SHUT_RDWR);
}

static void bytes_give(int fd, uint16_t id, uint32_t len)
{
	struct conn *conn = &conns[fd];
	struct uring_piece *piece = &buffers[id];

	free_count--;
	*piece =
	    (struct uring_piece){.at = memory + (size_t)id * buffer_bytes, .len = len, .is_buffer = true};
	if (conn->is_over) {
		uring_piece_drop(piece);
	} else if (!service->on_bytes(fd, piece)) {
		conn->is_over = true;
		conn_finish_if_sent(fd);
	}
}

static void on_receive(int fd, int result, unsigned flags)
{
	struct conn *conn = &conns[fd];

	conn->is_receiving = (flags & IORING_CQE_F_MORE) != 0;
	if (result > 0)
		bytes_give(fd, (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT), (uint32_t)result);
	if (result == -ENOBUFS && !conn->is_starved && !conn->is_over) {
		conn->is_starved = true;
		starved[starved_count++] = fd;
	} else if (result <= 0 && result != -ENOBUFS) {
		conn->is_over = true;
	} else if (!conn->is_receiving && !conn->is_starved && !conn->is_over) {
		arm_receive(fd);
	}
	conn_end_if_idle(fd);
}

static void pieces_drop(struct conn *conn)
{
	while (conn->first != NULL) {
		struct uring_piece *piece = conn->first;

		conn->first = piece->next;
		uring_piece_drop(piece);
	}
}

static void on_send(int fd, int result)
{
	struct conn *conn = &conns[fd];
	struct uring_piece *piece = conn->first;

	if (result == -EINVAL && piece->lent_id != 0) {
		piece->lent_id = 0;
		send_first(fd);
		return;
	}
	if (result < 0) {
		/* The receive ends by itself. */
		conn->is_over = true;
		pieces_drop(conn);
	} else if ((uint32_t)result < piece->len) {
		piece->at += result;
		piece->len -= (uint32_t)result;
		send_first(fd);
	} else {
		conn->first = piece->next;
		uring_piece_drop(piece);
		if (conn->first != NULL)
			send_first(fd);
	}
	conn_finish_if_sent(fd);
	conn_end_if_idle(fd);
}

/* The second completion of such a send; its connection may be over and its number another's by now. */
static void on_lent_sent(uint32_t usage)
{
	lent.sent++;
	if ((usage & IORING_NOTIF_USAGE_ZC_COPIED) != 0)
		lent.copied++;
}

uint8_t uring_lend(const uint8_t *from, size_t bytes)
{
	const struct iovec range = {.iov_base = (void *)(uintptr_t)from, .iov_len = bytes};
	const __u64 tag = 0;

	if (lent_count == URING_LENT_MAX ||
	    (lent_count == 0 && io_uring_register_buffers_sparse(&ring, URING_LENT_MAX) != 0) ||
	    io_uring_register_buffers_update_tag(&ring, lent_count, &range, &tag, 1) != 1)
		return 0;
	return (uint8_t)++lent_count;
}

struct uring_lent uring_lent(void)
{
	return lent;
}

static void feed_starved(void)
{
	while (starved_count > 0 && free_count > buffer_count / 2) {
		int fd = starved[--starved_count];

		conns[fd].is_starved = false;
		if (!conns[fd].is_over)
			arm_receive(fd);
		conn_end_if_idle(fd);
	}
}

static void on_completion(const struct io_uring_cqe *cqe)
{
	int fd = (int)(uint32_t)cqe->user_data;

	switch (cqe->user_data >> 32) {
	case OP_ACCEPT:
		on_accept(fd, cqe->res, cqe->flags);
		break;
	case OP_RECEIVE:
		on_receive(fd, cqe->res, cqe->flags);
		break;
	default:
		if ((cqe->flags & IORING_CQE_F_NOTIF) != 0)
			on_lent_sent((uint32_t)cqe->res);
		else
			on_send(fd, cqe->res);
		break;
	}
}

unsigned uring_turn(bool is_spinning)
{
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;
	int error = is_spinning ? io_uring_submit_and_get_events(&ring) : io_uring_submit_and_wait(&ring, 1);

	if (error < 0 && error != -EINTR && error != -EBUSY && error != -EAGAIN)
		k_die("io_uring_enter: %s", strerror(-error));
	io_uring_for_each_cqe(&ring, head, cqe)
	{
		count++;
		on_completion(cqe);
	}
	io_uring_cq_advance(&ring, count);
	feed_starved();
	return count;
}

static void ring_open(void)
{
	struct io_uring_params params = {
	    .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
	    .cq_entries = 4 * ENTRIES,
	};
	int error = io_uring_queue_init_params(ENTRIES, &ring, &params);

	if (error == -EINVAL)
		k_die("io_uring: this kernel lacks deferred task work (Linux 6.1): use k-echo");
	if (error < 0)
		k_die("io_uring is not to be had here (%s): see kernel.io_uring_disabled, or use k-echo",
		      strerror(-error));
	/* Saves looking the descriptor up in every call; what cannot does without. */
	io_uring_register_ring_fd(&ring);
}

static void buffers_open(void)
{
	size_t ring_bytes = buffer_count * sizeof(struct io_uring_buf);
	struct io_uring_buf_reg registration = {.ring_entries = buffer_count, .bgid = BUFFER_GROUP};
	int error;

	/* The kernel maps whole pages, and aligned_alloc gives multiples of the alignment only. */
	ring_bytes = (ring_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	buffer_ring = aligned_alloc(PAGE_BYTES, ring_bytes);
	memory = aligned_alloc(PAGE_BYTES, BUFFERS_BYTES);
	buffers = calloc(buffer_count, sizeof(buffers[0]));
	if (buffer_ring == NULL || memory == NULL || buffers == NULL)
		k_die("out of memory");
	memset(buffer_ring, 0, ring_bytes);
	registration.ring_addr = (uintptr_t)buffer_ring;
	error = io_uring_register_buf_ring(&ring, &registration, 0);
	if (error < 0)
		k_die("io_uring: a ring of provided buffers (Linux 5.19): %s", strerror(-error));
	io_uring_buf_ring_init(buffer_ring);
	for (unsigned i = 0; i < buffer_count; i++)
		buffer_return((uint16_t)i);
}

void uring_open(const struct uring_service *what)
{
	service = what;
	buffer_bytes = what->buffer_bytes != 0 ? what->buffer_bytes : URING_BUFFER_BYTES;
	buffer_count = BUFFERS_BYTES / buffer_bytes;
	ring_open();
	buffers_open();
}
