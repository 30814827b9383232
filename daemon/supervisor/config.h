/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration file, checked and in binary form. Loading touches nothing but the file and the account
 * database, so that `ixd -n` needs no privilege. Every key is one row of a table (config_key.h): the row
 * parses, limits, defaults, prints and documents it.
 */
#ifndef DAEMON_SUPERVISOR_CONFIG_H
#define DAEMON_SUPERVISOR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/common/msg.h"
#include "daemon/supervisor/why.h"

#define CONFIG_PATH_SIZE    108 /* of directories; a socket's path must fit into sun_path */
#define CONFIG_POLICIES_MAX 64
#define CONFIG_NO_ID        UINT32_MAX
#define CONFIG_CPU_NONE     0xffffu

struct config_iface {
	char name[16];
	uint32_t queues;       /* 0: all that the interface has */
	uint32_t mode;         /* enum xdp_mode */
	uint32_t copy;         /* enum xsk_copy */
	uint32_t rss;          /* enum rss_use */
	uint32_t xdp_transmit; /* enum xdp_transmit_use */
};

/* What a client gets when it asks for nothing, and the most that it may ask for. */
struct config_grants {
	uint64_t rx_bytes, rx_bytes_max;
	uint64_t tx_bytes, tx_bytes_max;
	uint32_t cmd_slots, cmd_slots_max;
	uint32_t evt_slots, evt_slots_max;
	uint32_t connections_max;
	uint32_t listeners_max;
	uint32_t clients_max; /* at one time for one user */
};

enum policy_subject { POLICY_EVERYBODY, POLICY_USER, POLICY_GROUP };

struct config_policy {
	uint32_t subject; /* enum policy_subject */
	uint32_t id;
	uint32_t listen_count, connect_count;
	struct policy_rule listen[IXD_RULES_MAX];
	struct policy_rule connect[IXD_RULES_MAX];
	struct config_grants grants;
};

struct config {
	struct config_iface ifaces[IXD_IFACES_MAX];
	uint32_t ifaces_count;
	struct config_policy policies[CONFIG_POLICIES_MAX];
	uint32_t policies_count;
	struct config_grants limits; /* for policies that do not say otherwise */
	struct runtime_config runtime;
	struct static_config fixed; /* queues, is_hugetlb and an automatic frames_per_core come at start */
	bool has_cpu_list;          /* fixed.cpu was given; else CPUs are chosen at start */
	uint32_t pages;             /* enum umem_pages */
	uint32_t ephemeral_first, ephemeral_last;
	uint32_t dataplane_uid, dataplane_gid;
	uint32_t control_uid, control_gid;
	uint32_t socket_gid; /* of control.sock */
	uint32_t admin_gid;  /* CONFIG_NO_ID: root alone may change things */
	uint32_t client_socket_mode, control_socket_mode;
	uint32_t hello_timeout_ms;
	uint32_t watchdog_ms;               /* 0: off */
	char runtime_dir[CONFIG_PATH_SIZE]; /* empty: the default of the instance */
	char pin_dir[CONFIG_PATH_SIZE];
};

/* Reads and checks the whole file. 0, or negative errno with "FILE:LINE: what, limit, way out" in *why.
 * *config is valid only on success; free with config_free(). */
int config_load(const char *path, struct config **config, struct why *why);
void config_free(struct config *config);

/* The canonical text of one setting: what `reconfigure` compares and shows. */
struct config_line {
	char path[64]; /* as "tcp.cc" or "policy.[0]" */
	char *value;
	bool is_runtime; /* may change while running */
};
struct config_lines {
	struct config_line *line;
	size_t count, room;
};
/* All settings in the order of the tables. 0 or -ENOMEM. */
int config_lines_make(const struct config *config, struct config_lines *lines);
void config_lines_free(struct config_lines *lines);

/* Calls on_difference for each setting that differs (old or new NULL: not there). Returns the number of
 * differences, *static_count of them in settings that cannot change at run time; negative errno. */
typedef void (*config_on_difference)(void *arg, const char *path, const char *old_value,
				     const char *new_value, bool is_runtime);
int config_diff(const struct config *old_config, const struct config *new_config,
		config_on_difference on_difference, void *arg, unsigned *static_count);

/* The line of a setting in the file, by its path; 0: the file does not say it. */
unsigned config_line_of(const char *file, const char *path);

/* The policy that applies to a process: the first that names its user, one of its groups, or everybody.
 * NULL: none. */
const struct config_policy *config_policy_for(const struct config *config, uint32_t uid, const uint32_t *gids,
					      size_t gids_count);
/* Whether the first matching rule allows addr (16 zero bytes: any address, matched by "*" alone) and port. */
bool policy_rules_allow(const struct policy_rule *rules, uint32_t count, const uint8_t addr[16],
			uint16_t port);

#endif
