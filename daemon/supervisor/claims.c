/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What instances of one network namespace must not take from each other.
 */
#include "daemon/supervisor/claims.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/supervisor/port_set.h"

#define RESERVED_PORTS      "/proc/sys/net/ipv4/ip_local_reserved_ports"
#define PORT_RANGE          "/proc/sys/net/ipv4/ip_local_port_range"
#define TEXT_SIZE           65536 /* the kernel's own limit is a page and more */
#define TCP_TIME_WAIT_STATE 6
#define DIR_TRIES           100

/* The runtime directory may lie elsewhere. */
static int dir_make(const struct claims *claims)
{
	if ((mkdir(claims->instance->base_dir, 0755) != 0 && errno != EEXIST) ||
	    (mkdir(claims->dir, 0755) != 0 && errno != EEXIST))
		return -errno;
	return 0;
}

int claims_init(struct claims *claims, const struct instance *instance, struct why *why)
{
	struct stat status;

	memset(claims, 0, sizeof(*claims));
	claims->instance = instance;
	claims->ports_fd = -1;
	if (stat("/proc/self/ns/net", &status) != 0)
		return why_set(why, -errno, "/proc/self/ns/net: %s; is /proc mounted?", strerror(errno));
	snprintf(claims->dir, sizeof(claims->dir), "%s/.netns-%llu", instance->base_dir,
		 (unsigned long long)status.st_ino);
	int error = dir_make(claims);

	return error ? why_set(why, error, "directory %s cannot be made: %s", claims->dir, strerror(-error))
		     : 0;
}

/* Another instance that leaves takes the empty directory with it, until there is a file of ours in it. */
static int claim_open(const struct claims *claims, const char *path)
{
	int fd;

	for (unsigned tries = 0; tries < DIR_TRIES; tries++) {
		int error = dir_make(claims);

		fd = error ? error : lock_file_open(path);
		if (fd != -ENOENT)
			break;
	}
	return fd;
}

static void claim_path(const struct claims *claims, const char *kind, const char *name, char *path,
		       size_t size)
{
	snprintf(path, size, "%s/%s%s", claims->dir, kind, name);
}

/* NULL: errno says why. */
static char *file_read(const char *path)
{
	char *text = malloc(TEXT_SIZE);
	int fd = text ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	size_t used = 0;
	ssize_t got = -1;

	while (fd >= 0 && used < TEXT_SIZE - 1 && (got = read(fd, text + used, TEXT_SIZE - 1 - used)) > 0)
		used += (size_t)got;
	int error = errno;
	if (fd >= 0)
		close(fd);
	if (got < 0) {
		free(text);
		errno = error;
		return NULL;
	}
	text[used] = '\0';
	return text;
}

int claims_iface(struct claims *claims, const char *iface_name, struct why *why)
{
	char path[256];

	claim_path(claims, "iface-", iface_name, path, sizeof(path));
	int fd = claim_open(claims, path);
	if (fd == -EBUSY) {
		char *owner = file_read(path);
		int error =
		    why_set(why, fd,
			    "interface %s: instance \"%.31s\" serves it already; stop that one, or give this "
			    "one another interface",
			    iface_name, owner ? owner : "?");
		free(owner);
		return error;
	}
	if (fd < 0)
		return why_set(why, fd, "claim %s: %s", path, strerror(-fd));
	if (ftruncate(fd, 0) != 0 || dprintf(fd, "%s", claims->instance->name) < 0) {
		close(fd);
		return why_set(why, -EIO, "claim %s: cannot be written", path);
	}
	snprintf(claims->iface_name[claims->ifaces_count], sizeof(claims->iface_name[0]), "%s", iface_name);
	claims->iface_fd[claims->ifaces_count++] = fd;
	return 0;
}

/* One line of /proc/net/tcp: a live socket on a port of the range? Returns the port or 0. */
static uint32_t line_port_used(const char *line, uint32_t first, uint32_t last)
{
	unsigned port, state;

	if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &port, &state) != 2)
		return 0;
	return port >= first && port <= last && state != TCP_TIME_WAIT_STATE ? port : 0;
}

static uint32_t port_in_use(uint32_t first, uint32_t last)
{
	static const char *const files[] = {"/proc/self/net/tcp", "/proc/self/net/tcp6"};
	char line[512];
	uint32_t port = 0;

	for (size_t i = 0; i < 2 && port == 0; i++) {
		FILE *file = fopen(files[i], "re");
		if (file == NULL)
			continue;
		while (port == 0 && fgets(line, sizeof(line), file) != NULL)
			port = line_port_used(line, first, last);
		fclose(file);
	}
	return port;
}

static int reserved_read(struct port_set *set)
{
	char *text = file_read(RESERVED_PORTS);
	int error = errno;

	if (text == NULL)
		return error > 0 ? -error : -EIO;
	error = port_set_parse(set, text);
	free(text);
	return error;
}

/* One write(2): the kernel takes the whole list or nothing. */
static int reserved_write(const struct port_set *set)
{
	char *text = port_set_print(set);

	if (text == NULL)
		return -ENOMEM;
	int fd = open(RESERVED_PORTS, O_WRONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : 0;
	size_t length = strlen(text);
	if (length == 0)
		text[length++] = '\n';
	if (fd >= 0 && write(fd, text, length) != (ssize_t)length)
		error = -errno;
	if (fd >= 0)
		close(fd);
	free(text);
	return error;
}

/* What was reserved before the first instance came; written down once. */
static void base_remember(const struct claims *claims, const struct port_set *reserved)
{
	char path[256];

	claim_path(claims, "ports-base", "", path, sizeof(path));
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	char *text = fd < 0 ? NULL : port_set_print(reserved);
	if (text != NULL && dprintf(fd, "%s", text) < 0)
		log_warning("%s: cannot be written: %s", path, strerror(errno));
	free(text);
	if (fd >= 0)
		close(fd);
}

/* A range that the kernel never chooses from on its own does no harm when it is not reserved. */
static bool range_is_apart(uint32_t first, uint32_t last)
{
	unsigned low, high;
	char *text = file_read(PORT_RANGE);
	bool is_apart =
	    text != NULL && sscanf(text, "%u %u", &low, &high) == 2 && (first > high || last < low);

	free(text);
	return is_apart;
}

static int reserve(const struct claims *claims, struct why *why)
{
	struct port_set reserved, wanted;
	int error = reserved_read(&reserved);

	if (error)
		return why_set(why, error, "%s: cannot be read: %s", RESERVED_PORTS, strerror(-error));
	base_remember(claims, &reserved);
	wanted = reserved;
	for (uint32_t port = claims->port_first; port <= claims->port_last; port++)
		port_set_put(&wanted, port, true);
	if (memcmp(&wanted, &reserved, sizeof(wanted)) == 0)
		return 0;
	error = reserved_write(&wanted);
	if (error && range_is_apart(claims->port_first, claims->port_last)) {
		log_warning("%s: cannot be written (%s); ports %u to %u are outside of the kernel's own "
			    "range, so ixd "
			    "goes on",
			    RESERVED_PORTS, strerror(-error), claims->port_first, claims->port_last);
		return 0;
	}
	if (error)
		return why_set(
		    why, error,
		    "%s: cannot be written: %s; let ixd write it, reserve %u-%u there yourself, or change "
		    "ephemeral_first and ephemeral_last",
		    RESERVED_PORTS, strerror(-error), claims->port_first, claims->port_last);
	return 0;
}

/* Serialises changes of the reserved ports among instances; waits for the other's few microseconds. */
static int change_lock(const struct claims *claims)
{
	int fd = open(claims->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int claims_ports(struct claims *claims, uint32_t first, uint32_t last, struct why *why)
{
	char path[256];
	uint32_t used = port_in_use(first, last);

	if (used != 0)
		return why_set(
		    why, -EADDRINUSE,
		    "ephemeral ports %u to %u: a socket of the kernel uses %u (see ss -tanp sport = :%u); "
		    "end it, or change ephemeral_first and ephemeral_last",
		    first, last, used, used);
	claim_path(claims, "ports-of-", claims->instance->name, path, sizeof(path));
	int lock = change_lock(claims);
	int fd = lock_file_open(path);
	if (fd < 0 || ftruncate(fd, 0) != 0 || dprintf(fd, "%u-%u", first, last) < 0) {
		int failure = fd < 0 ? fd : -EIO;

		if (lock >= 0)
			close(lock);
		return why_set(why, failure, "claim %s: cannot be written: %s", path, strerror(-failure));
	}
	claims->ports_fd = fd;
	claims->port_first = first;
	claims->port_last = last;
	int error = reserve(claims, why);
	if (lock >= 0)
		close(lock);
	return error;
}

/* Adds the claims of the living to kept, those of the dead (whose files go) to given_back. */
static void others_read(const struct claims *claims, struct port_set *kept, struct port_set *given_back,
			unsigned *living)
{
	DIR *dir = opendir(claims->dir);
	char path[512];

	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		if (strncmp(entry->d_name, "ports-of-", 9) != 0 ||
		    strcmp(entry->d_name + 9, claims->instance->name) == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", claims->dir, entry->d_name);
		int fd = lock_file_open(path);
		char *text = file_read(path);
		struct port_set theirs;
		bool is_read = text != NULL && port_set_parse(&theirs, text) == 0;
		struct port_set *to = fd == -EBUSY ? kept : given_back;
		for (uint32_t port = 0; is_read && port < 65536; port++)
			if (port_set_has(&theirs, port))
				port_set_put(to, port, true);
		free(text);
		*living += fd == -EBUSY;
		if (fd >= 0) {
			unlink(path);
			close(fd);
		}
	}
	if (dir != NULL)
		closedir(dir);
}

static void ports_release(struct claims *claims)
{
	struct port_set reserved = {0}, base = {0}, kept = {0}, given_back = {0};
	unsigned living = 0;
	char path[256];

	for (uint32_t port = claims->port_first; port <= claims->port_last; port++)
		port_set_put(&given_back, port, true);
	others_read(claims, &kept, &given_back, &living);
	claim_path(claims, "ports-base", "", path, sizeof(path));
	char *text = file_read(path);
	bool is_known = text != NULL && port_set_parse(&base, text) == 0 && reserved_read(&reserved) == 0;
	free(text);
	bool has_changed = false;
	for (uint32_t port = 0; is_known && port < 65536; port++)
		if (port_set_has(&given_back, port) && !port_set_has(&base, port) &&
		    !port_set_has(&kept, port) && port_set_has(&reserved, port)) {
			port_set_put(&reserved, port, false);
			has_changed = true;
		}
	if (has_changed && reserved_write(&reserved) != 0)
		log_warning("%s: ports %u to %u stay reserved: it cannot be written", RESERVED_PORTS,
			    claims->port_first, claims->port_last);
	if (living == 0)
		unlink(path);
	claim_path(claims, "ports-of-", claims->instance->name, path, sizeof(path));
	unlink(path);
	close(claims->ports_fd);
	claims->ports_fd = -1;
}

void claims_release(struct claims *claims)
{
	char path[256];

	if (claims->ports_fd >= 0) {
		int lock = change_lock(claims);
		ports_release(claims);
		if (lock >= 0)
			close(lock);
	}
	for (uint32_t i = 0; i < claims->ifaces_count; i++) {
		claim_path(claims, "iface-", claims->iface_name[i], path, sizeof(path));
		unlink(path);
		close(claims->iface_fd[i]);
	}
	claims->ifaces_count = 0;
	rmdir(claims->dir); /* fails while others have claims */
	rmdir(claims->instance->base_dir);
}
