/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ethtool ioctl.
 */
#include "daemon/supervisor/ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int ethtool_call(const char *iface_name, void *command)
{
	struct ifreq request = {.ifr_data = command};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", iface_name);
	int err = ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;

	close(fd);
	return err;
}

void ethtool_driver_name(const char *iface_name, char *name, size_t size)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	if (ethtool_call(iface_name, &info) == 0)
		snprintf(name, size, "%.31s", info.driver);
	else
		snprintf(name, size, "unknown");
}
