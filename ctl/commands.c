/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of commands.
 */
#include "ctl/command.h"

#include <string.h>

static const struct option_row options_none[] = {COMMAND_OPTIONS};

static const struct option_row options_stats[] = {
    {.letter = 'a', .name = "all", .help = "also counters that are zero"},
    {.letter = 'c', .name = "cores", .help = "also the value on each core"},
    {.letter = 'd', .name = "describe", .help = "also what is counted"},
    {.letter = 'g',
     .name = "group",
     .argument = "GROUP",
     .help = "only counters of core, tcp, xdp or frames",
     .choices = "core tcp xdp frames"},
    {.letter = 'w',
     .name = "watch",
     .argument = "SECONDS",
     .help = "go on, with what was counted per second",
     .max = 3600},
    COMMAND_OPTIONS,
};

static const struct option_row options_ss[] = {
    {.letter = 's',
     .name = "state",
     .argument = "STATE",
     .help = "only connections in this state",
     .parameter = "state",
     .choices = "syn-sent syn-rcvd established fin-wait-1 fin-wait-2 close-wait closing last-ack"},
    {.letter = 'l',
     .name = "local-port",
     .argument = "PORT",
     .help = "only connections with this local port",
     .parameter = "local_port",
     .max = 65535},
    {.letter = 'r',
     .name = "remote-port",
     .argument = "PORT",
     .help = "only connections with this remote port",
     .parameter = "remote_port",
     .max = 65535},
    {.letter = 'c',
     .name = "client",
     .argument = "ID",
     .help = "only connections of this client (see 'ixctl clients')",
     .parameter = "client",
     .max = 255},
    {.letter = 'C',
     .name = "core",
     .argument = "CORE",
     .help = "only connections of this core",
     .parameter = "core",
     .max = 31},
    COMMAND_OPTIONS,
};

static const struct text_column columns_clients[] = {
    {.title = "ID", .key = "id", .is_right = true},
    {.title = "PID", .key = "pid", .is_right = true},
    {.title = "UID", .key = "uid", .is_right = true},
    {.title = "CONNS", .key = "connections", .is_right = true},
    {.title = "MAX", .key = "connections_max", .is_right = true},
    {.title = "LISTENERS", .key = "listeners", .is_right = true},
    {.title = "RX-MEM", .key = "rx_bytes", .kind = TEXT_BYTES, .is_right = true},
    {.title = "TX-MEM", .key = "tx_bytes", .kind = TEXT_BYTES, .is_right = true},
    {.title = "AGE", .key = "age_us", .kind = TEXT_DURATION, .is_right = true},
    {.title = "COMMAND", .key = "command"},
    {.title = NULL},
};

static const struct text_column columns_listeners[] = {
    {.title = "ID", .key = "id", .is_right = true},
    {.title = "ADDRESS", .key = "address"},
    {.title = "PORT", .key = "port", .is_right = true},
    {.title = "VLAN", .key = "vlan", .is_right = true},
    {.title = "UID", .key = "uid", .is_right = true},
    {.title = "CLIENTS", .key = "clients", .is_right = true},
    {.title = NULL},
};

static void mean_batch(const json_t *row, char cell[TEXT_CELL_SIZE])
{
	snprintf(cell, TEXT_CELL_SIZE, "%.1f",
		 (double)json_integer_value(json_object_get(row, "mean_batch_milli")) / 1000);
}

static const struct text_column columns_cores[] = {
    {.title = "CORE", .key = "id", .is_right = true},
    {.title = "CPU", .key = "cpu", .is_right = true},
    {.title = "CONNS", .key = "connections", .is_right = true},
    {.title = "MAX", .key = "connections_max", .is_right = true},
    {.title = "GROUPS", .key = "flow_groups", .is_right = true},
    {.title = "TURNS", .key = "turns", .is_right = true},
    {.title = "SLEEPS", .key = "sleeps", .is_right = true},
    {.title = "BUSY", .key = "busy_us", .kind = TEXT_DURATION, .is_right = true},
    {.title = "BATCH", .format = mean_batch, .is_right = true},
    {.title = "RX-PACKETS", .key = "rx_packets", .is_right = true},
    {.title = "TX-PACKETS", .key = "tx_packets", .is_right = true},
    {.title = "COMMANDS", .key = "commands", .is_right = true},
    {.title = "EVENTS", .key = "events", .is_right = true},
    {.title = NULL},
};

#define FLOWS_OF_A_LINE 16

/* Neighbouring groups mostly belong to different cores, so they share a line, as in ethtool -x. */
static void print_flows(struct output *o, const json_t *parameters)
{
	const json_t *groups = json_object_get(parameters, "groups");
	const size_t count = json_array_size(groups);

	fprintf(o->out, "   GROUPS  CORES\n");
	for (size_t first = 0; first < count; first += FLOWS_OF_A_LINE) {
		const size_t end = count - first < FLOWS_OF_A_LINE ? count : first + FLOWS_OF_A_LINE;

		fprintf(o->out, "%4zu-%-4zu ", first, end - 1);
		for (size_t i = first; i < end; i++)
			fprintf(o->out, " %2lld", (long long)json_integer_value(json_array_get(groups, i)));
		fputc('\n', o->out);
	}
}

static void print_report(struct output *o, const json_t *parameters)
{
	const char *report = json_string_value(json_object_get(parameters, "report"));

	if (!report || !*report)
		report = "nothing has changed";
	text_print_safe(report, o->out);
	if (report[strlen(report) - 1] != '\n')
		fputc('\n', o->out);
}

static void print_version(struct output *o, const json_t *parameters)
{
	char cell[TEXT_CELL_SIZE];

	fprintf(o->out, "ixctl %s\n", IXD_VERSION);
	fprintf(o->out, "ixd %s", text_value(json_object_get(parameters, "version"), TEXT_PLAIN, cell));
	fprintf(o->out, " (client interface %s)\n",
		text_value(json_object_get(parameters, "client_abi"), TEXT_PLAIN, cell));
}

const struct command commands[] = {
    {.name = "status",
     .summary = "what the instance is, has and is set to",
     .method = "io.ixd.Status",
     .options = options_none,
     .print = print_status},
    {.name = "stats",
     .summary = "counters of the cores, the TCP engine and the XDP program",
     .description =
	 "Prints what counted something. Group core: the loop, packets, commands and events; tcp: the\n"
	 "engine; xdp: what the XDP program decided about each packet; frames: where the packet\n"
	 "frames are now.",
     .method = "io.ixd.Stats",
     .options = options_stats,
     .print = print_stats},
    {.name = "ss",
     .summary = "TCP connections",
     .description =
	 "One line per connection that fulfils all conditions. States: syn-sent syn-rcvd established\n"
	 "fin-wait-1 fin-wait-2 close-wait closing last-ack. Connections in TIME-WAIT are only\n"
	 "counted. RECV-Q: received and not yet given back by the client; SEND-Q: given by the\n"
	 "client and not yet acknowledged by the peer; CWND and SSTHRESH in bytes; OPTIONS: ts\n"
	 "(timestamps), sack, ecn or accecn, tfo (data with the SYN), ws (window scale, of the peer\n"
	 "and ours).",
     .method = "io.ixd.Sockets",
     .options = options_ss,
     .wants_more = true,
     .list = "sockets",
     .columns = columns_sockets,
     .empty = "no connections"},
    {.name = "clients",
     .summary = "client processes",
     .method = "io.ixd.Clients",
     .options = options_none,
     .list = "clients",
     .columns = columns_clients,
     .empty = "no clients"},
    {.name = "listeners",
     .summary = "addresses and ports that clients listen on",
     .method = "io.ixd.Listeners",
     .options = options_none,
     .list = "listeners",
     .columns = columns_listeners,
     .empty = "no listeners"},
    {.name = "cores",
     .summary = "core threads and their load",
     .method = "io.ixd.Cores",
     .options = options_none,
     .list = "cores",
     .columns = columns_cores,
     .empty = "no cores"},
    {.name = "flows",
     .summary = "which core owns which flow groups",
     .method = "io.ixd.Flows",
     .options = options_none,
     .print = print_flows},
    {.name = "reconfigure",
     .summary = "read the configuration again and apply what changed",
     .description =
	 "Validates the whole file, prints the difference and applies it as one change, or changes\n"
	 "nothing and says which line is wrong. Connections stay. For root and the administrators'\n"
	 "group.",
     .method = "io.ixd.Reconfigure",
     .options = options_none,
     .print = print_report},
    {.name = "version",
     .summary = "versions of ixctl and of the running ixd",
     .method = "io.ixd.Version",
     .options = options_none,
     .print = print_version},
    {.name = NULL},
};

const struct command *command_find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}
