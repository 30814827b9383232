/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mapping and unmapping of clients' memories.
 */
#include "daemon/dataplane/client_mapping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* `count` parts of part_bytes, stride apart from off on, all inside `bytes` and aligned to cache lines. */
static bool parts_fit(uint64_t off, uint64_t stride, uint64_t part_bytes, uint32_t count, uint64_t bytes)
{
	if (off % 64 != 0 || stride % 64 != 0 || off > bytes || part_bytes > bytes - off)
		return false;
	if (count > 1 && stride < part_bytes)
		return false;
	return stride == 0 || count <= 1 || (bytes - off - part_bytes) / stride >= count - 1;
}

static bool is_power_of_two(uint32_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* The layout comes from the supervisor, which made it; checked all the same, since every later access to the
 * memories relies on it. */
static bool layout_is_sound(const struct ix_welcome *l, uint32_t cores)
{
	if (l->cores != cores || !is_power_of_two(l->cmd_slots) || !is_power_of_two(l->evt_slots))
		return false;
	return parts_fit(l->daemon_core_off, l->daemon_core_stride, sizeof(struct ix_daemon_core), cores,
			 l->daemon_bytes) &&
	       parts_fit(l->evt_off, l->evt_stride, (uint64_t)l->evt_slots * sizeof(struct ix_event), cores,
			 l->daemon_bytes) &&
	       parts_fit(l->rx_off, 0, l->rx_bytes, 1, l->daemon_bytes) &&
	       parts_fit(l->client_core_off, l->client_core_stride, sizeof(struct ix_client_core), cores,
			 l->client_bytes) &&
	       parts_fit(l->cmd_off, l->cmd_stride, (uint64_t)l->cmd_slots * sizeof(struct ix_cmd), cores,
			 l->client_bytes) &&
	       parts_fit(l->tx_off, 0, l->tx_bytes, 1, l->client_bytes);
}

static bool fd_holds(int fd, uint64_t bytes)
{
	struct stat st;

	return fstat(fd, &st) == 0 && bytes > 0 && (uint64_t)st.st_size >= bytes;
}

struct client_policy *client_policy_new(const struct msg_client_add *m)
{
	struct client_policy *policy = calloc(1, sizeof(*policy));

	if (policy == NULL)
		return NULL;
	policy->limits = m->limits;
	policy->rules_count = m->rules_count < IXD_RULES_MAX ? m->rules_count : IXD_RULES_MAX;
	memcpy(policy->rules, m->rules, policy->rules_count * sizeof(policy->rules[0]));
	return policy;
}

static int memories_map(struct client_mapping *c, int daemon_fd, int client_fd)
{
	void *daemon_memory, *client_memory;

	daemon_memory = mmap(NULL, c->layout.daemon_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, daemon_fd, 0);
	if (daemon_memory == MAP_FAILED)
		return -errno;
	/* Read-only: nothing that this process does wrong can write into what the client may look at. */
	client_memory = mmap(NULL, c->layout.client_bytes, PROT_READ, MAP_SHARED, client_fd, 0);
	if (client_memory == MAP_FAILED) {
		int error = errno;

		munmap(daemon_memory, c->layout.daemon_bytes);
		return -error;
	}
	c->daemon_memory = daemon_memory;
	c->client_memory = client_memory;
	return 0;
}

static void policies_free(struct client_mapping *c, uint32_t cores)
{
	for (uint32_t i = 0; i < cores; i++)
		free(c->policy[i]);
}

int client_mapping_open(const struct msg_client_add *m, uint32_t cores, const int *fds, unsigned fds_count,
			struct client_mapping **mapping)
{
	struct client_mapping *c;
	int r = -ENOMEM;

	if (fds_count != 2 + cores || m->client >= IXD_CLIENTS_MAX || !layout_is_sound(&m->layout, cores) ||
	    !fd_holds(fds[0], m->layout.daemon_bytes) || !fd_holds(fds[1], m->layout.client_bytes))
		return -EPROTO;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->client = m->client;
	c->uid = m->uid;
	c->gid = m->gid;
	c->pid = m->pid;
	c->is_restart = m->is_restart != 0;
	c->layout = m->layout;
	for (uint32_t i = 0; i < cores; i++) {
		c->policy[i] = client_policy_new(m);
		if (c->policy[i] == NULL)
			goto undo;
	}
	r = memories_map(c, fds[0], fds[1]);
	if (r < 0)
		goto undo;
	for (uint32_t i = 0; i < cores; i++)
		c->doorbell_fd[i] = fds[2 + i];
	*mapping = c;
	return 0;
undo:
	policies_free(c, cores);
	free(c);
	return r;
}

void client_mapping_close(struct client_mapping *c, uint32_t cores)
{
	munmap(c->daemon_memory, c->layout.daemon_bytes);
	/* The const is a promise of ours to ourselves; munmap() takes the address only. */
	munmap((void *)(uintptr_t)c->client_memory, c->layout.client_bytes);
	for (uint32_t i = 0; i < cores; i++)
		close(c->doorbell_fd[i]);
	policies_free(c, cores);
	free(c);
}
