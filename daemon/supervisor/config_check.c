/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks that one key alone cannot make: of the file's numbers as written, and of several keys together.
 */
#include "daemon/supervisor/config_key.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Where the scanner of the raw text is. */
enum scan_place { SCAN_PLAIN, SCAN_TEXT, SCAN_LINE_COMMENT, SCAN_BLOCK_COMMENT };

struct scan {
	enum scan_place place;
	unsigned line;
	int previous; /* character before, 0 at the start or behind a number */
};

static void scan_step(struct scan *scan, int c)
{
	switch (scan->place) {
	case SCAN_PLAIN:
		if (c == '"')
			scan->place = SCAN_TEXT;
		else if (c == '#' || (c == '/' && scan->previous == '/'))
			scan->place = SCAN_LINE_COMMENT;
		else if (c == '*' && scan->previous == '/')
			scan->place = SCAN_BLOCK_COMMENT;
		break;
	case SCAN_TEXT:
		if (c == '"' && scan->previous != '\\')
			scan->place = SCAN_PLAIN;
		else if (c == '\\' && scan->previous == '\\')
			c = 0; /* an escaped backslash escapes nothing */
		break;
	case SCAN_LINE_COMMENT:
		if (c == '\n')
			scan->place = SCAN_PLAIN;
		break;
	case SCAN_BLOCK_COMMENT:
		if (c == '/' && scan->previous == '*')
			scan->place = SCAN_PLAIN;
		break;
	}
	if (c == '\n')
		scan->line++;
	scan->previous = c;
}

/* Takes a run of digits whose first is `c`; false when it is a whole number beyond 31 bits without L. */
static bool scan_number(FILE *file, int c)
{
	uint64_t value = 0;
	unsigned digits = 0;

	for (; isdigit(c); c = fgetc(file)) {
		value = digits < 19 ? value * 10 + (uint64_t)(c - '0') : UINT64_MAX;
		digits++;
	}
	bool is_plain = c != 'L' && c != '.' && c != 'e' && c != 'E' && c != 'x' && c != 'X';
	ungetc(c, file);
	return !is_plain || value <= INT32_MAX;
}

int config_numbers_check(const char *path, struct why *why)
{
	struct scan scan = {.line = 1};
	FILE *file = fopen(path, "re");
	int c, error = 0;

	if (file == NULL)
		return why_set(why, -errno, "%s: cannot be read: %s", path, strerror(errno));
	while (!error && (c = fgetc(file)) != EOF) {
		bool is_number = scan.place == SCAN_PLAIN && isdigit(c) && !isalnum(scan.previous) &&
				 scan.previous != '_' && scan.previous != '-';
		if (is_number && !scan_number(file, c))
			error = why_set(why, -ERANGE,
					"%s:%u: a number beyond %d needs the suffix L, as 5000000000L, or a "
					"text as \"5G\"",
					path, scan.line, INT32_MAX);
		scan_step(&scan, is_number ? '0' : c);
	}
	fclose(file);
	return error;
}

static int at_most(struct why *why, const config_setting_t *setting, const char *small_name, uint64_t small,
		   const char *large_name, uint64_t large)
{
	if (small <= large)
		return 0;
	return config_error(why, setting, -ERANGE,
			    "%s = %" PRIu64 " is more than %s = %" PRIu64
			    "; lower the first or raise the second",
			    small_name, small, large_name, large);
}

int config_grants_check(const struct config_grants *grants, uint32_t cores, const config_setting_t *setting,
			struct why *why)
{
	int error = at_most(why, setting, "rx_bytes", grants->rx_bytes, "rx_bytes_max", grants->rx_bytes_max);

	if (!error)
		error =
		    at_most(why, setting, "tx_bytes", grants->tx_bytes, "tx_bytes_max", grants->tx_bytes_max);
	if (!error)
		error = at_most(why, setting, "cmd_slots", grants->cmd_slots, "cmd_slots_max",
				grants->cmd_slots_max);
	if (!error)
		error = at_most(why, setting, "evt_slots", grants->evt_slots, "evt_slots_max",
				grants->evt_slots_max);
	/* Each core borrows whole blocks of the RX arena; with fewer than two it could not turn them over. */
	if (!error && grants->rx_bytes < 2ull * cores * IXD_RX_BLOCK_BYTES)
		error = config_error(why, setting, -ERANGE,
				     "rx_bytes = %" PRIu64 " is too little for %" PRIu32
				     " cores; at least %" PRIu64,
				     grants->rx_bytes, cores, (uint64_t)2 * cores * IXD_RX_BLOCK_BYTES);
	return error;
}

static const config_setting_t *setting_or_root(const config_setting_t *root, const char *path)
{
	const config_setting_t *setting = config_lookup(root->config, path);

	return setting ? setting : root;
}

static int sizes_check(const struct config *config, const config_setting_t *root, struct why *why)
{
	const struct static_config *fixed = &config->fixed;
	const config_setting_t *setting = setting_or_root(root, "sizes.frames_per_core");

	if (fixed->frames_per_core != 0 && fixed->frames_per_core < 2 * fixed->xsk_ring_slots)
		return config_error(why, setting, -ERANGE,
				    "frames_per_core = %" PRIu32 " is less than twice ring_slots = %" PRIu32
				    "; raise it, or give 0 for a fitting number",
				    fixed->frames_per_core, fixed->xsk_ring_slots);
	if (fixed->flow_groups < fixed->cores)
		return config_error(why, setting_or_root(root, "sizes.flow_groups"), -ERANGE,
				    "flow_groups = %" PRIu32 " is less than the number of cores, %" PRIu32,
				    fixed->flow_groups, fixed->cores);
	int error = at_most(why, setting_or_root(root, "tcp.syn_backlog"), "tcp.syn_backlog",
			    config->runtime.syn_backlog, "sizes.syn_backlog_per_core",
			    fixed->syn_backlog_max_per_core);
	if (!error)
		error =
		    at_most(why, setting_or_root(root, "tcp.rx_window_initial"), "tcp.rx_window_initial",
			    fixed->rx_window_initial_bytes, "tcp.rx_window_max", fixed->rx_window_max_bytes);
	return error;
}

static int queues_check(const struct config *config, const config_setting_t *root, struct why *why)
{
	uint32_t queues = 0;

	for (uint32_t i = 0; i < config->ifaces_count; i++)
		queues += config->ifaces[i].queues;
	if (queues > IXD_QUEUES_MAX)
		return config_error(why, setting_or_root(root, "interfaces"), -ERANGE,
				    "%" PRIu32 " queues over all interfaces; at most %d", queues,
				    IXD_QUEUES_MAX);
	return 0;
}

int config_check(const struct config *config, const config_setting_t *root, struct why *why)
{
	uint32_t ports = config->ephemeral_last - config->ephemeral_first + 1;

	if (config->ifaces_count == 0)
		return config_error(why, setting_or_root(root, "interfaces"), -EINVAL,
				    "no interface is given; write interfaces = ( \"eth1\" );");
	if (config->ephemeral_first > config->ephemeral_last || ports > IXD_EPHEMERAL_SPAN_MAX)
		return config_error(why, setting_or_root(root, "ephemeral_first"), -ERANGE,
				    "ephemeral_first = %" PRIu32 " and ephemeral_last = %" PRIu32
				    " must hold 1 to %d ports, in rising order",
				    config->ephemeral_first, config->ephemeral_last, IXD_EPHEMERAL_SPAN_MAX);
	int error = queues_check(config, root, why);
	if (!error)
		error = config_grants_check(&config->limits, config->fixed.cores,
					    setting_or_root(root, "limits"), why);
	if (!error)
		error = sizes_check(config, root, why);
	return error;
}
