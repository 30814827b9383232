/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The typed messages: what is sent arrives whole with its descriptors, and what is not well formed is refused
 * without leaving a descriptor behind.
 */
#include "daemon/common/msg.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static void pair_open(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
}

static void pair_close(void)
{
	close(pair[0]);
	close(pair[1]);
}

TestSuite(msg, .init = pair_open, .fini = pair_close);

static unsigned open_fds_count(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	cr_assert_not_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

/* Sends raw bytes with the same descriptor fds_count times, as a peer that keeps no rule could. */
static void raw_send(const void *bytes, size_t len, unsigned fds_count)
{
	char control[CMSG_SPACE(MSG_FDS_MAX * sizeof(int))] = {0};
	char copy[sizeof(struct msg) + 64];
	struct iovec iov = {.iov_base = copy, .iov_len = len};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	memcpy(copy, bytes, len);
	if (fds_count > 0) {
		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(fds_count * sizeof(int));
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(fds_count * sizeof(int));
		for (unsigned i = 0; i < fds_count; i++)
			memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &pair[0], sizeof(int));
	}
	cr_assert_eq(sendmsg(pair[0], &header, 0), (ssize_t)len);
}

static int receive(struct msg *m, int *fds, unsigned *count)
{
	return msg_recv(pair[1], m, fds, count);
}

Test(msg, every_type_goes_through_whole)
{
	/* How many descriptors each type that carries some is sent with. */
	static const unsigned fds_of[MSG_TYPE_COUNT] = {[MSG_DP_INIT] = MSG_DP_INIT_FDS,
							[MSG_DP_XSK] = 1,
							[MSG_DP_CLIENT_ADD] = 4,
							[MSG_CTL_INIT] = 6,
							[MSG_SUP_REQUEST] = 1};
	int sent_fds[MSG_FDS_MAX], fds[MSG_FDS_MAX];
	unsigned before = open_fds_count();

	for (unsigned i = 0; i < MSG_FDS_MAX; i++)
		sent_fds[i] = pair[0];
	for (uint32_t type = MSG_NONE + 1; type < MSG_TYPE_COUNT; type++) {
		static struct msg out, in;
		unsigned count = 99;

		memset(&out, 0x5a, sizeof(out));
		out.type = type;
		cr_assert_eq(msg_send(pair[0], &out, sent_fds, fds_of[type]), 0, "%s", msg_type_name(type));
		cr_assert_eq(receive(&in, fds, &count), 1, "%s", msg_type_name(type));
		cr_expect_eq(in.type, type);
		cr_assert_eq(count, fds_of[type], "%s", msg_type_name(type));
		for (unsigned i = 0; i < count; i++) {
			cr_expect_neq(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, 0);
			close(fds[i]);
		}
		cr_expect_str_neq(msg_type_name(type), "unknown");
	}
	cr_expect_eq(open_fds_count(), before);
}

Test(msg, payload_arrives_and_the_rest_is_zero)
{
	struct msg out = {.type = MSG_SUP_NEIGH}, in;
	int fds[MSG_FDS_MAX];
	unsigned count;

	memset(in.reply.text, 0xff, sizeof(in.reply.text));
	out.neigh.iface = 3;
	out.neigh.vlan = 42;
	memset(out.neigh.addr, 7, 16);
	cr_assert_eq(msg_send(pair[0], &out, NULL, 0), 0);
	cr_assert_eq(receive(&in, fds, &count), 1);
	cr_expect_eq(in.neigh.iface, 3);
	cr_expect_eq(in.neigh.vlan, 42);
	cr_expect_arr_eq(in.neigh.addr, out.neigh.addr, 16);
	cr_expect_eq(in.reply.text[REPLY_TEXT_SIZE - 1], 0);
}

Test(msg, sender_refuses_what_no_receiver_would_take)
{
	struct msg m = {.type = MSG_NONE};
	int fds[MSG_FDS_MAX] = {0};

	cr_expect_eq(msg_send(pair[0], &m, NULL, 0), -EINVAL);
	m.type = MSG_TYPE_COUNT;
	cr_expect_eq(msg_send(pair[0], &m, NULL, 0), -EINVAL);
	m.type = MSG_DP_XSK;
	cr_expect_eq(msg_send(pair[0], &m, NULL, 0), -EINVAL);
	cr_expect_eq(msg_send(pair[0], &m, fds, 3), -EINVAL);
}

Test(msg, nothing_there_is_eagain_and_end_is_zero)
{
	struct msg m;
	int fds[MSG_FDS_MAX];
	unsigned count;

	cr_expect_eq(receive(&m, fds, &count), -EAGAIN);
	shutdown(pair[0], SHUT_WR);
	cr_expect_eq(receive(&m, fds, &count), 0);
	cr_expect_eq(msg_send(pair[0], &(struct msg){.type = MSG_DP_STOP}, NULL, 0), -EPIPE);
}

Test(msg, malformed_is_refused_and_its_descriptors_closed)
{
	const size_t head = offsetof(struct msg, init);
	static struct msg m; /* zero */
	struct msg in;
	int fds[MSG_FDS_MAX];
	unsigned count, before = open_fds_count();
	const struct {
		uint32_t type;
		size_t len;
		unsigned fds;
		const char *why;
	} cases[] = {
	    {MSG_NONE, 0, 0, "no byte, which is not the end of file"},
	    {MSG_NONE, head, 0, "no type"},
	    {MSG_TYPE_COUNT, head, 0, "type beyond the last"},
	    {UINT32_MAX, head, 3, "absurd type"},
	    {MSG_DP_START, 1, 0, "shorter than a type"},
	    {MSG_DP_START, head - 1, 0, "cut in the head"},
	    {MSG_DP_START, head + 1, 0, "payload where none belongs"},
	    {MSG_SUP_NEIGH, head + sizeof(m.neigh) - 1, 0, "short payload"},
	    {MSG_SUP_NEIGH, head + sizeof(m.neigh) + 1, 0, "long payload"},
	    {MSG_SUP_NEIGH, head + sizeof(m.neigh), 1, "descriptor where none belongs"},
	    {MSG_DP_XSK, head + sizeof(m.xsk), 0, "missing descriptor"},
	    {MSG_DP_XSK, head + sizeof(m.xsk), 3, "one descriptor too many"},
	    {MSG_SUP_REQUEST, head + sizeof(m.request), MSG_FDS_MAX, "as many descriptors as fit"},
	    {MSG_DP_INIT, sizeof(m) + 32, MSG_DP_INIT_FDS, "longer than any message"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char bytes[sizeof(m) + 64] = {0};

		memcpy(bytes, &cases[i].type, sizeof(cases[i].type));
		raw_send(bytes, cases[i].len, cases[i].fds);
		cr_expect_eq(receive(&in, fds, &count), -EPROTO, "%s", cases[i].why);
		cr_expect_eq(count, 0, "%s", cases[i].why);
	}
	cr_expect_eq(open_fds_count(), before);
}
