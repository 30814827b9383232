/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections as a table, one line each, in the manner of ss(8).
 */
#include "ctl/command.h"

#include <string.h>

static void endpoint(const json_t *row, const char *address_key, const char *port_key,
		     char cell[TEXT_CELL_SIZE])
{
	const char *address = json_string_value(json_object_get(row, address_key));
	long long port = json_integer_value(json_object_get(row, port_key));

	if (!address)
		address = "?";
	/* A colon belongs to an IPv6 address, which stands in brackets. */
	snprintf(cell, TEXT_CELL_SIZE, strchr(address, ':') ? "[%s]:%lld" : "%s:%lld", address, port);
}

static void local_endpoint(const json_t *row, char cell[TEXT_CELL_SIZE])
{
	endpoint(row, "local_address", "local_port", cell);
}

static void remote_endpoint(const json_t *row, char cell[TEXT_CELL_SIZE])
{
	endpoint(row, "remote_address", "remote_port", cell);
}

static void options_in_use(const json_t *row, char cell[TEXT_CELL_SIZE])
{
	const json_t *scale = json_object_get(row, "window_scale");
	size_t used = 0;

	cell[0] = '\0';
	if (json_is_true(json_object_get(row, "timestamps")))
		used += (size_t)snprintf(cell + used, TEXT_CELL_SIZE - used, "ts,");
	if (json_is_true(json_object_get(row, "sack")))
		used += (size_t)snprintf(cell + used, TEXT_CELL_SIZE - used, "sack,");
	if (json_is_true(json_object_get(row, "ecn")))
		used +=
		    (size_t)snprintf(cell + used, TEXT_CELL_SIZE - used, "%s,",
				     json_is_true(json_object_get(row, "accurate_ecn")) ? "accecn" : "ecn");
	if (json_is_true(json_object_get(row, "fast_open")))
		used += (size_t)snprintf(cell + used, TEXT_CELL_SIZE - used, "tfo,");
	if (json_is_object(scale))
		used += (size_t)snprintf(cell + used, TEXT_CELL_SIZE - used, "ws:%lld/%lld,",
					 (long long)json_integer_value(json_object_get(scale, "send")),
					 (long long)json_integer_value(json_object_get(scale, "receive")));
	if (used > 0)
		cell[used - 1] = '\0';
	else
		snprintf(cell, TEXT_CELL_SIZE, "-");
}

/* Bits per second, with a unit that leaves at least one digit before the point. */
static void rate(const json_t *row, char cell[TEXT_CELL_SIZE])
{
	static const char *const units[] = {"", "k", "M", "G"};
	double bits = 8.0 * (double)json_integer_value(json_object_get(row, "delivery_rate"));
	unsigned unit = 0;

	for (; bits >= 1000 && unit < 3; unit++)
		bits /= 1000;
	if (bits > 0)
		snprintf(cell, TEXT_CELL_SIZE, "%.*f%s", unit == 0 ? 0 : 1, bits, units[unit]);
	else
		snprintf(cell, TEXT_CELL_SIZE, "-");
}

const struct text_column columns_sockets[] = {
    {.title = "STATE", .key = "state"},
    {.title = "RECV-Q", .key = "receive_queue", .is_right = true},
    {.title = "SEND-Q", .key = "send_queue", .is_right = true},
    {.title = "LOCAL", .format = local_endpoint},
    {.title = "PEER", .format = remote_endpoint},
    {.title = "CWND", .key = "cwnd", .is_right = true},
    {.title = "SSTHRESH", .key = "ssthresh", .is_right = true},
    {.title = "SRTT", .key = "srtt_us", .kind = TEXT_DURATION, .is_right = true},
    {.title = "RTTVAR", .key = "rttvar_us", .kind = TEXT_DURATION, .is_right = true},
    {.title = "RTO", .key = "rto_us", .kind = TEXT_DURATION, .is_right = true},
    {.title = "MSS", .key = "mss", .is_right = true},
    {.title = "RETRANS", .key = "retransmits", .is_right = true},
    {.title = "LOST", .key = "lost", .is_right = true},
    {.title = "RATE", .format = rate, .is_right = true},
    {.title = "CC", .key = "congestion_control"},
    {.title = "CC-STATE", .key = "congestion_state"},
    {.title = "REO", .key = "reordering_window_us", .kind = TEXT_DURATION, .is_right = true},
    {.title = "OPTIONS", .format = options_in_use},
    {.title = "PID", .key = "pid", .is_right = true},
    {.title = "CORE", .key = "core", .is_right = true},
    {.title = NULL},
};
