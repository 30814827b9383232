/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Echo server on the kernel's TCP by io_uring, with all that makes it fast: accept and receive stay armed
 * (multishot), received bytes come in buffers of a provided ring and are sent back from where they lie, and
 * one system call per turn submits, runs the kernel's deferred work and collects. The contender of ix-echo
 * beside k-echo, with the same command line. With --spin it does not sleep.
 *
 * Needs Linux 6.1; says so where it is older or io_uring is not allowed.
 */
#include <getopt.h>
#include <liburing.h>

#include "tests/net/k.h"

#define ENTRIES      4096u
#define BUFFERS      2048u /* a power of two */
#define BUFFER_BYTES 2048u
#define BUFFER_GROUP 0
#define FDS_MAX      65536
#define NO_BUFFER    UINT16_MAX

/* What a completion is of, in the upper half of its user data; the lower half is a descriptor. */
enum { OP_ACCEPT, OP_RECEIVE, OP_SEND };

/* A connection. Buffers that wait to be sent back form a list, oldest first; the first is being sent. */
struct conn {
	uint16_t first, last;
	bool is_over;    /* nothing more will be received */
	bool is_starved; /* its receive ended for want of buffers */
	bool is_receiving;
};

struct buffer {
	uint32_t off, len; /* what is still to be sent */
	uint16_t next;
};

static struct io_uring ring;
static struct io_uring_buf_ring *buffer_ring;
static uint8_t (*memory)[BUFFER_BYTES];
static struct buffer buffers[BUFFERS];
static struct conn conns[FDS_MAX];
static int starved[FDS_MAX];
static unsigned starved_count, free_count;

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

static void arm_accept(int listen_fd)
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
	uint16_t id = conns[fd].first;
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_send(sqe, fd, memory[id] + buffers[id].off, buffers[id].len, MSG_WAITALL);
	mark(sqe, OP_SEND, fd);
}

static void buffer_return(uint16_t id)
{
	io_uring_buf_ring_add(buffer_ring, memory[id], BUFFER_BYTES, id, io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(buffer_ring, 1);
	free_count++;
}

/* Closes when the kernel holds nothing of it any more: the descriptor's number will be another's. */
static void conn_end_if_idle(int fd)
{
	struct conn *conn = &conns[fd];

	if (!conn->is_over || conn->is_receiving || conn->is_starved || conn->first != NO_BUFFER)
		return;
	close(fd);
}

static void on_accept(int listen_fd, int result, unsigned flags)
{
	if (result >= FDS_MAX) {
		close(result);
	} else if (result >= 0) {
		/* TCP_NODELAY and cubic are inherited from the listener. */
		conns[result] = (struct conn){.first = NO_BUFFER, .last = NO_BUFFER};
		arm_receive(result);
	}
	if ((flags & IORING_CQE_F_MORE) == 0)
		arm_accept(listen_fd);
}

static void on_receive(int fd, int result, unsigned flags)
{
	struct conn *conn = &conns[fd];
	uint16_t id = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);

	conn->is_receiving = (flags & IORING_CQE_F_MORE) != 0;
	if (result > 0) {
		free_count--;
		buffers[id] = (struct buffer){.len = (uint32_t)result, .next = NO_BUFFER};
		if (conn->first == NO_BUFFER) {
			conn->first = conn->last = id;
			send_first(fd);
		} else {
			buffers[conn->last].next = id;
			conn->last = id;
		}
	}
	if (result == -ENOBUFS && !conn->is_starved) {
		conn->is_starved = true;
		starved[starved_count++] = fd;
	} else if (result <= 0 && result != -ENOBUFS) {
		conn->is_over = true;
	} else if (!conn->is_receiving && !conn->is_starved) {
		arm_receive(fd);
	}
	conn_end_if_idle(fd);
}

static void on_send(int fd, int result)
{
	struct conn *conn = &conns[fd];
	uint16_t id = conn->first;

	if (result < 0) {
		/* The receive ends by itself. */
		conn->is_over = true;
		for (; conn->first != NO_BUFFER; conn->first = buffers[conn->first].next)
			buffer_return(conn->first);
		if (conn->is_receiving)
			shutdown(fd, SHUT_RDWR);
		conn_end_if_idle(fd);
		return;
	}
	buffers[id].off += (uint32_t)result;
	buffers[id].len -= (uint32_t)result;
	if (buffers[id].len == 0) {
		conn->first = buffers[id].next;
		buffer_return(id);
	}
	if (conn->first != NO_BUFFER)
		send_first(fd);
	conn_end_if_idle(fd);
}

static void feed_starved(void)
{
	while (starved_count > 0 && free_count > BUFFERS / 2) {
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
		on_send(fd, cqe->res);
		break;
	}
}

static void serve(bool is_spinning)
{
	for (;;) {
		struct io_uring_cqe *cqe;
		unsigned head, count = 0;
		int error =
		    is_spinning ? io_uring_submit_and_get_events(&ring) : io_uring_submit_and_wait(&ring, 1);

		if (error < 0 && error != -EINTR && error != -EBUSY && error != -EAGAIN)
			k_die("io_uring_enter: %s", strerror(-error));
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			count++;
			on_completion(cqe);
		}
		io_uring_cq_advance(&ring, count);
		feed_starved();
	}
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
	size_t ring_bytes = BUFFERS * sizeof(struct io_uring_buf);
	struct io_uring_buf_reg registration = {.ring_entries = BUFFERS, .bgid = BUFFER_GROUP};
	int error;

	buffer_ring = aligned_alloc(4096, ring_bytes);
	memory = aligned_alloc(4096, (size_t)BUFFERS * BUFFER_BYTES);
	if (buffer_ring == NULL || memory == NULL)
		k_die("out of memory");
	memset(buffer_ring, 0, ring_bytes);
	registration.ring_addr = (uintptr_t)buffer_ring;
	error = io_uring_register_buf_ring(&ring, &registration, 0);
	if (error < 0)
		k_die("io_uring: a ring of provided buffers (Linux 5.19): %s", strerror(-error));
	io_uring_buf_ring_init(buffer_ring);
	for (unsigned i = 0; i < BUFFERS; i++)
		buffer_return((uint16_t)i);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"listen", required_argument, NULL, 'l'},
	    {"spin", no_argument, NULL, 's'},
	    {"timeout", required_argument, NULL, 't'},
	    {0},
	};
	const char *where = NULL;
	unsigned timeout_s = 60;
	bool is_spinning = false;
	int option;

	while ((option = getopt_long(argc, argv, "l:st:", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			where = optarg;
			break;
		case 's':
			is_spinning = true;
			break;
		case 't':
			timeout_s = (unsigned)k_number(optarg);
			break;
		default:
			return 2;
		}
	}
	if (where == NULL || optind != argc)
		k_die("usage: k-uring --listen ADDRESS:PORT [--spin] [--timeout SECONDS]");
	k_limit_time(timeout_s);
	ring_open();
	buffers_open();
	arm_accept(k_listen(where));
	serve(is_spinning);
}
