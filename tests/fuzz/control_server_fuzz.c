/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever bytes an asker sends, and whatever a dataplane has left in the memories: the control server
 * answers or closes. The first byte of the input says how many records of memory, offset and value follow,
 * which overwrite the memories; the rest is what the asker sends.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/control/server.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TURNS        64
#define RECORD_BYTES 6

static struct server server;
static struct sources sources;
static struct {
	uint8_t *bytes;
	size_t size;
} memories[SOURCE_FD_VIEW + 1];

static int make_memory(enum source_fd which, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		abort();
	memories[which].size = size;
	memories[which].bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memories[which].bytes == MAP_FAILED)
		abort();
	return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct msg_init init = {
	    .version = MSG_VERSION,
	    .instance = "fuzz",
	    .stats_bytes = sizeof(struct stats),
	    .mirror_bytes = sizeof(struct mirror),
	    .view_bytes = sizeof(struct view),
	    .fixed = {.cores = 2,
		      .conns_per_core = 64,
		      .time_waits_per_core = 16,
		      .syn_backlog_max_per_core = 16,
		      .sent_records_per_core = 64,
		      .ooo_records_per_core = 16,
		      .send_chunks_per_core = 16,
		      .frames_per_core = 64,
		      .flow_groups = IXD_FLOW_GROUPS},
	};
	int fds[SOURCE_FDS_MAX], pair[2], listener[2];
	struct state_layout layout;

	(void)argc;
	(void)argv;
	log_set_level(LOG_LEVEL_ERROR);
	state_layout_compute(&init.fixed, &layout);
	init.state_bytes = layout.bytes;
	fds[SOURCE_FD_STATE] = make_memory(SOURCE_FD_STATE, init.state_bytes);
	fds[SOURCE_FD_STATS] = make_memory(SOURCE_FD_STATS, init.stats_bytes);
	fds[SOURCE_FD_MIRROR] = make_memory(SOURCE_FD_MIRROR, init.mirror_bytes);
	fds[SOURCE_FD_VIEW] = make_memory(SOURCE_FD_VIEW, init.view_bytes);
	fds[SOURCE_FD_VERDICTS] = -1;
	if (sources_init(&sources, &init, fds, SOURCE_FD_LISTENER + 1) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, listener) ||
	    server_init(&server, &sources, pair[0], listener[0]))
		abort();
	return 0;
}

/* Takes the records that spoil the memories; returns how many bytes they were. */
static size_t spoil(const uint8_t *data, size_t size)
{
	size_t records = data[0] & 31, used = 1;

	for (; records > 0 && size - used >= RECORD_BYTES; records--, used += RECORD_BYTES) {
		const size_t which = data[used] % (SOURCE_FD_VIEW + 1);
		uint32_t off;

		memcpy(&off, data + used + 1, sizeof(off));
		memories[which].bytes[off % memories[which].size] = data[used + RECORD_BYTES - 1];
	}
	return used;
}

/* The supervisor's sequence counts rest; everything else stays as the inputs left it. */
static void rest(void)
{
	struct view *view = (void *)memories[SOURCE_FD_VIEW].bytes;
	struct mirror *mirror = (void *)memories[SOURCE_FD_MIRROR].bytes;

	view->seq = 0;
	view->magic = VIEW_MAGIC;
	mirror->seq = 0;
}

static void serve(struct connection *c, int asker)
{
	static char answers[1 << 16];

	for (int turn = 0; turn < TURNS && c->state != CONNECTION_FREE && !c->is_eof; turn++) {
		if (c->state == CONNECTION_IDLE && !c->out && connection_read(c, sources_now_ns()))
			return;
		if (server_turn(&server, 0))
			abort();
		while (recv(asker, answers, sizeof(answers), 0) > 0)
			continue;
		shutdown(asker, SHUT_WR);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct connection *c = &server.connections[0];
	int pair[2];

	if (size == 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return 0;
	size_t used = spoil(data, size);
	rest();
	if (connection_open(c, pair[0], 1, sources_now_ns()))
		abort();
	if (send(pair[1], data + used, size - used, 0) >= 0)
		serve(c, pair[1]);
	if (c->state != CONNECTION_FREE)
		connection_close(c);
	close(pair[1]);
	return 0;
}
