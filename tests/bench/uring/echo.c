/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * k-uring: echo server on the kernel's TCP by io_uring; what comes is sent back from where it lies. The
 * contender of ix-echo beside k-echo, with the same command line. With --spin it does not sleep.
 */
#include <getopt.h>

#include "tests/bench/uring/loop.h"
#include "tests/net/k.h"

static bool echo(int fd, struct uring_piece *piece)
{
	uring_send(fd, piece);
	return true;
}

static void ignore(int fd)
{
	(void)fd;
}

static const struct uring_service service = {ignore, echo, ignore, 0};

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
	uring_open(&service);
	uring_accept(k_listen(where));
	for (;;)
		uring_turn(is_spinning);
}
