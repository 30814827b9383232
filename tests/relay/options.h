/* SPDX-License-Identifier: BSD-2-Clause */
/* What the relay was told to do. */
#ifndef TESTS_RELAY_OPTIONS_H
#define TESTS_RELAY_OPTIONS_H

#include "tests/relay/relay.h"

struct options {
	const char *if_names[2];
	struct impairment to[2]; /* [0]: frames that come in by the first interface and leave by the second */
	const char *pcap_path;   /* NULL: no capture */
	uint32_t snap_bytes;
	unsigned timeout_s;
	uint64_t seed;
};

/* Exits with 2 and a sentence when the line makes no sense. */
void options_parse(struct options *options, int argc, char **argv);

#endif
