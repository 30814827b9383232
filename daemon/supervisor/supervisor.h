/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that the supervisor holds. One thread; every part below is touched by the file that is named for it and
 * through the functions declared here.
 *
 *   setup.c       what must outlive the children: memories, XDP program, sockets
 *   xsks.c        the AF_XDP sockets
 *   ifaces.c      interfaces that go, come back or change while ixd runs
 *   ifaces_rss.c  which flows RSS brings to which queue
 *   ifaces_transmit.c  where packets leave without an skb
 *   processes.c   dataplane and control: start, first messages, watchdog, restart
 *   messages.c    what they say, each message checked and passed to the file that acts on it
 *   clients.c     admission of clients and their end
 *   listeners.c   who listens where, the ports held, the owned map
 *   reconfigure.c a new configuration while running
 *   publish.c     what the control process may see
 */
#ifndef DAEMON_SUPERVISOR_SUPERVISOR_H
#define DAEMON_SUPERVISOR_SUPERVISOR_H

#include "daemon/common/mirror.h"
#include "daemon/common/state.h"
#include "daemon/common/stats.h"
#include "daemon/common/time_units.h"
#include "daemon/common/view.h"
#include "daemon/supervisor/bpf_load.h"
#include "daemon/supervisor/child.h"
#include "daemon/supervisor/claims.h"
#include "daemon/supervisor/client_memory.h"
#include "daemon/supervisor/clock.h"
#include "daemon/supervisor/config.h"
#include "daemon/supervisor/genl_news.h"
#include "daemon/supervisor/instance.h"
#include "daemon/supervisor/log_budget.h"
#include "daemon/supervisor/loop.h"
#include "daemon/supervisor/netlink.h"
#include "daemon/supervisor/rss.h"
#include "daemon/supervisor/transmit_program.h"
#include "daemon/supervisor/umem.h"
#include "daemon/supervisor/why.h"
#include "daemon/supervisor/xdp_attach.h"
#include "daemon/supervisor/xsk_create.h"

#define CLIENT_GROUPS_MAX 256

struct supervisor;

/* A memfd that the supervisor made: its descriptors and its mapping here, if it has one. */
struct shared_memory {
	int fd;          /* read-write */
	int readonly_fd; /* for those who may only look */
	size_t bytes;
	void *area; /* NULL: not mapped here */
};

struct xsk {
	int fd;
	int packet_fd; /* for what AF_XDP does not send best; -1: none */
	bool is_bound;
	struct msg_xsk message;
	struct xsk_request request; /* as it was made */
};

enum iface_state { IFACE_CLOSED, IFACE_OPEN, IFACE_CLOSING }; /* ifaces.c */

struct iface {
	enum iface_state state;
	bool is_opening;           /* open, and the dataplane has not answered yet: changes wait for that */
	uint32_t attached_ifindex; /* device that carries the XDP program; 0: none */
	struct xdp_attached attached; /* the mode it got */
	struct view_iface seen;       /* as published */
	bool is_diagonal;             /* a queue has the socket of its own core only */
	bool is_distrusted;           /* RSS has led packets elsewhere than its table says */
	bool has_rss_before;
	struct rss rss_before, rss_ours; /* the table as found, and as set */
	uint64_t queues_had;             /* while closed: through these the kernel had frames */
	uint32_t closes;
	char reason[128]; /* why it was closed the last time */
	char said[192];   /* last line about waiting: not to be repeated */
};
_Static_assert(sizeof(((struct iface *)NULL)->reason) <= sizeof(((struct view_iface *)NULL)->copy_why),
	       "the reason can be shown");

enum client_state {
	CLIENT_FREE,
	CLIENT_HELLO,   /* connected, has not said hello */
	CLIENT_ADDING,  /* admitted, the dataplane maps its memories */
	CLIENT_READY,   /* has been welcomed */
	CLIENT_LEAVING, /* disconnected; the dataplane has not let go yet */
};

struct client {
	struct supervisor *supervisor;
	enum client_state state;
	bool was_added; /* a dataplane was told of it once */
	int socket_fd;  /* -1: closed */
	struct loop_watch *watch;
	uint64_t since_ns;
	uint32_t pid, uid, gid;
	uint32_t *gids; /* supplementary groups */
	uint32_t gids_count;
	char comm[16];
	struct client_limits limits;
	struct ix_welcome welcome;
	struct client_memory memory;
	int peer_fds[2 + IXD_CORES_MAX]; /* until the welcome is sent */
	uint32_t peer_fds_count;
	uint32_t listeners; /* in which it is a member */
};

enum member_state { MEMBER_NONE, MEMBER_ASKED, MEMBER_ACTIVE };

struct listener {
	bool is_used;
	bool is_owned;    /* the owned map has it: packets are steered */
	bool is_draining; /* nobody listens; connections of it are still open */
	uint8_t addr[16];
	uint16_t port, vlan;
	uint32_t uid;
	int hold_fd; /* kernel socket that keeps the port from others */
	uint32_t members;
	uint8_t member[IXD_CLIENTS_MAX];           /* enum member_state */
	struct msg_listen *asked[IXD_CLIENTS_MAX]; /* the request, while MEMBER_ASKED */
};

/* A child with its place in the life of the supervisor. */
struct process {
	struct supervisor *supervisor;
	struct child child;
	struct loop_watch *exit_watch, *socket_watch;
	struct loop_timer restart; /* set while it waits to be started again */
	uint64_t back_off_ms;
	bool is_ready;
	bool has_been_ready;                       /* any process of this kind */
	bool is_condemned;                         /* killed, and its exit not seen yet */
	uint64_t deaf_since_ns;                    /* it has closed its socket; 0: it has not */
	int (*introduce)(struct process *process); /* sends the first messages */
};

struct supervisor {
	const char *config_path;
	struct config *config;
	bool is_debug;                 /* -d: log_level of the file does not count */
	uint32_t log_level_said;       /* by the file */
	uint32_t frames_per_core_said; /* by the file, where config->fixed has what was made of it */
	struct instance instance;
	struct claims claims;
	struct loop loop;
	struct netlink netlink;
	bool has_netlink;
	struct bpf_set *bpf;
	struct umem umem;
	struct state_layout layout;
	struct shared_memory state, keys, stats, mirror, view;
	struct iface ifaces[IXD_IFACES_MAX];
	struct genl_news ethtool_news, netdev_news;
	struct transmit_program *transmit; /* NULL: not to be had, or not wanted */
	char transmit_why[128];
	struct loop_timer ifaces_timer, ifaces_tick;
	uint32_t core_of_group[IXD_FLOW_GROUPS]; /* as in the map flow_groups */
	bool has_rss_groups;                     /* they follow from an interface's RSS table */
	bool are_ifaces_steady;                  /* at the last tick nothing was being changed */
	uint64_t no_socket_packets;              /* dropped for want of a socket, at the last tick */
	struct xsk *xsks;
	uint32_t xsks_count;
	bool are_xsks_late; /* see xsks.c */
	struct process dataplane, control;
	uint64_t watched_ns; /* when the watchdog last looked */
	uint64_t alive_ns;   /* last sign of life of the dataplane */
	uint64_t progress_turns[IXD_CORES_MAX];
	uint64_t progress_ns[IXD_CORES_MAX]; /* when the core's turns last changed */
	struct loop_timer watchdog, accept_timer, hello_timer, drain_timer, stop_timer, notify_timer;
	uint64_t notify_period_ns; /* systemd's watchdog, 0: none */
	int client_listener_fd, control_listener_fd, signal_fd;
	bool is_client_socket_ours, is_control_socket_ours; /* made by ixd: removed at the end */
	struct loop_watch *client_listener_watch, *signal_watch;
	struct client clients[IXD_CLIENTS_MAX];
	struct listener listeners[IXD_LISTENERS_MAX];
	struct log_budget log_budget;
	int pin_dir_fd; /* locked: nobody else may use the directory */
	bool is_stopping, is_announced;
	int exit_code;
};

/* setup.c: makes everything that outlives the children, in an order that setup_undo() reverses; setup_undo()
 * is allowed after a failure. */
int setup_all(struct supervisor *supervisor, struct why *why);
void setup_undo(struct supervisor *supervisor);

/* ifaces.c */
/* Makes an interface's sockets, its XDP program being attached and the mirror saying which queues; publishes
 * what it got. */
int iface_sockets_open(struct supervisor *supervisor, uint32_t index, struct why *why);
/* From here on looks what becomes of them. */
int ifaces_watch(struct supervisor *supervisor, struct why *why);
/* Looks now; arg is the supervisor. */
void ifaces_check(void *arg);
/* Before a dataplane is introduced: it must not be given sockets of devices that are gone. */
void ifaces_before_dataplane(struct supervisor *supervisor);
void iface_on_closed(struct supervisor *supervisor, const struct msg_iface *m);
void iface_on_opened(struct supervisor *supervisor, const struct msg_iface *m);

/* ifaces_rss.c */
/* The flow hash's key: that of the first interface whose RSS could be used, else a random one. */
int rss_key_choose(struct config *config, struct why *why);
/* Decides whether the interface's queues need the sockets of all cores; reads RSS, and sets it where that is
 * allowed and helps. */
void iface_rss_arrange(struct supervisor *supervisor, uint32_t index, struct view_iface *seen);
/* Whether RSS still is what it was arranged to be. */
bool iface_rss_is_intact(struct supervisor *supervisor, uint32_t index);
/* Sets back what was changed, at the end. */
void iface_rss_restore(struct supervisor *supervisor, uint32_t index);

/* ifaces_transmit.c */
/* Before the interfaces are opened. That it is not to be had is no error: what it says is shown. */
void transmit_open(struct supervisor *supervisor);
void transmit_close(struct supervisor *supervisor);
/* Looks now which interfaces can do it, and tells the dataplane; arg is the supervisor. */
void transmit_look(void *arg);

/* xsks.c */
/* Makes the sockets of one interface and says in *seen whether they copy, and why; all of them or none. */
int xsks_open_iface(struct supervisor *supervisor, uint32_t iface_index, struct view_iface *seen,
		    struct why *why);
void xsks_close_iface(struct supervisor *supervisor, uint32_t iface_index);
void xsks_close(struct supervisor *supervisor);
/* Sends an interface's sockets to a dataplane. */
int xsks_send(struct supervisor *supervisor, const struct child *child, uint32_t iface_index);
/* Publishes what the kernel has counted on them. */
void xsks_read_counters(struct supervisor *supervisor);
/* Whether the kernel has unbound the interface's sockets, as it does when their device goes; told once. */
bool xsks_have_lost_device(const struct supervisor *supervisor, uint32_t iface_index);
/* Before a further dataplane is introduced: new sockets where it could not map the old ones' rings. */
int xsks_renew(struct supervisor *supervisor, struct why *why);
/* When a dataplane has mapped the rings: binds what is not bound yet. */
int xsks_bind(struct supervisor *supervisor, struct why *why);

/* processes.c */
int processes_start(struct supervisor *supervisor, struct why *why);
/* Asks both to finish, and ends the loop when they have. */
void processes_stop(struct supervisor *supervisor);
void processes_undo(struct supervisor *supervisor);
/* Sends to the dataplane; false when it is not there or does not take it: what is sent anew after a restart
 * makes up for it. */
/* Kills a child that does what none of ours would; its successor starts as after a crash. */
void process_condemn(struct process *process, const char *reason);
bool dataplane_tell(struct supervisor *supervisor, const struct msg *m, const int *fds, unsigned fds_count);
bool control_tell(struct supervisor *supervisor, const struct msg *m, const int *fds, unsigned fds_count);
/* Says once that the instance is up, when both processes are. */
void processes_announce(struct supervisor *supervisor);
void dataplane_is_ready(struct supervisor *supervisor);
void dataplane_is_alive(struct supervisor *supervisor, const struct msg *m);

/* messages.c */
void messages_from_dataplane(void *process);
void messages_from_control(void *process);

/* clients.c */
/* A line that a stranger causes: at the level of information, and only as often as the budget says. */
__attribute__((format(printf, 2, 3))) void log_stranger(struct supervisor *supervisor, const char *format,
							...);
int clients_init(struct supervisor *supervisor);
void clients_fini(struct supervisor *supervisor);
/* Tells a new dataplane process of all clients. */
void clients_introduce(struct supervisor *supervisor);
void client_on_ready(struct supervisor *supervisor, uint32_t index);
void client_on_gone(struct supervisor *supervisor, uint32_t index);
void client_on_fault(struct supervisor *supervisor, uint32_t index, const char *reason);
/* The policy has changed: new rules and limits to everybody. */
void clients_apply_policy(struct supervisor *supervisor);
const struct config_policy *client_policy(const struct supervisor *supervisor, const struct client *client);

/* listeners.c */
void listeners_init(struct supervisor *supervisor);
void listeners_fini(struct supervisor *supervisor);
void listeners_introduce(struct supervisor *supervisor);
void listener_on_ask(struct supervisor *supervisor, const struct msg_listen *ask);
void listener_on_unask(struct supervisor *supervisor, const struct msg_listen *ask);
void listener_on_ready(struct supervisor *supervisor, const struct msg_listen *ready);
void listeners_forget_client(struct supervisor *supervisor, uint32_t client);

/* reconfigure.c: reads and applies the file as one change, or changes nothing. Each line of the result goes
 * to say(arg, text). 0 or negative errno. */
int reconfigure(struct supervisor *supervisor, void (*say)(void *arg, const char *text), void *arg);
/* A request through control; the peer of asker_fd must be root or of the admin group. */
void reconfigure_on_request(struct supervisor *supervisor, uint32_t id, int asker_fd);
/* Tells control who is at the other end of asker_fd. */
void who_on_request(struct supervisor *supervisor, uint32_t id, int asker_fd);

/* publish.c */
int publish_init(struct supervisor *supervisor);
void publish_processes(struct supervisor *supervisor);
void publish_config(struct supervisor *supervisor, bool is_reconfigured);
void publish_iface(struct supervisor *supervisor, uint32_t index, const struct view_iface *iface);
void publish_queues(struct supervisor *supervisor, uint32_t first, const struct view_queue *queues,
		    uint32_t count);
/* counters: one for each queue of the instance. */
void publish_queue_counters(struct supervisor *supervisor, const struct view_queue_counters *counters);
void publish_client(struct supervisor *supervisor, uint32_t index);
void publish_listener(struct supervisor *supervisor, uint32_t index);

/* peer.c: user, group, process and supplementary groups at the other end of a Unix socket, as the kernel
 * says. *gids is from malloc(). 0 or negative errno. */
int peer_identify(int fd, uint32_t *pid, uint32_t *uid, uint32_t *gid, uint32_t **gids, uint32_t *gids_count);

#endif
