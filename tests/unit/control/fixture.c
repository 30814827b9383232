/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memories, sockets and turns for the tests of the control server.
 */
#include "tests/unit/control/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void *make_memory(const char *name, size_t bytes, int *fd)
{
	*fd = memfd_create(name, MFD_CLOEXEC);
	cr_assert_geq(*fd, 0);
	cr_assert_eq(ftruncate(*fd, (off_t)bytes), 0);
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	cr_assert_neq(memory, MAP_FAILED);
	return memory;
}

static void fill_fixed(struct static_config *fixed)
{
	fixed->cores = FIXTURE_CORES;
	fixed->queues = 1;
	fixed->frames_per_core = 64;
	fixed->conns_per_core = FIXTURE_CONNS;
	fixed->time_waits_per_core = 16;
	fixed->syn_backlog_max_per_core = 16;
	fixed->sent_records_per_core = 256;
	fixed->ooo_records_per_core = 64;
	fixed->send_chunks_per_core = 64;
	fixed->flow_groups = IXD_FLOW_GROUPS;
	fixed->cpu[0] = 1;
	fixed->cpu[1] = UINT16_MAX;
}

static void fill_view(struct view *view)
{
	view->magic = VIEW_MAGIC;
	strcpy(view->instance, "unit");
	strcpy(view->config_path, "/etc/ixd/unit.conf");
	view->supervisor_pid = 10;
	view->dataplane_pid = 11;
	view->control_pid = 12;
	view->dataplane_starts = 2;
	view->control_starts = 1;
	view->is_dataplane_ready = 1;
	view->started_ns = 1;
	view->config.batch = 64;
	view->ifaces_count = 1;
	strcpy(view->ifaces[0].name, "eth9");
	strcpy(view->ifaces[0].mode, "native");
	strcpy(view->ifaces[0].copy, "copy");
	view->ifaces[0].ifindex = 7;
	view->ifaces[0].queues = 1;
}

static int make_listener(struct fixture *f)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char folder[] = "/tmp/ixd-control-XXXXXX";

	cr_assert_not_null(mkdtemp(folder));
	snprintf(f->path, sizeof(f->path), "%s/control.sock", folder);
	strcpy(addr.sun_path, f->path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(listen(fd, 128), 0);
	return fd;
}

void fixture_init(struct fixture *f)
{
	struct msg_init init = {.version = MSG_VERSION, .instance = "unit"};
	struct state_layout layout;
	int fds[SOURCE_FDS_MAX], pair[2];

	memset(f, 0, sizeof(*f));
	fill_fixed(&init.fixed);
	state_layout_compute(&init.fixed, &layout);
	init.state_bytes = layout.bytes;
	init.stats_bytes = sizeof(struct stats);
	init.mirror_bytes = sizeof(struct mirror);
	init.view_bytes = sizeof(struct view);
	f->state = make_memory("state", layout.bytes, &fds[SOURCE_FD_STATE]);
	f->stats = make_memory("stats", sizeof(struct stats), &fds[SOURCE_FD_STATS]);
	f->mirror = make_memory("mirror", sizeof(struct mirror), &fds[SOURCE_FD_MIRROR]);
	f->view = make_memory("view", sizeof(struct view), &fds[SOURCE_FD_VIEW]);
	fds[SOURCE_FD_VERDICTS] = -1;
	fds[SOURCE_FD_LISTENER] = make_listener(f);
	fill_view(f->view);
	cr_assert_eq(sources_init(&f->sources, &init, fds, SOURCE_FD_LISTENER + 1), 0);
	for (int i = SOURCE_FD_STATE; i <= SOURCE_FD_VIEW; i++)
		close(fds[i]);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	f->supervisor_fd = pair[1];
	f->server = calloc(1, sizeof(*f->server));
	cr_assert_eq(server_init(f->server, &f->sources, pair[0], fds[SOURCE_FD_LISTENER]), 0);
}

void fixture_fini(struct fixture *f)
{
	server_fini(f->server);
	close(f->server->listener_fd);
	close(f->server->supervisor_fd);
	close(f->supervisor_fd);
	free(f->server);
	munmap(f->state, f->sources.layout.bytes);
	munmap(f->stats, sizeof(*f->stats));
	munmap(f->mirror, sizeof(*f->mirror));
	munmap(f->view, sizeof(*f->view));
	sources_fini(&f->sources);
	unlink(f->path);
	*strrchr(f->path, '/') = '\0';
	rmdir(f->path);
}

int fixture_connect(struct fixture *f)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = 5};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, f->path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -1;
	return fd;
}

void fixture_turn(struct fixture *f)
{
	/* Each turn first serves the connections and then takes events, one accept a turn; a bounded number
	 * of turns is more than the busiest test needs. */
	for (int i = 0; i < 200; i++)
		cr_assert_eq(server_turn(f->server, 0), 0);
}

void fixture_send(int fd, const char *text)
{
	size_t len = strlen(text) + 1;

	cr_assert_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

json_t *fixture_receive(struct fixture *f, int fd)
{
	static char text[1 << 20];
	size_t len = 0;

	do {
		struct pollfd ready = {.fd = fd, .events = POLLIN};

		while (poll(&ready, 1, 0) == 0)
			fixture_turn(f);
		if (recv(fd, text + len, 1, 0) <= 0)
			return NULL;
	} while (text[len++] != '\0' && len < sizeof(text));
	return json_loads(text, 0, NULL);
}

json_t *fixture_call(struct fixture *f, int fd, const char *text)
{
	fixture_send(fd, text);
	return fixture_receive(f, fd);
}

const char *fixture_error(json_t *answer)
{
	static char name[128];
	const char *error = json_string_value(json_object_get(answer, "error"));

	snprintf(name, sizeof(name), "%s", !answer ? "closed" : error ? error : "");
	json_decref(answer);
	return name;
}
