/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of the instance, one subject a line.
 */
#include "ctl/command.h"

#include <string.h>

static char *member(const json_t *object, const char *key, enum text_kind kind, char cell[TEXT_CELL_SIZE])
{
	return text_value(json_object_get(object, key), kind, cell);
}

static long long integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *plural(long long number)
{
	return number == 1 ? "" : "s";
}

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static void print_process(struct output *o, const json_t *parameters, const char *key)
{
	const json_t *process = json_object_get(parameters, key);
	const long long starts = integer(process, "starts");

	fprintf(o->out, "%12s: pid %lld", key, integer(process, "pid"));
	if (starts > 1)
		fprintf(o->out, ", started %lld times", starts);
	fputc('\n', o->out);
}

static void print_why(struct output *o, const json_t *iface, const char *key)
{
	char cell[TEXT_CELL_SIZE];

	if (json_string_length(json_object_get(iface, key)) > 0)
		fprintf(o->out, " (%s)", member(iface, key, TEXT_PLAIN, cell));
}

/* Only what is not like the others, or went wrong: a machine may have many queues. */
static void print_queue(struct output *o, const json_t *queue, bool is_mixed)
{
	const long long dropped = integer(queue, "received_dropped");
	char cell[TEXT_CELL_SIZE];

	if (!is_mixed && dropped == 0 && integer(queue, "invalid") == 0)
		return;
	fprintf(o->out, "              queue %lld: core %lld, %s", integer(queue, "queue"),
		integer(queue, "core"), member(queue, "copy", TEXT_PLAIN, cell));
	print_why(o, queue, "copy_why");
	if (dropped > 0)
		fprintf(o->out, ", %lld packets dropped", dropped);
	if (integer(queue, "ring_full") > 0)
		fprintf(o->out, " (%lld with a full ring: the core was too slow)",
			integer(queue, "ring_full"));
	if (integer(queue, "invalid") > 0)
		fprintf(o->out, ", %lld descriptors refused by the kernel", integer(queue, "invalid"));
	fputc('\n', o->out);
}

/* Where its driver was tested before, and whether on this kernel. */
static void print_tried(struct output *o, const json_t *iface, const char *kernel)
{
	const json_t *trials = json_object_get(iface, "tried"), *trial;
	char cell[TEXT_CELL_SIZE];
	bool is_here = false;
	size_t i;

	fprintf(o->out, "              driver tried on ");
	json_array_foreach(trials, i, trial)
	{
		const char *where = member(trial, "kernel", TEXT_PLAIN, cell);

		fprintf(o->out, "%s%s (%lld checks%s)", i > 0 ? ", " : "", where, integer(trial, "checks"),
			is_true(trial, "has_failed") ? ", some FAILED" : "");
		is_here |= strcmp(where, kernel) == 0;
	}
	if (json_array_size(trials) == 0)
		fprintf(o->out, "no kernel yet: make check-nic does it");
	else if (!is_here)
		fprintf(o->out, ", not on this kernel");
	fputc('\n', o->out);
}

static void print_interface(struct output *o, const json_t *iface, const char *kernel)
{
	char cell[TEXT_CELL_SIZE];
	char rss[TEXT_CELL_SIZE];
	const json_t *address, *queue;
	const bool is_mixed = strcmp(member(iface, "copy", TEXT_PLAIN, cell), "mixed") == 0;
	size_t i;

	fprintf(o->out, "   interface: %s", member(iface, "name", TEXT_PLAIN, cell));
	fprintf(o->out, " (%s)", member(iface, "driver", TEXT_PLAIN, cell));
	fprintf(o->out, ", %s, mtu %lld, %lld queue%s", is_true(iface, "is_up") ? "up" : "DOWN",
		integer(iface, "mtu"), integer(iface, "queues"), plural(integer(iface, "queues")));
	fprintf(o->out, ", %s", member(iface, "mode", TEXT_PLAIN, cell));
	fprintf(o->out, ", %s", member(iface, "copy", TEXT_PLAIN, cell));
	print_why(o, iface, "copy_why");
	if (strcmp(member(iface, "transmit", TEXT_PLAIN, cell), "xdp") == 0)
		fprintf(o->out, ", XDP transmit");
	else if (json_string_length(json_object_get(iface, "transmit_why")) > 0)
		fprintf(o->out, ", no XDP transmit");
	print_why(o, iface, "transmit_why");
	const char *steering = member(iface, "rss", TEXT_PLAIN, rss);
	if (strcmp(steering, "none") != 0) {
		fprintf(o->out, ", RSS %s", steering);
		print_why(o, iface, "rss_why");
	}
	if (integer(iface, "closes") > 0)
		fprintf(o->out, ", sockets made anew %lld time%s", integer(iface, "closes"),
			plural(integer(iface, "closes")));
	fputc('\n', o->out);
	if (json_string_length(json_object_get(iface, "mode_why")) > 0)
		fprintf(o->out, "     warning: generic XDP mode: %s\n",
			member(iface, "mode_why", TEXT_PLAIN, cell));
	print_tried(o, iface, kernel);
	json_array_foreach(json_object_get(iface, "queue_list"), i, queue) print_queue(o, queue, is_mixed);
	json_array_foreach(json_object_get(iface, "addresses"), i, address)
	    fprintf(o->out, "              %s\n", text_value(address, TEXT_PLAIN, cell));
}

static void print_settings(struct output *o, const json_t *s)
{
	char cell[TEXT_CELL_SIZE];

	fprintf(o->out, "    settings: batch %lld", integer(s, "batch_packets"));
	fprintf(o->out, ", spin %s", member(s, "spin_us", TEXT_DURATION, cell));
	fprintf(o->out, ", ack delay %s", member(s, "ack_delay_us", TEXT_DURATION, cell));
	fprintf(o->out, ", rto at least %s", member(s, "rto_min_us", TEXT_DURATION, cell));
	fprintf(o->out, ", %s", member(s, "congestion_control", TEXT_PLAIN, cell));
	fprintf(o->out, ", %s cores", member(s, "placement", TEXT_PLAIN, cell));
	fprintf(o->out, ", log level %s\n", member(s, "log_level", TEXT_PLAIN, cell));
}

void print_status(struct output *o, const json_t *parameters)
{
	char cell[TEXT_CELL_SIZE], kernel_cell[TEXT_CELL_SIZE];
	const char *kernel = member(parameters, "kernel", TEXT_PLAIN, kernel_cell);
	const json_t *iface;
	size_t i;

	fprintf(o->out, "    instance: %s", member(parameters, "instance", TEXT_PLAIN, cell));
	fprintf(o->out, ", ixd %s", member(parameters, "version", TEXT_PLAIN, cell));
	fprintf(o->out, ", %s",
		is_true(parameters, "is_ready") ? "ready" : "NOT READY: no dataplane is running");
	fprintf(o->out, ", up %s\n", member(parameters, "uptime_us", TEXT_DURATION, cell));
	fprintf(o->out, "      config: %s", member(parameters, "config_path", TEXT_PLAIN, cell));
	if (json_is_integer(json_object_get(parameters, "reconfigured_us_ago")))
		fprintf(o->out, ", reconfigured %s ago",
			member(parameters, "reconfigured_us_ago", TEXT_DURATION, cell));
	fputc('\n', o->out);
	print_process(o, parameters, "supervisor");
	print_process(o, parameters, "dataplane");
	print_process(o, parameters, "control");
	json_array_foreach(json_object_get(parameters, "interfaces"), i, iface)
	    print_interface(o, iface, kernel);
	fprintf(o->out, "       cores: %lld, %lld queue%s in all, %s pages\n", integer(parameters, "cores"),
		integer(parameters, "queues"), plural(integer(parameters, "queues")),
		is_true(parameters, "huge_pages") ? "huge" : "normal");
	fprintf(o->out, "      kernel: %s\n", kernel);
	fprintf(o->out, "      in use: %lld of %lld connections, %lld client%s, %lld listener%s\n",
		integer(parameters, "connections"), integer(parameters, "connections_max"),
		integer(parameters, "clients"), plural(integer(parameters, "clients")),
		integer(parameters, "listeners"), plural(integer(parameters, "listeners")));
	print_settings(o, json_object_get(parameters, "settings"));
}
