/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dataplane holds packet sockets (large sends): whoever has one could, after a bind or with an address in
 * a message, send on any interface of the namespace. So it may use them with write calls only, which go where
 * the supervisor has bound the socket to.
 */
#include "daemon/common/sandbox_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "which architecture is this to the kernel's audit?"
#endif

/* The x32 interface of an x86-64 kernel reaches the same calls by other numbers. */
#define X32_BIT                   0x40000000u

#define FIELD(name)               ((uint32_t)offsetof(struct seccomp_data, name))
#define ARG_LOW(n)                (FIELD(args) + 8u * (n))
#define ARG_HIGH(n)               (ARG_LOW(n) + 4u)

#define LOAD(off)                 BPF_STMT(BPF_LD | BPF_W | BPF_ABS, off)
#define RETURN(action)            BPF_STMT(BPF_RET | BPF_K, action)
#define SKIP_UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count)
#define SKIP_IF(value, count)     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, count, 0)
#define REFUSE                    RETURN(SECCOMP_RET_ERRNO | EPERM)
#define ALLOW                     RETURN(SECCOMP_RET_ALLOW)
#define REFUSE_CALL(nr)           SKIP_UNLESS(nr, 1), REFUSE

int sandbox_filter_sockets(int channel_fd)
{
	struct sock_filter filter[] = {
	    LOAD(FIELD(arch)),
	    SKIP_IF(ARCH, 1),
	    RETURN(SECCOMP_RET_KILL_PROCESS),
	    LOAD(FIELD(nr)),
	    /* sendto: the kick of an AF_XDP socket, and doorbells; never with an address. It comes first:
	       what is judged by its number alone the kernel knows by heart, for this call the filter runs
	       each time. */
	    SKIP_UNLESS(SYS_sendto, 6),
	    LOAD(ARG_LOW(4)),
	    SKIP_UNLESS(0, 3),
	    LOAD(ARG_HIGH(4)),
	    SKIP_UNLESS(0, 1),
	    ALLOW,
	    REFUSE,
	    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
	    REFUSE,
	    REFUSE_CALL(SYS_socket),
	    REFUSE_CALL(SYS_bind),
	    REFUSE_CALL(SYS_connect),
	    REFUSE_CALL(SYS_sendmmsg),
	    REFUSE_CALL(SYS_io_uring_setup),
	    /* setsockopt: what every socket has, and AF_XDP sockets that come later; nothing of packet
	       sockets. */
	    SKIP_UNLESS(SYS_setsockopt, 5),
	    LOAD(ARG_LOW(1)),
	    SKIP_IF(SOL_SOCKET, 2),
	    SKIP_IF(SOL_XDP, 1),
	    REFUSE,
	    ALLOW,
	    /* bpf: runs of the transmit program; no look at maps or programs, no change of them. */
	    SKIP_UNLESS(SYS_bpf, 4),
	    LOAD(ARG_LOW(0)),
	    SKIP_IF(BPF_PROG_TEST_RUN, 1),
	    REFUSE,
	    ALLOW,
	    /* What could put another socket in the place of the channel, which alone may use sendmsg. */
	    REFUSE_CALL(SYS_execve),
	    REFUSE_CALL(SYS_execveat),
	    REFUSE_CALL(SYS_close_range),
	    SKIP_UNLESS(SYS_close, 4),
	    LOAD(ARG_LOW(0)),
	    SKIP_UNLESS((uint32_t)channel_fd, 1),
	    REFUSE,
	    ALLOW,
#ifdef SYS_dup2
	    SKIP_IF(SYS_dup2, 1),
#endif
	    SKIP_UNLESS(SYS_dup3, 4),
	    LOAD(ARG_LOW(1)),
	    SKIP_UNLESS((uint32_t)channel_fd, 1),
	    REFUSE,
	    ALLOW,
	    /* sendmsg: what it does depends on memory that a filter cannot see. */
	    SKIP_UNLESS(SYS_sendmsg, 3),
	    LOAD(ARG_LOW(0)),
	    SKIP_IF((uint32_t)channel_fd, 1),
	    REFUSE,
	    ALLOW,
	};
	const struct sock_fprog program = {
	    .len = (unsigned short)(sizeof(filter) / sizeof(filter[0])),
	    .filter = filter,
	};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}
