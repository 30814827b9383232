/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the responding XDP program and its loader share; host byte order. */
#ifndef TESTS_BENCH_RESPOND_RESPOND_H
#define TESTS_BENCH_RESPOND_RESPOND_H

#include <linux/types.h>

struct bench_respond {
	__u32 ip;
	__u16 port_first, port_last;
};

/* One row: field, documentation. */
#define BENCH_RESPOND_COUNTS(X)                                                                              \
	X(syns, "SYNs answered by a SYN-ACK")                                                                \
	X(echoes, "segments with payload, sent back")                                                        \
	X(fins, "of all segments with FIN, answered by FIN")                                                 \
	X(acks, "segments without payload, dropped")                                                         \
	X(resets, "RSTs, dropped")                                                                           \
	X(strange, "dropped: not a segment that this program understands")                                   \
	X(passed, "other traffic, passed to the kernel")

struct bench_respond_counts {
#define BENCH_RESPOND_FIELD(name, doc) __u64 name;
	BENCH_RESPOND_COUNTS(BENCH_RESPOND_FIELD)
#undef BENCH_RESPOND_FIELD
};

#endif
