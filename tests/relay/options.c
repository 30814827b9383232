/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The relay's command line. `--to first|second|both` says whose incoming frames the options behind it
 * concern, so that one direction can be bad while the other is not.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/relay/options.h"

#define NS_PER_MS         1e6
#define QUEUE_BYTES_EVER  (UINT64_C(1) << 40)
#define TIMEOUT_DEFAULT_S 60

static void refuse(const char *name, const char *value, const char *expected)
{
	fprintf(stderr, "--%s '%s': %s is expected\n", name, value, expected);
	exit(2);
}

/* A decimal number between 0 and `max`; *rest points behind it. */
static double number(const char *name, const char *text, double max, char **rest)
{
	double value = strtod(text, rest);

	if (*rest == text || !(value >= 0 && value <= max))
		refuse(name, text, "a number within its limits");
	return value;
}

static double only_number(const char *name, const char *text, double max)
{
	char *rest;
	double value = number(name, text, max, &rest);

	if (*rest != '\0')
		refuse(name, text, "one number");
	return value;
}

static uint32_t fraction(double percent)
{
	double scaled = percent / 100 * 4294967296.0;

	return scaled >= 4294967295.0 ? UINT32_MAX : (uint32_t)scaled;
}

/* "P:N" */
static double pair(const char *name, const char *text, double *second, double second_max)
{
	char *rest;
	double first = number(name, text, 100, &rest);

	if (*rest != ':')
		refuse(name, text, "PERCENT:NUMBER");
	*second = only_number(name, rest + 1, second_max);
	return first;
}

static void set(struct impairment *to, int option, const char *name, const char *value)
{
	double second;

	switch (option) {
	case 'l':
		to->loss = fraction(only_number(name, value, 100));
		break;
	case 'b':
		to->burst_enter = fraction(pair(name, value, &second, 1e6));
		to->burst_leave = fraction(second >= 1 ? 100 / second : 100);
		break;
	case 'r':
		to->reorder = fraction(pair(name, value, &second, 1e4));
		to->reorder_ns = (uint64_t)(second * NS_PER_MS);
		break;
	case 'd':
		to->duplicate = fraction(only_number(name, value, 100));
		break;
	case 'c':
		to->corrupt = fraction(only_number(name, value, 100));
		break;
	case 'm':
		to->mark = fraction(only_number(name, value, 100));
		break;
	case 'a':
		to->mark_above_bytes = (uint64_t)only_number(name, value, 1e9);
		break;
	case 'D':
		to->delay_ns = (uint64_t)(only_number(name, value, 1e4) * NS_PER_MS);
		break;
	case 'j':
		to->jitter_ns = (uint64_t)(only_number(name, value, 1e4) * NS_PER_MS);
		break;
	case 'R':
		to->rate_bps = (uint64_t)(only_number(name, value, 1e6) * 1e6);
		break;
	case 'q':
		to->queue_bytes = (uint64_t)only_number(name, value, 1e9);
		break;
	default:
		abort();
	}
}

static const struct option table[] = {
    {"to", required_argument, NULL, 'T'},
    {"seed", required_argument, NULL, 's'},
    {"timeout", required_argument, NULL, 't'},
    {"pcap", required_argument, NULL, 'w'},
    {"snap", required_argument, NULL, 'S'},
    {"loss", required_argument, NULL, 'l'},
    {"burst", required_argument, NULL, 'b'},
    {"reorder", required_argument, NULL, 'r'},
    {"duplicate", required_argument, NULL, 'd'},
    {"corrupt", required_argument, NULL, 'c'},
    {"mark", required_argument, NULL, 'm'},
    {"mark-above", required_argument, NULL, 'a'},
    {"delay", required_argument, NULL, 'D'},
    {"jitter", required_argument, NULL, 'j'},
    {"rate", required_argument, NULL, 'R'},
    {"queue", required_argument, NULL, 'q'},
    {0},
};

static void usage(void)
{
	fputs("usage: relay [OPTION]... FIRST_INTERFACE SECOND_INTERFACE\n"
	      "  --seed N --timeout S --pcap FILE --snap BYTES\n"
	      "  --to first|second|both   the direction that the options behind it concern\n"
	      "  --loss %  --burst %:FRAMES  --reorder %:MS  --duplicate %  --corrupt %\n"
	      "  --delay MS  --jitter MS  --rate MBIT/S  --queue BYTES  --mark %  --mark-above BYTES\n",
	      stderr);
	exit(2);
}

static unsigned directions(const char *value)
{
	if (strcmp(value, "both") == 0)
		return 3;
	if (strcmp(value, "second") == 0)
		return 1;
	if (strcmp(value, "first") == 0)
		return 2;
	refuse("to", value, "first, second or both");
	return 0;
}

void options_parse(struct options *options, int argc, char **argv)
{
	unsigned concerned = 3;
	int option, at;

	*options = (struct options){.snap_bytes = FRAME_BYTES_MAX, .timeout_s = TIMEOUT_DEFAULT_S, .seed = 1};
	options->to[0].queue_bytes = options->to[1].queue_bytes = QUEUE_BYTES_EVER;
	while ((option = getopt_long(argc, argv, "", table, &at)) != -1) {
		if (option == '?') {
			usage();
		} else if (option == 'T') {
			concerned = directions(optarg);
		} else if (option == 's') {
			options->seed = (uint64_t)only_number("seed", optarg, 1e15);
		} else if (option == 't') {
			options->timeout_s = (unsigned)only_number("timeout", optarg, 86400);
		} else if (option == 'w') {
			options->pcap_path = optarg;
		} else if (option == 'S') {
			options->snap_bytes = (uint32_t)only_number("snap", optarg, FRAME_BYTES_MAX);
		} else {
			for (unsigned i = 0; i < 2; i++)
				if ((concerned & 1u << i) != 0)
					set(&options->to[i], option, table[at].name, optarg);
		}
	}
	if (argc - optind != 2)
		usage();
	options->if_names[0] = argv[optind];
	options->if_names[1] = argv[optind + 1];
}
