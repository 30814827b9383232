/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An instance's name, its directories, and the locks that keep a second one away.
 */
#include "daemon/supervisor/instance.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/common/rights.h"

#define DIR_TRIES 100

int instance_name_check(const char *name, struct why *why)
{
	size_t length = strlen(name);
	bool is_good = length > 0 && length < IXD_NAME_SIZE && name[0] != '.';

	for (size_t i = 0; i < length && is_good; i++)
		is_good = isalnum((unsigned char)name[i]) || strchr("-_.", name[i]) != NULL;
	if (is_good)
		return 0;
	return why_set(
	    why, -EINVAL,
	    "instance name \"%.64s\" must be 1 to %d letters, digits, '-', '_' or '.', the first no '.'",
	    name, IXD_NAME_SIZE - 1);
}

static int path_make(char path[CONFIG_PATH_SIZE], const char *given, const char *base, const char *name,
		     struct why *why)
{
	int length = given[0] ? snprintf(path, CONFIG_PATH_SIZE, "%s", given)
			      : snprintf(path, CONFIG_PATH_SIZE, "%s/%s", base, name);

	if (length < 0 || (size_t)length + sizeof("/control.sock") > CONFIG_PATH_SIZE)
		return why_set(why, -ENAMETOOLONG,
			       "directory \"%s\" of instance \"%s\" is too long; at most %zu characters, see "
			       "runtime_dir and pin_dir in ixd.conf(5)",
			       given[0] ? given : base, name, CONFIG_PATH_SIZE - sizeof("/control.sock"));
	return 0;
}

int instance_init(struct instance *instance, const char *name, const struct config *config, struct why *why)
{
	const char *base = getenv("IXD_RUNDIR");
	int error = instance_name_check(name, why);

	if (error)
		return error;
	memset(instance, 0, sizeof(*instance));
	instance->lock_fd = -1;
	snprintf(instance->name, sizeof(instance->name), "%s", name);
	error = path_make(instance->base_dir, base && base[0] ? base : "/run/ixd", "", "", why);
	if (!error)
		error = path_make(instance->runtime_dir, config->runtime_dir, instance->base_dir, name, why);
	if (!error)
		error = path_make(instance->pin_dir, config->pin_dir, "/sys/fs/bpf/ixd", name, why);
	snprintf(instance->client_socket, sizeof(instance->client_socket), "%s/client.sock",
		 instance->runtime_dir);
	snprintf(instance->control_socket, sizeof(instance->control_socket), "%s/control.sock",
		 instance->runtime_dir);
	return error;
}

/* mkdir -p; *has_made says whether the last part is new. */
static int make_dirs_once(const char *path, bool *has_made)
{
	char part[CONFIG_PATH_SIZE];
	int error = 0;

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	*has_made = mkdir(part, 0755) == 0;
	if (!*has_made && errno != EEXIST)
		error = -errno;
	return error;
}

/* An instance that leaves may take the upper one with it at any moment. */
static int make_dirs(const char *path, bool *has_made)
{
	int error = -ENOENT;

	for (unsigned tries = 0; tries < DIR_TRIES && error == -ENOENT; tries++)
		error = make_dirs_once(path, has_made);
	return error;
}

int lock_file_open(const char *path)
{
	struct stat opened, present;

	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
			int error = errno == EWOULDBLOCK ? -EBUSY : -errno;
			close(fd);
			return error;
		}
		/* The file may have been removed between open and lock: then this lock locks out nobody. */
		if (fstat(fd, &opened) == 0 && stat(path, &present) == 0 && opened.st_ino == present.st_ino)
			return fd;
		close(fd);
	}
}

/* The pid that the holder of the lock wrote; 0 when it cannot be read. */
static long lock_holder(const char *path)
{
	char text[32] = "";
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return 0;
	char *line = fgets(text, sizeof(text), file);
	fclose(file);
	return line ? atol(line) : 0;
}

int instance_lock(struct instance *instance, struct why *why)
{
	char path[CONFIG_PATH_SIZE + 16];
	int error = make_dirs(instance->runtime_dir, &instance->has_made_dir);

	if (error)
		return why_set(why, error, "runtime directory %s: cannot be made: %s; is ixd run as root?",
			       instance->runtime_dir, strerror(-error));
	snprintf(path, sizeof(path), "%s/lock", instance->runtime_dir);
	int fd = lock_file_open(path);
	if (fd == -EBUSY)
		return why_set(
		    why, fd,
		    "instance \"%s\" runs already, as process %ld; stop it, or give this one another name "
		    "with -i",
		    instance->name, lock_holder(path));
	if (fd < 0)
		return why_set(why, fd, "lock %s: %s; is ixd run as root?", path, strerror(-fd));
	instance->lock_fd = fd;
	if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		return why_set(why, -EIO, "lock %s: cannot be written: %s", path, strerror(errno));
	return 0;
}

void instance_unlock(struct instance *instance)
{
	char path[CONFIG_PATH_SIZE + 16];

	if (instance->lock_fd < 0)
		return;
	snprintf(path, sizeof(path), "%s/lock", instance->runtime_dir);
	unlink(path);
	close(instance->lock_fd);
	instance->lock_fd = -1;
	/* Fails, as it should, while systemd's sockets lie in it. */
	rmdir(instance->runtime_dir);
}

int instance_socket_open(const char *path, int type, uint32_t mode, uint32_t gid, struct why *why)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(addr.sun_path))
		return why_set(why, -ENAMETOOLONG, "socket %s: the path is too long; at most %zu characters",
			       path, sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return why_set(why, -errno, "socket %s: %s", path, strerror(errno));
	rights_refuse(fd);
	unlink(path);
	/* Nobody may connect before mode and group are right: listen comes last. */
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || chmod(path, mode) != 0 ||
	    (gid != CONFIG_NO_ID && chown(path, (uid_t)-1, gid) != 0) || listen(fd, 128) != 0) {
		int error = -errno;
		close(fd);
		unlink(path);
		return why_set(why, error, "socket %s: %s", path, strerror(-error));
	}
	return fd;
}
