/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors, reasons and addresses as words.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/internal.h"

static const struct {
	int error;
	const char *words;
} error_words[] = {
    {0, "success"},
    {EACCES, "the instance's policy does not allow it"},
    {EADDRINUSE, "address and port are in use"},
    {EADDRNOTAVAIL, "no interface of the instance has this address, or no port is free"},
    {EAGAIN, "the command ring is full"},
    {ECANCELED, "cancelled by this client"},
    {ECONNREFUSED, "connection refused by the peer"},
    {ECONNRESET, "ixd has gone, or the peer reset the connection"},
    {EHOSTUNREACH, "host unreachable"},
    {EINTR, "interrupted by a signal"},
    {EINVAL, "invalid argument"},
    {EMSGSIZE, "more bytes than the send limit allows"},
    {ENETUNREACH, "network unreachable: no route leads there"},
    {ENOBUFS, "ixd has no memory left for this client"},
    {ENOENT, "no such instance, listener or connection"},
    {ENOMEM, "out of memory"},
    {EOPNOTSUPP, "not supported by this ixd"},
    {EPERM, "the instance's policy does not allow it"},
    {EPIPE, "the sending direction was shut down"},
    {EPROTO, "library and ixd do not match"},
    {EPROTONOSUPPORT, "ixd speaks another version of the client interface"},
    {ESTALE, "the connection or listener exists no more"},
    {ETIMEDOUT, "timed out"},
};

static const char *const reason_words[IX_REASON_COUNT] = {
    [IX_REASON_CLOSED] = "closed",
    [IX_REASON_ABORTED] = "aborted",
    [IX_REASON_RESET] = "reset by the peer",
    [IX_REASON_REFUSED] = "refused by the peer",
    [IX_REASON_TIMEOUT] = "timed out",
    [IX_REASON_UNREACHABLE] = "peer unreachable",
    [IX_REASON_NO_RESOURCE] = "ixd ran out of room",
    [IX_REASON_RESTART] = "ixd was restarted",
};

IX_EXPORT const char *ix_strerror(int error)
{
	const char *words;

	if (error < 0 && error >= -4095)
		error = -error;
	for (size_t i = 0; i < sizeof(error_words) / sizeof(error_words[0]); i++)
		if (error_words[i].error == error)
			return error_words[i].words;
	/* The C library's description is static and translated by nobody, hence safe in every thread. */
	words = strerrordesc_np(error);
	return words ? words : "unknown error";
}

IX_EXPORT const char *ix_reason_name(unsigned reason)
{
	return reason < IX_REASON_COUNT ? reason_words[reason] : "unknown reason";
}

static bool is_mapped(const uint8_t ip[16])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(ip, prefix, sizeof(prefix));
}

/* A port and nothing behind it. */
static int parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

static int parse_host(const char *host, size_t length, bool is_bracketed, uint8_t ip[16])
{
	char copy[INET6_ADDRSTRLEN];

	memset(ip, 0, 16);
	if (!is_bracketed && (!length || (length == 1 && *host == '*')))
		return 0;
	if (length >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, host, length);
	copy[length] = 0;
	if (is_bracketed)
		return inet_pton(AF_INET6, copy, ip) == 1 ? 0 : -EINVAL;
	if (inet_pton(AF_INET, copy, ip + 12) != 1)
		return -EINVAL;
	/* 0.0.0.0 is any address, and that is sixteen zero bytes. */
	if (ip[12] | ip[13] | ip[14] | ip[15])
		ip[10] = ip[11] = 0xff;
	return 0;
}

IX_EXPORT int ix_addr_parse(const char *text, struct ix_addr *addr)
{
	bool is_bracketed = *text == '[';
	const char *host = is_bracketed ? text + 1 : text;
	const char *host_end = is_bracketed ? strchr(host, ']') : strrchr(host, ':');
	const char *colon = is_bracketed && host_end ? host_end + 1 : host_end;

	if (!colon || *colon != ':')
		return -EINVAL;
	if (parse_host(host, (size_t)(host_end - host), is_bracketed, addr->ip))
		return -EINVAL;
	return parse_port(colon + 1, &addr->port);
}

IX_EXPORT char *ix_addr_format(const struct ix_addr *addr, char buf[IX_ADDR_STRLEN])
{
	static const uint8_t any[16];
	char host[INET6_ADDRSTRLEN];

	if (!memcmp(addr->ip, any, sizeof(any)))
		snprintf(buf, IX_ADDR_STRLEN, "0.0.0.0:%u", addr->port);
	else if (is_mapped(addr->ip))
		snprintf(buf, IX_ADDR_STRLEN, "%s:%u", inet_ntop(AF_INET, addr->ip + 12, host, sizeof(host)),
			 addr->port);
	else
		snprintf(buf, IX_ADDR_STRLEN, "[%s]:%u", inet_ntop(AF_INET6, addr->ip, host, sizeof(host)),
			 addr->port);
	return buf;
}

IX_EXPORT void ix_event_local(const struct ix_event *event, struct ix_addr *addr)
{
	memcpy(addr->ip, event->open.local, sizeof(addr->ip));
	addr->port = event->local_port;
}

IX_EXPORT void ix_event_remote(const struct ix_event *event, struct ix_addr *addr)
{
	memcpy(addr->ip, event->open.remote, sizeof(addr->ip));
	addr->port = event->remote_port;
}
