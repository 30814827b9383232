/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay: joins two interfaces and impairs what goes between them. Everything on the ends must be real
 *packets: tx, tso, gso and gro off, or frames come larger than the MTU, with checksums that nobody computed.
 *
 *	frames_in → impair_next → queue_push … queue_first → frames_out
 *
 * Ends on SIGTERM, SIGINT or after --timeout, and prints a line of counters per direction. `overrun` counts
 * frames that the kernel dropped because the relay was too slow: where it is not 0, the seed did not decide
 *alone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/relay/options.h"

#define NS_PER_S     UINT64_C(1000000000)
#define BATCH_FRAMES 64u
#define QUEUE_FRAMES 65536u
#define SOCKET_BYTES (64 << 20)

struct counters {
	uint64_t in, out, lost, burst, queue_full, duplicated, corrupted, late, marked, overrun, unsent;
};

struct direction {
	int in_fd, out_fd;
	struct impair_state impair;
	struct queue queue;
	struct counters counters;
};

static struct {
	struct options options;
	struct direction directions[2];
	FILE *pcap;
	uint64_t epoch_ns; /* the real time of the monotonic clock's zero, for the capture */
	uint8_t frames[BATCH_FRAMES][FRAME_BYTES_MAX];
	struct iovec parts[BATCH_FRAMES];
	struct mmsghdr messages[BATCH_FRAMES];
} relay;

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int interface_open(const char *name)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct packet_mreq promiscuous = {.mr_type = PACKET_MR_PROMISC};
	int on = 1, size = SOCKET_BYTES;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		die("packet socket: %s (root is needed)", strerror(errno));
	address.sll_ifindex = promiscuous.mr_ifindex = (int)if_nametoindex(name);
	if (address.sll_ifindex == 0)
		die("%s: no such interface", name);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die("%s: %s", name, strerror(errno));
	return fd;
}

static void capture(unsigned number, uint64_t now_ns, const uint8_t *frame, uint32_t len,
		    const struct fate *fate)
{
	static const char *const verdicts[] = {
	    [VERDICT_PASS] = "",
	    [VERDICT_LOST] = "lost",
	    [VERDICT_BURST] = "lost in a burst",
	    [VERDICT_QUEUE_FULL] = "lost: queue full",
	};
	char comment[80];

	snprintf(comment, sizeof(comment), "%s%s%s%s%s", verdicts[fate->verdict],
		 fate->is_duplicated ? " duplicated" : "", fate->is_corrupted ? " corrupted" : "",
		 fate->is_late ? " late" : "", fate->is_marked ? " marked" : "");
	if (!pcapng_write(relay.pcap, number, relay.epoch_ns + now_ns, frame, len, relay.options.snap_bytes,
			  comment[0] != '\0' ? comment : NULL))
		die("%s: %s", relay.options.pcap_path, strerror(errno));
}

static void frame_queue(struct direction *direction, uint8_t *bytes, uint32_t len, const struct fate *fate)
{
	struct counters *counters = &direction->counters;
	struct frame *frame = queue_push(&direction->queue, bytes, len, fate->due_ns);

	if (frame == NULL) {
		counters->overrun++;
		return;
	}
	if (fate->is_marked && impair_mark(frame->bytes, len))
		counters->marked++;
	if (fate->is_duplicated) {
		counters->duplicated++;
		if (queue_push(&direction->queue, frame->bytes, len, fate->due_ns) == NULL)
			counters->overrun++;
	}
	/* Behind the duplicate: it is the one copy that suffers. */
	if (fate->is_corrupted) {
		counters->corrupted++;
		impair_corrupt(frame->bytes, len, fate->corrupt_bit);
	}
	counters->late += fate->is_late;
}

static void frame_input(unsigned number, uint8_t *bytes, uint32_t len, uint64_t now_ns)
{
	struct direction *direction = &relay.directions[number];
	struct counters *counters = &direction->counters;
	struct fate fate = impair_next(&direction->impair, now_ns, len, frame_is_ip(bytes, len));

	counters->in++;
	if (relay.pcap != NULL)
		capture(number, now_ns, bytes, len, &fate);
	switch (fate.verdict) {
	case VERDICT_PASS:
		frame_queue(direction, bytes, len, &fate);
		break;
	case VERDICT_LOST:
		counters->lost++;
		break;
	case VERDICT_BURST:
		counters->burst++;
		break;
	case VERDICT_QUEUE_FULL:
		counters->queue_full++;
		break;
	}
}

/* One batch; the number of frames taken. */
static unsigned frames_in(unsigned number)
{
	struct direction *direction = &relay.directions[number];
	uint64_t now_ns;
	int count;

	for (unsigned i = 0; i < BATCH_FRAMES; i++) {
		relay.parts[i] = (struct iovec){relay.frames[i], FRAME_BYTES_MAX};
		relay.messages[i].msg_hdr = (struct msghdr){.msg_iov = &relay.parts[i], .msg_iovlen = 1};
	}
	count = recvmmsg(direction->in_fd, relay.messages, BATCH_FRAMES, MSG_DONTWAIT, NULL);
	if (count < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ENETDOWN)
			die("%s: %s", relay.options.if_names[number], strerror(errno));
		return 0;
	}
	now_ns = clock_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < count; i++) {
		if ((relay.messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0)
			die("%s: a frame of more than %u bytes; are tso, gso and gro off at both ends?",
			    relay.options.if_names[number], FRAME_BYTES_MAX);
		frame_input(number, relay.frames[i], relay.messages[i].msg_len, now_ns);
	}
	return (unsigned)count;
}

/* Sends what is due. A frame that the interface does not take is lost, as on a wire, and counted. */
static void frames_out(struct direction *direction, uint64_t now_ns)
{
	struct counters *counters = &direction->counters;

	for (;;) {
		unsigned count = 0;
		int sent;

		/* Popped frames stay as they are until something is pushed. */
		for (; count < BATCH_FRAMES; count++) {
			struct frame *frame = queue_first(&direction->queue);

			if (frame == NULL || frame->due_ns > now_ns)
				break;
			relay.parts[count] = (struct iovec){frame->bytes, frame->len};
			relay.messages[count].msg_hdr =
			    (struct msghdr){.msg_iov = &relay.parts[count], .msg_iovlen = 1};
			queue_pop(&direction->queue);
		}
		for (unsigned done = 0; done < count; done += (unsigned)sent) {
			sent = sendmmsg(direction->out_fd, relay.messages + done, count - done, 0);
			if (sent > 0) {
				counters->out += (unsigned)sent;
			} else {
				counters->unsent++;
				sent = 1;
			}
		}
		if (count < BATCH_FRAMES)
			return;
	}
}

static uint64_t next_due_ns(void)
{
	uint64_t due_ns = UINT64_MAX;

	for (unsigned i = 0; i < 2; i++) {
		const struct frame *frame = queue_first(&relay.directions[i].queue);

		if (frame != NULL && frame->due_ns < due_ns)
			due_ns = frame->due_ns;
	}
	return due_ns;
}

static void run(int signal_fd, uint64_t end_ns)
{
	struct pollfd ready[3] = {{.fd = relay.directions[0].in_fd, .events = POLLIN},
				  {.fd = relay.directions[1].in_fd, .events = POLLIN},
				  {.fd = signal_fd, .events = POLLIN}};

	for (;;) {
		uint64_t now_ns = clock_ns(CLOCK_MONOTONIC), wake_ns = next_due_ns(), wait_ns;
		struct timespec wait;

		if (now_ns >= end_ns)
			return;
		wake_ns = wake_ns < end_ns ? wake_ns : end_ns;
		wait_ns = wake_ns > now_ns ? wake_ns - now_ns : 0;
		wait = (struct timespec){(time_t)(wait_ns / NS_PER_S), (long)(wait_ns % NS_PER_S)};
		if (ppoll(ready, 3, &wait, NULL) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		if (ready[2].revents != 0)
			return;
		for (unsigned i = 0; i < 2; i++)
			if (ready[i].revents != 0)
				frames_in(i);
		now_ns = clock_ns(CLOCK_MONOTONIC);
		for (unsigned i = 0; i < 2; i++)
			frames_out(&relay.directions[i], now_ns);
	}
}

static void report(unsigned number)
{
	struct direction *direction = &relay.directions[number];
	struct counters *c = &direction->counters;
	struct tpacket_stats kernel = {0};
	socklen_t len = sizeof(kernel);

	if (getsockopt(direction->in_fd, SOL_PACKET, PACKET_STATISTICS, &kernel, &len) == 0)
		c->overrun += kernel.tp_drops;
#define N(field) (unsigned long long)c->field
	printf(
	    "from %s: in=%llu out=%llu lost=%llu burst=%llu queue_full=%llu duplicated=%llu corrupted=%llu "
	    "late=%llu marked=%llu overrun=%llu unsent=%llu\n",
	    relay.options.if_names[number], N(in), N(out), N(lost), N(burst), N(queue_full), N(duplicated),
	    N(corrupted), N(late), N(marked), N(overrun), N(unsent));
#undef N
}

int main(int argc, char **argv)
{
	struct options *options = &relay.options;
	sigset_t signals;
	int fds[2], signal_fd;
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	options_parse(options, argc, argv);
	relay.epoch_ns = clock_ns(CLOCK_REALTIME) - now_ns;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	for (unsigned i = 0; i < 2; i++)
		fds[i] = interface_open(options->if_names[i]);
	for (unsigned i = 0; i < 2; i++) {
		relay.directions[i].in_fd = fds[i];
		relay.directions[i].out_fd = fds[1 - i];
		impair_init(&relay.directions[i].impair, &options->to[i], options->seed, i);
		queue_init(&relay.directions[i].queue, QUEUE_FRAMES);
	}
	if (options->pcap_path != NULL) {
		relay.pcap = pcapng_open(options->pcap_path, options->if_names, options->snap_bytes);
		if (relay.pcap == NULL)
			die("%s: %s", options->pcap_path, strerror(errno));
	}
	/* Tests wait for this line. */
	printf("relaying between %s and %s, seed %llu\n", options->if_names[0], options->if_names[1],
	       (unsigned long long)options->seed);
	fflush(stdout);
	run(signal_fd, now_ns + options->timeout_s * NS_PER_S);
	for (unsigned i = 0; i < 2; i++) {
		report(i);
		queue_fini(&relay.directions[i].queue);
	}
	if (relay.pcap != NULL && fclose(relay.pcap) != 0)
		die("%s: %s", options->pcap_path, strerror(errno));
	return 0;
}
