/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One row per configuration key.
 */
#include "daemon/supervisor/config_key.h"

#include "daemon/common/log.h"
#include "daemon/supervisor/rss.h"
#include "daemon/supervisor/transmit_program.h"
#include "daemon/supervisor/umem.h"
#include "daemon/supervisor/xdp_attach.h"
#include "daemon/supervisor/xsk_create.h"

#define AT(type, field) .off = offsetof(type, field), .size = sizeof(((type *)NULL)->field)
#define SIZE_OF(array)  (sizeof(array) / sizeof((array)[0]))
#define KIB             1024ull
#define MIB             (1024ull * 1024)
#define GIB             (1024ull * 1024 * 1024)

static const struct config_choice placements[] = {{"dedicated", 0}, {"shared", 1}, {NULL, 0}};
static const struct config_choice log_levels[] = {
    {"error", LOG_LEVEL_ERROR}, {"warning", LOG_LEVEL_WARNING}, {"notice", LOG_LEVEL_NOTICE},
    {"info", LOG_LEVEL_INFO},   {"debug", LOG_LEVEL_DEBUG},     {NULL, 0}};
static const struct config_choice pages[] = {
    {"auto", UMEM_PAGES_AUTO}, {"never", UMEM_PAGES_NEVER_HUGE}, {"require", UMEM_PAGES_HUGE}, {NULL, 0}};
static const struct config_choice modes[] = {
    {"auto", XDP_MODE_AUTO}, {"native", XDP_MODE_NATIVE}, {"generic", XDP_MODE_GENERIC}, {NULL, 0}};
static const struct config_choice copies[] = {
    {"auto", XSK_COPY_AUTO}, {"copy", XSK_COPY_COPY}, {"zerocopy", XSK_COPY_ZEROCOPY}, {NULL, 0}};
/* 0 and 1 are what this setting was when it was a switch. */
static const struct config_choice ecns[] = {{"off", 0}, {"on", 1}, {"accurate", 2}, {NULL, 0}};
static const struct config_choice ccs[] = {
    {"cubic", IX_CC_CUBIC}, {"newreno", IX_CC_NEWRENO}, {"dctcp", IX_CC_DCTCP}, {NULL, 0}};

static const struct config_choice rss_uses[] = {
    {"auto", RSS_AUTO}, {"keep", RSS_KEEP}, {"software", RSS_SOFTWARE}, {NULL, 0}};

static const struct config_choice transmit_uses[] = {
    {"auto", XDP_TRANSMIT_AUTO}, {"never", XDP_TRANSMIT_NEVER}, {NULL, 0}};

#define UINT(type, field, low, high, standard)                                                               \
	.kind = &config_kind_uint, AT(type, field), .min = (low), .max = (high), .initial = (standard)
#define BOOL(type, field, standard) .kind = &config_kind_bool, AT(type, field), .initial = (standard)
#define CHOICE(type, field, list, standard)                                                                  \
	.kind = &config_kind_choice, AT(type, field), .choices = (list), .initial = (standard)

static const struct config_key top_keys[] = {
    {.name = "interfaces", .kind = &config_kind_ifaces, .doc = "the interfaces to serve, names or groups"},
    {.name = "cores",
     .kind = &config_kind_cores,
     .min = 1,
     .max = IXD_CORES_MAX,
     .initial = 1,
     .doc = "how many core threads, or a list of the CPUs to pin them to"},
    {.name = "placement",
     CHOICE(struct config, runtime.is_shared_core, placements, 0),
     .doc = "whether applications run on other CPUs than the core threads or share them"},
    {.name = "batch",
     UINT(struct config, runtime.batch, 1, 1024, 64),
     .is_runtime = true,
     .doc = "most packets that a core takes in one turn"},
    {.name = "spin_us",
     UINT(struct config, runtime.spin_us, 0, 10000000, 50),
     .is_runtime = true,
     .doc = "microseconds that a core without work spins before it sleeps"},
    {.name = "ack_delay_us",
     /* RFC 9293 MUST-40: less than half a second, also where the core comes late to its timer. */
     UINT(struct config, runtime.ack_delay_us, 0, 400000, 50),
     .is_runtime = true,
     .doc = "microseconds that an acknowledgement waits for an answer to ride on"},
    {.name = "log_level",
     CHOICE(struct config, runtime.log_level, log_levels, LOG_LEVEL_INFO),
     .is_runtime = true,
     .doc = "what to log"},
    {.name = "policy",
     .kind = &config_kind_policies,
     .is_runtime = true,
     .doc = "who may listen on and connect to what; the first entry that fits a client decides"},
    {.name = "limits",
     .kind = &config_kind_limits,
     .is_runtime = true,
     .doc = "what clients get and may ask for when their policy does not say"},
    {.name = "tcp", .kind = &config_kind_tcp, .is_runtime = true, .doc = "the TCP engine"},
    {.name = "sizes", .kind = &config_kind_sizes, .doc = "sizes of tables and rings, fixed at start"},
    {.name = "hugepages",
     CHOICE(struct config, pages, pages, UMEM_PAGES_AUTO),
     .doc = "whether packet frames lie in huge pages"},
    {.name = "check_frames",
     BOOL(struct config, fixed.check_frames, 0),
     .doc = "watch who touches packet frames, and count it when it is not their owner; slow"},
    {.name = "ephemeral_first",
     UINT(struct config, ephemeral_first, 1024, 65535, 61000),
     .doc = "first local port of outgoing connections"},
    {.name = "ephemeral_last",
     UINT(struct config, ephemeral_last, 1024, 65535, 65535),
     .doc = "last local port of outgoing connections"},
    {.name = "dataplane_user",
     .kind = &config_kind_user,
     AT(struct config, dataplane_uid),
     .initial = 64901,
     .initial_text = "ixd-dataplane",
     .doc = "user of the dataplane process"},
    {.name = "control_user",
     .kind = &config_kind_user,
     AT(struct config, control_uid),
     .initial = 64902,
     .initial_text = "ixd-control",
     .doc = "user of the control process"},
    {.name = "socket_group",
     .kind = &config_kind_group,
     AT(struct config, socket_gid),
     .initial = 0,
     .initial_text = "ixd",
     .doc = "group of control.sock: who may look"},
    {.name = "admin_group",
     .kind = &config_kind_group,
     AT(struct config, admin_gid),
     .initial = CONFIG_NO_ID,
     .initial_text = "ixd-admin",
     .is_runtime = true,
     .doc = "group that may change things beside root"},
    {.name = "client_socket_mode",
     .kind = &config_kind_mode,
     AT(struct config, client_socket_mode),
     .initial = 0666,
     .doc = "mode of client.sock, octal; the policy decides who is admitted"},
    {.name = "control_socket_mode",
     .kind = &config_kind_mode,
     AT(struct config, control_socket_mode),
     .initial = 0660,
     .doc = "mode of control.sock, octal"},
    {.name = "hello_timeout_ms",
     UINT(struct config, hello_timeout_ms, 10, 60000, 2000),
     .is_runtime = true,
     .doc = "milliseconds in which a client must have said hello"},
    {.name = "watchdog_ms",
     UINT(struct config, watchdog_ms, 0, 600000, 10000),
     .is_runtime = true,
     .doc = "milliseconds without a sign of life after which the dataplane is replaced; 0: never"},
    {.name = "runtime_dir",
     .kind = &config_kind_path,
     AT(struct config, runtime_dir),
     .initial_text = "",
     .doc = "directory of the sockets"},
    {.name = "pin_dir",
     .kind = &config_kind_path,
     AT(struct config, pin_dir),
     .initial_text = "",
     .doc = "directory of the pinned BPF objects, in a BPF file system"},
};

static const struct config_key limits_keys[] = {
    {.name = "rx_bytes",
     UINT(struct config_grants, rx_bytes, 128 * KIB, 16 * GIB, 64 * MIB),
     .is_runtime = true,
     .doc = "memory for received bytes of a client that asks for no size"},
    {.name = "rx_bytes_max",
     UINT(struct config_grants, rx_bytes_max, 128 * KIB, 16 * GIB, 1 * GIB),
     .is_runtime = true,
     .doc = "most that a client may ask for"},
    {.name = "tx_bytes",
     UINT(struct config_grants, tx_bytes, 64 * KIB, 16 * GIB, 64 * MIB),
     .is_runtime = true,
     .doc = "memory for bytes to send of a client that asks for no size"},
    {.name = "tx_bytes_max",
     UINT(struct config_grants, tx_bytes_max, 64 * KIB, 16 * GIB, 1 * GIB),
     .is_runtime = true,
     .doc = "most that a client may ask for"},
    {.name = "cmd_slots",
     UINT(struct config_grants, cmd_slots, 16, 65536, 2048),
     .is_power_of_two = true,
     .is_runtime = true,
     .doc = "slots of a command ring when a client asks for no number"},
    {.name = "cmd_slots_max",
     UINT(struct config_grants, cmd_slots_max, 16, 65536, 16384),
     .is_power_of_two = true,
     .is_runtime = true,
     .doc = "most that a client may ask for"},
    {.name = "evt_slots",
     UINT(struct config_grants, evt_slots, 16, 65536, 4096),
     .is_power_of_two = true,
     .is_runtime = true,
     .doc = "slots of an event ring when a client asks for no number"},
    {.name = "evt_slots_max",
     UINT(struct config_grants, evt_slots_max, 16, 65536, 16384),
     .is_power_of_two = true,
     .is_runtime = true,
     .doc = "most that a client may ask for"},
    {.name = "connections",
     UINT(struct config_grants, connections_max, 1, 1u << 24, 1u << 20),
     .is_runtime = true,
     .doc = "connections of one client at one time"},
    {.name = "listeners",
     UINT(struct config_grants, listeners_max, 1, IXD_LISTENERS_MAX, 64),
     .is_runtime = true,
     .doc = "listeners of one client at one time"},
    {.name = "clients",
     UINT(struct config_grants, clients_max, 1, IXD_CLIENTS_MAX, 64),
     .is_runtime = true,
     .doc = "clients of one user at one time"},
};

static const struct config_key tcp_keys[] = {
    {.name = "cc",
     CHOICE(struct config, runtime.cc, ccs, IX_CC_CUBIC),
     .is_runtime = true,
     .doc = "congestion control of connections that do not choose"},
    {.name = "timestamps",
     BOOL(struct config, runtime.timestamps, 1),
     .is_runtime = true,
     .doc = "RFC 7323 timestamps"},
    {.name = "sack",
     BOOL(struct config, runtime.sack, 1),
     .is_runtime = true,
     .doc = "selective acknowledgements"},
    {.name = "window_scaling",
     BOOL(struct config, runtime.window_scaling, 1),
     .is_runtime = true,
     .doc = "RFC 7323 window scaling"},
    {.name = "ecn",
     CHOICE(struct config, runtime.ecn, ecns, 0),
     .is_runtime = true,
     .doc = "explicit congestion notification, RFC 3168 or also RFC 9768; true is \"on\", false is \"off\""},
    {.name = "fast_open",
     BOOL(struct config, runtime.fast_open, 0),
     .is_runtime = true,
     .doc = "RFC 7413 data in SYNs, for listeners and connects that ask for it"},
    {.name = "rto_min_us",
     UINT(struct config, runtime.rto_min_us, 1000, 1000000, 200000),
     .is_runtime = true,
     .doc = "shortest retransmission timeout, microseconds"},
    {.name = "linger_ms",
     UINT(struct config, runtime.linger_ms, 0, 3600000, 60000),
     .is_runtime = true,
     .doc = "milliseconds that unsent data of a client that is gone may still be tried"},
    {.name = "syn_backlog",
     UINT(struct config, runtime.syn_backlog, 1, 1u << 20, 1024),
     .is_runtime = true,
     .doc = "half-open connections of a core over all listeners"},
    {.name = "challenge_acks_per_s",
     UINT(struct config, runtime.challenge_acks_per_s, 1, 1000000, 1000),
     .is_runtime = true,
     .doc = "challenge ACKs of a core in one second (RFC 5961), at least; up to twice as many, by chance"},
    {.name = "keepalive_idle_s",
     UINT(struct config, runtime.keepalive_idle_s, 1, 1000000, 7200),
     .is_runtime = true,
     .doc = "seconds of silence before a connection that asks for keepalives is probed"},
    {.name = "keepalive_interval_s",
     UINT(struct config, runtime.keepalive_interval_s, 1, 3600, 75),
     .is_runtime = true,
     .doc = "seconds between keepalive probes that are not answered; after nine of them the connection ends"},
    {.name = "ttl",
     UINT(struct config, runtime.ttl, 1, 255, 64),
     .is_runtime = true,
     .doc = "time to live of IP packets"},
    {.name = "dscp",
     UINT(struct config, runtime.dscp, 0, 63, 0),
     .is_runtime = true,
     .doc = "differentiated services codepoint of IP packets"},
    {.name = "rx_window_initial",
     UINT(struct config, fixed.rx_window_initial_bytes, 4 * KIB, 64 * MIB, 64 * KIB),
     .doc = "receive window of a new connection"},
    {.name = "rx_window_max",
     UINT(struct config, fixed.rx_window_max_bytes, 4 * KIB, 512 * MIB, 6 * MIB),
     .doc = "what the receive window of a connection may grow to"},
    {.name = "send_buffer",
     UINT(struct config, fixed.send_buffer_bytes, 4 * KIB, 1 * GIB, 4 * MIB),
     .doc = "bytes of one connection that may be given to sendv and not yet be acknowledged"},
};

static const struct config_key sizes_keys[] = {
    {.name = "frames_per_core",
     UINT(struct config, fixed.frames_per_core, 0, 1u << 20, 0),
     .doc = "packet frames of 2048 bytes for each core; 0: enough for its rings"},
    {.name = "ring_slots",
     UINT(struct config, fixed.xsk_ring_slots, 64, 32768, 2048),
     .is_power_of_two = true,
     .doc = "slots of each ring of an AF_XDP socket"},
    {.name = "connections_per_core",
     UINT(struct config, fixed.conns_per_core, 16, 1u << 22, 16384),
     .doc = "connection records of each core"},
    {.name = "time_waits_per_core",
     UINT(struct config, fixed.time_waits_per_core, 16, 1u << 22, 16384),
     .doc = "records for connections in TIME_WAIT"},
    {.name = "syn_backlog_per_core",
     UINT(struct config, fixed.syn_backlog_max_per_core, 1, 1u << 20, 4096),
     .doc = "the most that tcp.syn_backlog can be"},
    {.name = "sent_records_per_core",
     UINT(struct config, fixed.sent_records_per_core, 64, 1u << 24, 65536),
     .doc = "records of segments that are not acknowledged"},
    {.name = "ooo_records_per_core",
     UINT(struct config, fixed.ooo_records_per_core, 16, 1u << 22, 8192),
     .doc = "records of ranges received out of order"},
    {.name = "send_chunks_per_core",
     UINT(struct config, fixed.send_chunks_per_core, 64, 1u << 24, 65536),
     .doc = "pieces given to sendv that are not acknowledged"},
    {.name = "flow_groups",
     UINT(struct config, fixed.flow_groups, 1, IXD_FLOW_GROUPS, IXD_FLOW_GROUPS),
     .is_power_of_two = true,
     .doc = "groups of flows that are steered together"},
};

static const struct config_key iface_keys[] = {
    {.name = "name",
     .kind = &config_kind_text,
     AT(struct config_iface, name),
     .initial_text = "",
     .doc = "the interface"},
    {.name = "queues",
     UINT(struct config_iface, queues, 0, IXD_QUEUES_MAX, 0),
     .doc = "receive queues to use, from 0; 0: all"},
    {.name = "mode",
     CHOICE(struct config_iface, mode, modes, XDP_MODE_AUTO),
     .doc = "where the XDP program runs: in the driver or in the generic path"},
    {.name = "copy",
     CHOICE(struct config_iface, copy, copies, XSK_COPY_AUTO),
     .doc = "whether the driver writes packets straight into ixd's frames; auto: where it can, but "
	    "not with virtio_net loaded as a module, which may lose what it sends so"},
    {.name = "rss",
     CHOICE(struct config_iface, rss, rss_uses, RSS_AUTO),
     .doc =
	 "whether the interface's RSS table is used and may be set so that flows come to their core's queue; "
	 "keep: used, not set; software: neither"},
    {.name = "xdp_transmit",
     CHOICE(struct config_iface, xdp_transmit, transmit_uses, XDP_TRANSMIT_AUTO),
     .doc = "whether bursts may leave by an XDP program, which costs less than AF_XDP sockets in copy mode; "
	    "auto: on veth, while its other end can take them"},
};

const struct config_section config_section_top = {"", top_keys, SIZE_OF(top_keys)};
const struct config_section config_section_limits = {"limits", limits_keys, SIZE_OF(limits_keys)};
const struct config_section config_section_tcp = {"tcp", tcp_keys, SIZE_OF(tcp_keys)};
const struct config_section config_section_sizes = {"sizes", sizes_keys, SIZE_OF(sizes_keys)};
const struct config_section config_section_iface = {"interfaces", iface_keys, SIZE_OF(iface_keys)};
const struct config_section *const config_sections[] = {&config_section_top, &config_section_limits,
							&config_section_tcp, &config_section_sizes,
							&config_section_iface};
const size_t config_sections_count = SIZE_OF(config_sections);
