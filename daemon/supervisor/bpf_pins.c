/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pins on the BPF file system.
 */
#include "daemon/supervisor/bpf_pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/common/log.h"

#define DIR_TRIES       100

#define BPF_FS_MAGIC    0xcafe4a11
#define PIN_LINK_PREFIX "link_"

/* Cuts the last part off path. False when only the root is left. */
static bool path_cut(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return false;
	*slash = '\0';
	return true;
}

static int path_copy(char copy[PATH_MAX], const char *path, struct why *why)
{
	if (path[0] != '/')
		return why_set(why, -EINVAL, "pin directory \"%s\": must be an absolute path", path);
	if (strlen(path) >= PATH_MAX - NAME_MAX)
		return why_set(why, -ENAMETOOLONG, "pin directory \"%.64s...\": longer than %d bytes", path,
			       PATH_MAX - NAME_MAX);
	strcpy(copy, path);
	return 0;
}

/* The nearest directory that exists says what file system the pins would come to lie on. */
static int bpffs_check(const char *pin_dir, struct why *why)
{
	char path[PATH_MAX];
	struct statfs fs;
	int err = path_copy(path, pin_dir, why);

	if (err < 0)
		return err;
	while (statfs(path, &fs) < 0) {
		if (errno != ENOENT)
			return why_set(why, -errno, "pin directory %s: %s: %s", pin_dir, path,
				       strerror(errno));
		if (!path_cut(path))
			strcpy(path, "/");
	}
	if ((unsigned long)fs.f_type == BPF_FS_MAGIC)
		return 0;
	return why_set(why, -ENODEV,
		       "pin directory %s: %s is not on a BPF file system, which ixd needs for its pins; "
		       "mount one (mount -t bpf bpf /sys/fs/bpf) or set pin_dir to a place on one",
		       pin_dir, path);
}

static int dirs_make(const char *pin_dir, char path[PATH_MAX])
{
	strcpy(path, pin_dir);
	for (char *part = path + 1;; part++) {
		char kept = *part;

		if (kept != '/' && kept != '\0')
			continue;
		*part = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		*part = kept;
		if (kept == '\0')
			return 0;
	}
}

int bpf_pins_prepare(const char *pin_dir, struct why *why)
{
	char path[PATH_MAX];
	int err = bpffs_check(pin_dir, why);

	if (err < 0)
		return err;
	/* An instance that leaves may take the upper one with it at any moment. */
	err = -ENOENT;
	for (unsigned tries = 0; tries < DIR_TRIES && err == -ENOENT; tries++)
		err = dirs_make(pin_dir, path);
	if (err < 0)
		return why_set(why, err, "pin directory %s: cannot make %s: %s", pin_dir, path,
			       strerror(-err));
	return 0;
}

/* Removing the pin alone would detach some time later, when the kernel frees the link; the new program must
 * be attached now. */
static void link_detach(const char *path)
{
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return;
	if (bpf_link_detach(fd) < 0)
		log_debug("%s: not detached: %s", path, strerror(errno));
	close(fd);
}

int bpf_pins_clear(const char *pin_dir, struct why *why)
{
	char path[PATH_MAX];
	int err = path_copy(path, pin_dir, why);

	if (err < 0)
		return err;
	DIR *dir = opendir(pin_dir);

	if (dir == NULL) {
		if (errno == ENOENT)
			return 0;
		return why_set(why, -errno, "pin directory %s: %s", pin_dir, strerror(errno));
	}
	size_t len = strlen(path);

	path[len++] = '/';
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path + len, sizeof(path) - len, "%s", entry->d_name);
		if (strncmp(entry->d_name, PIN_LINK_PREFIX, strlen(PIN_LINK_PREFIX)) == 0)
			link_detach(path);
		if (unlink(path) < 0 && errno != ENOENT)
			err = why_set(why, -errno, "pin %s is in the way and cannot be removed: %s", path,
				      strerror(errno));
	}
	closedir(dir);
	return err;
}

void bpf_pins_remove(const char *pin_dir)
{
	char path[PATH_MAX];
	struct why why;

	if (bpf_pins_clear(pin_dir, &why) < 0) {
		log_warning("%s", why.text);
		return;
	}
	if (rmdir(pin_dir) < 0 && errno != ENOENT)
		log_warning("pin directory %s stays: %s", pin_dir, strerror(errno));
	/* The folder of all instances goes with the last of them. */
	strcpy(path, pin_dir);
	if (path_cut(path))
		(void)rmdir(path);
}
