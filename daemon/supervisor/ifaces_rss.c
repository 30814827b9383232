/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether an interface's RSS brings each flow to a queue of its core, and making it so where that is allowed.
 * The first interface that does decides which core has which flow group; the others must agree with it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/common/log.h"
#include "daemon/supervisor/supervisor.h"

static struct rss_queues queues_of(const struct supervisor *supervisor, uint32_t index)
{
	const struct mirror *mirror = supervisor->mirror.area;

	return (struct rss_queues){.base = mirror->ifaces[index].queue_base,
				   .count = mirror->ifaces[index].queues,
				   .cores = supervisor->config->fixed.cores};
}

int rss_key_choose(struct config *config, struct why *why)
{
	struct static_config *fixed = &config->fixed;
	static struct rss rss;

	for (uint32_t i = 0; i < config->ifaces_count && fixed->cores > 1; i++) {
		if (config->ifaces[i].rss == RSS_SOFTWARE || rss_read(config->ifaces[i].name, &rss, why) < 0)
			continue;
		memcpy(fixed->toeplitz_key, rss.key, sizeof(fixed->toeplitz_key));
		return 0;
	}
	/* Not a well-known key: nobody is to know which flows share a core. */
	if (getrandom(fixed->toeplitz_key, sizeof(fixed->toeplitz_key), 0) != sizeof(fixed->toeplitz_key))
		return why_set(why, -errno, "random numbers: %s", strerror(errno));
	return 0;
}

static bool key_is_ours(const struct supervisor *supervisor, const struct rss *rss)
{
	return memcmp(rss->key, supervisor->config->fixed.toeplitz_key, sizeof(rss->key)) == 0;
}

static int groups_take(struct supervisor *supervisor, const uint32_t *core_of_group)
{
	const struct static_config *fixed = &supervisor->config->fixed;
	int error = bpf_set_flow_groups(supervisor->bpf, fixed->flow_groups, core_of_group);

	if (error)
		return error;
	memcpy(supervisor->core_of_group, core_of_group, sizeof(supervisor->core_of_group));
	supervisor->has_rss_groups = true;
	return 0;
}

/* Writes a table, and ours for a key, under which it is aligned; remembers what was there. */
static bool table_write(struct supervisor *supervisor, uint32_t index, const struct rss *found,
			struct view_iface *seen)
{
	const struct rss_queues queues = queues_of(supervisor, index);
	const uint32_t groups = supervisor->config->fixed.flow_groups;
	struct iface *iface = &supervisor->ifaces[index];
	static struct rss wanted;

	wanted = *found;
	memcpy(wanted.key, supervisor->config->fixed.toeplitz_key, sizeof(wanted.key));
	if (!rss_table_make(&wanted, &queues, groups, supervisor->core_of_group)) {
		snprintf(seen->rss_why, sizeof(seen->rss_why),
			 "a core has no queue of its own, or too few slots");
		return false;
	}
	int error = rss_write(seen->name, &wanted, !key_is_ours(supervisor, found));
	if (error) {
		snprintf(seen->rss_why, sizeof(seen->rss_why), "its driver lets nobody set the table: %s",
			 strerror(-error));
		return false;
	}
	if (!iface->has_rss_before) {
		iface->rss_before = *found;
		iface->has_rss_before = true;
	}
	iface->rss_ours = wanted;
	log_info("interface %s: RSS table set so that flows come to the queues of their cores", seen->name);
	return true;
}

static bool try_align(struct supervisor *supervisor, uint32_t index, struct view_iface *seen)
{
	const struct rss_queues queues = queues_of(supervisor, index);
	const uint32_t groups = supervisor->config->fixed.flow_groups;
	uint32_t core_of_group[IXD_FLOW_GROUPS] = {0};
	static struct rss rss;
	struct why why = {""};

	if (rss_read(seen->name, &rss, &why) < 0) {
		snprintf(seen->rss_why, sizeof(seen->rss_why), "%s", why.text);
		return false;
	}
	if (key_is_ours(supervisor, &rss)) {
		if (!supervisor->has_rss_groups && rss_groups_derive(&rss, &queues, groups, core_of_group))
			return groups_take(supervisor, core_of_group) == 0;
		if (rss_is_aligned(&rss, &queues, groups, supervisor->core_of_group))
			return true;
	}
	if (supervisor->config->ifaces[index].rss == RSS_KEEP) {
		snprintf(seen->rss_why, sizeof(seen->rss_why),
			 "its table leads flows to other cores' queues, and rss = \"keep\"");
		return false;
	}
	return table_write(supervisor, index, &rss, seen);
}

void iface_rss_arrange(struct supervisor *supervisor, uint32_t index, struct view_iface *seen)
{
	const struct rss_queues queues = queues_of(supervisor, index);
	struct iface *iface = &supervisor->ifaces[index];

	if (queues.cores == 1) {
		/* Every queue belongs to the one core. */
		iface->is_diagonal = true;
		snprintf(seen->rss, sizeof(seen->rss), "none");
		return;
	}
	if (supervisor->config->ifaces[index].rss == RSS_SOFTWARE)
		snprintf(seen->rss_why, sizeof(seen->rss_why), "rss = \"software\"");
	else if (iface->is_distrusted)
		snprintf(seen->rss_why, sizeof(seen->rss_why),
			 "packets came to other queues than its table says");
	else if (queues.count < queues.cores)
		snprintf(seen->rss_why, sizeof(seen->rss_why), "fewer queues than cores");
	iface->is_diagonal = seen->rss_why[0] == '\0' && try_align(supervisor, index, seen);
	snprintf(seen->rss, sizeof(seen->rss), "%s", iface->is_diagonal ? "aligned" : "software");
}

bool iface_rss_is_intact(struct supervisor *supervisor, uint32_t index)
{
	const struct rss_queues queues = queues_of(supervisor, index);
	const struct static_config *fixed = &supervisor->config->fixed;
	static struct rss rss;
	struct why why;

	if (queues.cores == 1 || rss_read(supervisor->config->ifaces[index].name, &rss, &why) < 0)
		return true; /* what cannot be read now has not changed, or the device is going */
	return key_is_ours(supervisor, &rss) &&
	       rss_is_aligned(&rss, &queues, fixed->flow_groups, supervisor->core_of_group);
}

void iface_rss_restore(struct supervisor *supervisor, uint32_t index)
{
	struct iface *iface = &supervisor->ifaces[index];
	const char *name = supervisor->config->ifaces[index].name;
	static struct rss now;
	struct why why;

	/* Not over what somebody else has set since. */
	if (!iface->has_rss_before || rss_read(name, &now, &why) < 0 || now.slots != iface->rss_ours.slots ||
	    memcmp(now.table, iface->rss_ours.table, now.slots * sizeof(now.table[0])) != 0)
		return;
	int error = rss_write(name, &iface->rss_before, true);
	if (error)
		log_warning("interface %s: its RSS table cannot be set back: %s", name, strerror(-error));
	iface->has_rss_before = false;
}
