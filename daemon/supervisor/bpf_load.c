/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading the XDP program and writing its maps.
 */
#include "daemon/supervisor/bpf_load.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cap-ng.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/skeleton.h"
#include "daemon/common/log.h"
#include "daemon/common/toeplitz.h"
#include "daemon/supervisor/bpf_pins.h"

/* A link and the name of its pin. */
struct set_link {
	int fd;
	uint32_t ifindex;
	char path[PATH_MAX + NAME_MAX];
};

struct bpf_set {
	struct ixd_bpf *skeleton;
	struct set_link links[IXD_IFACES_MAX];
	unsigned links_count;
	char pin_dir[PATH_MAX];
};

/* The last thing libbpf had to complain about, for messages; the supervisor has one thread. */
static char complaint[256];

/* When the verifier refuses a program, its log comes as one text: the reason stands just before the line of
 * statistics. Of anything too long the end is kept. */
static void complaint_keep(char *text)
{
	char *statistics = strstr(text, "\nprocessed ");

	if (statistics != NULL)
		*statistics = '\0';
	size_t len = strlen(text);

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	size_t start = len > sizeof(complaint) - 1 ? len - (sizeof(complaint) - 1) : 0;

	memcpy(complaint, text + start, len - start);
	complaint[len - start] = '\0';
	for (char *c = complaint; *c != '\0'; c++)
		if (*c == '\n')
			*c = ' ';
}

static int on_libbpf_print(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text = NULL;

	if (level == LIBBPF_DEBUG || vasprintf(&text, format, args) < 0)
		return 0;
	log_debug("%s", text);
	/* After the reason it only says in several ways that it has failed. */
	if (level == LIBBPF_WARN && strstr(text, "failed to load") == NULL)
		complaint_keep(text);
	free(text);
	return 0;
}

static int load_failed(struct why *why, int error)
{
	static const struct {
		int capability;
		const char *name;
	} needed[] = {{CAP_BPF, "CAP_BPF"}, {CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {CAP_PERFMON, "CAP_PERFMON"}};

	/* Without CAP_PERFMON it is the verifier that refuses, and with another error. */
	if ((error == -EPERM || error == -EACCES) && capng_get_caps_process() == 0)
		for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
			if (!capng_have_capability(CAPNG_EFFECTIVE, (unsigned)needed[i].capability))
				return why_set(
				    why, -EPERM,
				    "loading the XDP program needs the capability %s, which ixd does not "
				    "have: start it as root or by its systemd unit",
				    needed[i].name);
	return why_set(why, error, "loading the XDP program: %s%s%s", strerror(-error),
		       complaint[0] != '\0' ? ": " : "", complaint);
}

static int config_check(const struct static_config *fixed, struct why *why)
{
	if (fixed->cores == 0 || fixed->cores > IXD_CORES_MAX)
		return why_set(why, -EINVAL, "cores = %u: must be 1 ... %u", fixed->cores, IXD_CORES_MAX);
	if (fixed->flow_groups == 0 || fixed->flow_groups > IXD_FLOW_GROUPS ||
	    (fixed->flow_groups & (fixed->flow_groups - 1)) != 0)
		return why_set(why, -EINVAL, "flow_groups = %u: must be a power of two of at most %u",
			       fixed->flow_groups, IXD_FLOW_GROUPS);
	if (fixed->ephemeral_span > IXD_EPHEMERAL_SPAN_MAX ||
	    (uint32_t)fixed->ephemeral_base + fixed->ephemeral_span > 65536)
		return why_set(
		    why, -EINVAL, "ephemeral ports %u ... %u: at most %u ports and none beyond 65535",
		    fixed->ephemeral_base, (uint32_t)fixed->ephemeral_base + fixed->ephemeral_span - 1,
		    IXD_EPHEMERAL_SPAN_MAX);
	return 0;
}

static void constants_set(struct ixd_bpf *skeleton, const struct static_config *fixed)
{
	skeleton->rodata->config = (struct ixd_bpf_config){
	    .cores = fixed->cores,
	    .cores_max = IXD_CORES_MAX,
	    .group_mask = fixed->flow_groups - 1,
	    .ephemeral_base = fixed->ephemeral_base,
	    .ephemeral_span = fixed->ephemeral_span,
	};
	ixd_toeplitz_table(fixed->toeplitz_key, &skeleton->rodata->toeplitz);
}

static int pins_make(struct bpf_set *set, struct why *why)
{
	const struct ixd_bpf *skeleton = set->skeleton;
	struct bpf_map *const maps[] = {skeleton->maps.owned,     skeleton->maps.local_addrs,
					skeleton->maps.ephemeral, skeleton->maps.flow_groups,
					skeleton->maps.ifaces,    skeleton->maps.xsks,
					skeleton->maps.verdicts};
	char path[PATH_MAX + NAME_MAX];

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", set->pin_dir, bpf_map__name(maps[i]));
		int err = bpf_map__pin(maps[i], path);

		if (err < 0)
			return why_set(why, err, "pinning a BPF map at %s: %s", path, strerror(-err));
	}
	return 0;
}

static int program_load(struct bpf_set *set, const struct static_config *fixed, struct why *why)
{
	complaint[0] = '\0';
	libbpf_set_print(on_libbpf_print);
	set->skeleton = ixd_bpf__open();
	if (set->skeleton == NULL)
		return why_set(why, -errno, "reading the built-in XDP program: %s", strerror(errno));
	constants_set(set->skeleton, fixed);
	int err = ixd_bpf__load(set->skeleton);

	return err < 0 ? load_failed(why, err) : 0;
}

int bpf_set_load(const struct static_config *fixed, const char *pin_dir, struct bpf_set **out,
		 struct why *why)
{
	int err = config_check(fixed, why);

	if (err < 0)
		return err;
	struct bpf_set *set = calloc(1, sizeof(*set));

	if (set == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	/* The directory first: without a BPF file system there is nothing to load for. It also bounds the
	 * length of pin_dir. */
	err = bpf_pins_prepare(pin_dir, why);
	if (err < 0) {
		free(set);
		return err;
	}
	strcpy(set->pin_dir, pin_dir);
	err = bpf_pins_clear(pin_dir, why);
	if (err == 0)
		err = program_load(set, fixed, why);
	if (err == 0)
		err = pins_make(set, why);
	if (err == 0)
		err = bpf_set_flow_groups_spread(set, fixed->flow_groups, fixed->cores);
	if (err < 0) {
		bpf_set_free(set);
		return err;
	}
	*out = set;
	return 0;
}

void bpf_set_free(struct bpf_set *set)
{
	if (set == NULL)
		return;
	/* Detach before the maps go: there must be no packet that meets half of the set. */
	for (unsigned i = 0; i < set->links_count; i++) {
		(void)bpf_link_detach(set->links[i].fd);
		close(set->links[i].fd);
	}
	bpf_pins_remove(set->pin_dir);
	ixd_bpf__destroy(set->skeleton);
	free(set);
}

int bpf_set_link_take(struct bpf_set *set, int link_fd, const char *iface_name, uint32_t ifindex,
		      struct why *why)
{
	if (set->links_count == IXD_IFACES_MAX)
		return why_set(why, -ENOSPC, "interface %s: an instance has at most %u interfaces",
			       iface_name, IXD_IFACES_MAX);
	struct set_link *link = &set->links[set->links_count];
	char *path = link->path;
	const size_t size = sizeof(link->path);

	/* The BPF file system takes no dots, which names of VLAN devices have. */
	if (strchr(iface_name, '.') == NULL)
		snprintf(path, size, "%s/link_%s", set->pin_dir, iface_name);
	else
		snprintf(path, size, "%s/link_%u", set->pin_dir, ifindex);
	if (bpf_obj_pin(link_fd, path) < 0)
		return why_set(why, -errno, "pinning the XDP link at %s: %s", path, strerror(errno));
	link->fd = link_fd;
	link->ifindex = ifindex;
	set->links_count++;
	return 0;
}

void bpf_set_link_drop(struct bpf_set *set, uint32_t ifindex)
{
	for (unsigned i = 0; i < set->links_count; i++) {
		if (set->links[i].ifindex != ifindex)
			continue;
		/* A device in another namespace carries the program until the link has gone, which the kernel
		 * may do later; of one that exists no more nothing is attached. */
		(void)bpf_link_detach(set->links[i].fd);
		unlink(set->links[i].path);
		close(set->links[i].fd);
		set->links[i] = set->links[--set->links_count];
		return;
	}
}

bool bpf_set_link_is_attached(const struct bpf_set *set, uint32_t ifindex)
{
	for (unsigned i = 0; i < set->links_count; i++) {
		struct bpf_link_info info = {0};
		__u32 bytes = sizeof(info);

		if (set->links[i].ifindex == ifindex)
			return bpf_obj_get_info_by_fd(set->links[i].fd, &info, &bytes) < 0 ||
			       info.xdp.ifindex != 0;
	}
	return false;
}

int bpf_set_ephemeral_fd(const struct bpf_set *set)
{
	return bpf_map__fd(set->skeleton->maps.ephemeral);
}

int bpf_set_flow_groups_fd(const struct bpf_set *set)
{
	return bpf_map__fd(set->skeleton->maps.flow_groups);
}

int bpf_set_verdicts_fd(const struct bpf_set *set)
{
	return bpf_map__fd(set->skeleton->maps.verdicts);
}

int bpf_set_program_fd(const struct bpf_set *set)
{
	return bpf_program__fd(set->skeleton->progs.ixd_steer);
}

static int map_put(const struct bpf_map *map, const void *key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) < 0 ? -errno : 0;
}

static int map_remove(const struct bpf_map *map, const void *key)
{
	return bpf_map_delete_elem(bpf_map__fd(map), key) < 0 ? -errno : 0;
}

/* Keys are compared byte for byte: padding is zero by initialisation. */
static struct ixd_owned_key owned_key(const uint8_t addr[16], uint16_t port, uint16_t vlan)
{
	struct ixd_owned_key key = {.port = htons(port), .vlan = vlan, .proto = IPPROTO_TCP};

	memcpy(key.addr, addr, sizeof(key.addr));
	return key;
}

static struct ixd_local_key local_key(const uint8_t addr[16], uint16_t vlan)
{
	struct ixd_local_key key = {.vlan = vlan};

	memcpy(key.addr, addr, sizeof(key.addr));
	return key;
}

int bpf_set_owned_add(struct bpf_set *set, const uint8_t addr[16], uint16_t port, uint16_t vlan,
		      uint32_t listener)
{
	struct ixd_owned_key key = owned_key(addr, port, vlan);
	struct ixd_owned_value value = {.listener = listener};

	return map_put(set->skeleton->maps.owned, &key, &value);
}

int bpf_set_owned_del(struct bpf_set *set, const uint8_t addr[16], uint16_t port, uint16_t vlan)
{
	struct ixd_owned_key key = owned_key(addr, port, vlan);

	return map_remove(set->skeleton->maps.owned, &key);
}

int bpf_set_local_add(struct bpf_set *set, const uint8_t addr[16], uint16_t vlan)
{
	struct ixd_local_key key = local_key(addr, vlan);
	uint32_t value = 1;

	return map_put(set->skeleton->maps.local_addrs, &key, &value);
}

int bpf_set_local_del(struct bpf_set *set, const uint8_t addr[16], uint16_t vlan)
{
	struct ixd_local_key key = local_key(addr, vlan);

	return map_remove(set->skeleton->maps.local_addrs, &key);
}

int bpf_set_iface_add(struct bpf_set *set, uint32_t ifindex, uint32_t queue_base, uint32_t queues,
		      bool is_diagonal)
{
	struct ixd_iface_value value = {
	    .queue_base = queue_base, .queues = queues, .is_diagonal = is_diagonal};

	if (queues > IXD_QUEUES_MAX || queue_base > IXD_QUEUES_MAX - queues)
		return -ERANGE;
	return map_put(set->skeleton->maps.ifaces, &ifindex, &value);
}

int bpf_set_iface_del(struct bpf_set *set, uint32_t ifindex)
{
	return map_remove(set->skeleton->maps.ifaces, &ifindex);
}

int bpf_set_flow_groups(struct bpf_set *set, uint32_t groups, const uint32_t *core_of_group)
{
	if (groups > IXD_FLOW_GROUPS)
		return -ERANGE;
	for (uint32_t group = 0; group < groups; group++) {
		if (core_of_group[group] >= IXD_CORES_MAX)
			return -ERANGE;
		int err = map_put(set->skeleton->maps.flow_groups, &group, &core_of_group[group]);

		if (err < 0)
			return err;
	}
	return 0;
}

int bpf_set_no_socket_count(const struct bpf_set *set, uint64_t *packets)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t zero = 0;

	*packets = 0;
	if (cpus <= 0)
		return -EINVAL;
	struct ixd_verdicts *counts = calloc((size_t)cpus, sizeof(*counts));

	if (counts == NULL)
		return -ENOMEM;
	int err =
	    bpf_map_lookup_elem(bpf_map__fd(set->skeleton->maps.verdicts), &zero, counts) < 0 ? -errno : 0;

	for (int cpu = 0; cpu < cpus && err == 0; cpu++)
		*packets += counts[cpu].dropped_no_socket;
	free(counts);
	return err;
}

int bpf_set_flow_groups_spread(struct bpf_set *set, uint32_t groups, uint32_t cores)
{
	if (groups > IXD_FLOW_GROUPS || cores == 0 || cores > IXD_CORES_MAX)
		return -ERANGE;
	for (uint32_t group = 0; group < groups; group++) {
		uint32_t core = group % cores;
		int err = map_put(set->skeleton->maps.flow_groups, &group, &core);

		if (err < 0)
			return err;
	}
	return 0;
}

int bpf_set_xsk(struct bpf_set *set, uint32_t queue, uint32_t core, int xsk_fd)
{
	uint32_t slot = queue * IXD_CORES_MAX + core;

	if (queue >= IXD_QUEUES_MAX || core >= IXD_CORES_MAX)
		return -ERANGE;
	return map_put(set->skeleton->maps.xsks, &slot, &xsk_fd);
}
