/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For LD_PRELOAD: some queues refuse zero copy, as drivers do that lack it on a few of their queues. bind()
 * of an AF_XDP socket answers as the kernel would. REFUSED is a list of queue numbers, "1,3". Others than
 * these do it.
 */
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) int bind(int fd, const struct sockaddr *address, socklen_t bytes);
__attribute__((visibility("default"))) int access(const char *path, int mode);

static bool is_refused(unsigned queue)
{
	const char *at = getenv("REFUSED");

	while (at != NULL && *at != '\0') {
		char *end;

		if (strtoul(at, &end, 10) == queue && end != at)
			return true;
		at = *end == ',' ? end + 1 : NULL;
	}
	return false;
}

/* The machine in which this runs has made virtio_net safe (vm.bash), whatever ixd knows of it: "auto" tries
 * it. */
int access(const char *path, int mode)
{
	if (strncmp(path, "/sys/module/virtio_net/", 23) == 0) {
		errno = ENOENT;
		return -1;
	}
	return (int)syscall(SYS_access, path, mode);
}

/* A shared UMEM has the mode of the socket that it is shared with. */
static bool wants_zerocopy(const struct sockaddr_xdp *address)
{
	struct xdp_options options = {0};
	socklen_t bytes = sizeof(options);

	if ((address->sxdp_flags & XDP_SHARED_UMEM) == 0)
		return (address->sxdp_flags & XDP_ZEROCOPY) != 0;
	return getsockopt((int)address->sxdp_shared_umem_fd, SOL_XDP, XDP_OPTIONS, &options, &bytes) == 0 &&
	       (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
}

int bind(int fd, const struct sockaddr *address, socklen_t bytes)
{
	struct sockaddr_xdp xdp;

	if (bytes == sizeof(xdp) && address->sa_family == AF_XDP) {
		memcpy(&xdp, address, sizeof(xdp));
		if (is_refused(xdp.sxdp_queue_id) && wants_zerocopy(&xdp)) {
			errno = EOPNOTSUPP;
			return -1;
		}
	}
	return (int)syscall(SYS_bind, fd, address, bytes);
}
