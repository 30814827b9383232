/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two unprivileged processes: started, told what they need, watched, and started again when they end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/common/rights.h"
#include "daemon/supervisor/supervisor.h"

#define WATCHDOG_TICK_NS  (NS_PER_S / 2)
#define START_PATIENCE_NS (10 * NS_PER_S)
#define STOP_PATIENCE_NS  (3 * NS_PER_S)
#define DEAF_PATIENCE_NS  NS_PER_S
#define STEADY_NS         (10 * NS_PER_S) /* a process that ran for so long is started again at once */
#define BACK_OFF_FIRST_MS 100
#define BACK_OFF_MOST_MS  5000

static void on_exit_readable(void *arg);

static void init_message(const struct supervisor *supervisor, const struct process *process, struct msg *m)
{
	memset(m, 0, sizeof(*m));
	m->init.version = MSG_VERSION;
	memcpy(m->init.instance, supervisor->instance.name, sizeof(m->init.instance));
	m->init.fixed = supervisor->config->fixed;
	m->init.config = supervisor->config->runtime;
	m->init.state_bytes = supervisor->state.bytes;
	m->init.umem_bytes = supervisor->umem.bytes;
	m->init.stats_bytes = supervisor->stats.bytes;
	m->init.mirror_bytes = supervisor->mirror.bytes;
	m->init.view_bytes = supervisor->view.bytes;
	m->init.is_restart = process->child.starts > 1;
	m->init.epoch = process->child.starts;
	m->init.admin_gid = supervisor->config->admin_gid;
}

static int introduce_dataplane(struct process *process)
{
	struct supervisor *supervisor = process->supervisor;
	int fds[MSG_DP_INIT_FDS + MSG_DP_TRANSMIT_FDS] = {supervisor->state.fd,
							  supervisor->keys.readonly_fd,
							  supervisor->umem.fd,
							  supervisor->stats.fd,
							  supervisor->mirror.readonly_fd,
							  bpf_set_ephemeral_fd(supervisor->bpf),
							  bpf_set_flow_groups_fd(supervisor->bpf)};
	unsigned fds_count = MSG_DP_INIT_FDS;
	struct why why = {""};
	struct msg m;

	if (process->child.starts > 1)
		ifaces_before_dataplane(supervisor);
	init_message(supervisor, process, &m);
	m.type = MSG_DP_INIT;
	m.init.has_new_sockets = m.init.is_restart && supervisor->are_xsks_late;
	if (process->child.starts > 1 && xsks_renew(supervisor, &why) != 0) {
		log_error("%s", why.text);
		return -EIO;
	}
	if (supervisor->transmit != NULL) {
		transmit_program_fds(supervisor->transmit, fds + MSG_DP_INIT_FDS);
		fds_count += MSG_DP_TRANSMIT_FDS;
	}
	int error = child_send(&process->child, &m, fds, fds_count);
	for (uint32_t i = 0; i < supervisor->config->ifaces_count && !error; i++)
		error = xsks_send(supervisor, &process->child, i);
	m = (struct msg){.type = MSG_DP_START};
	return error ? error : child_send(&process->child, &m, NULL, 0);
}

static int introduce_control(struct process *process)
{
	struct supervisor *supervisor = process->supervisor;
	const int fds[] = {supervisor->state.readonly_fd,          supervisor->stats.readonly_fd,
			   supervisor->mirror.readonly_fd,         supervisor->view.readonly_fd,
			   bpf_set_verdicts_fd(supervisor->bpf),   supervisor->control_listener_fd,
			   bpf_set_flow_groups_fd(supervisor->bpf)};
	struct msg m;

	init_message(supervisor, process, &m);
	m.type = MSG_CTL_INIT;
	return child_send(&process->child, &m, fds, sizeof(fds) / sizeof(fds[0]));
}

static int process_start(struct process *process, struct why *why)
{
	struct supervisor *supervisor = process->supervisor;
	int error = child_start(&process->child, supervisor->instance.name, why);

	if (error)
		return error;
	process->is_ready = process->is_condemned = false;
	process->deaf_since_ns = 0;
	if (process == &supervisor->dataplane)
		rights_refuse(process->child.socket_fd); /* it has none to send */
	process->exit_watch =
	    loop_watch_add(&supervisor->loop, process->child.pid_fd, on_exit_readable, process);
	process->socket_watch = loop_watch_add(
	    &supervisor->loop, process->child.socket_fd,
	    process == &supervisor->dataplane ? messages_from_dataplane : messages_from_control, process);
	if (process->exit_watch == NULL || process->socket_watch == NULL)
		error = why_set(why, -ENOMEM, "%s: out of memory", process->child.program);
	else if (process->introduce(process) != 0)
		/* It ended or hangs already: its exit, or the watchdog, says so. */
		log_warning("%s does not take its first messages", process->child.program);
	publish_processes(supervisor);
	return error;
}

static void process_start_again(void *arg)
{
	struct process *process = arg;
	struct why why = {""};

	if (process->supervisor->is_stopping)
		return;
	if (process_start(process, &why) != 0) {
		log_error("%s; trying again in %d ms", why.text, BACK_OFF_MOST_MS);
		loop_timer_set(&process->supervisor->loop, &process->restart,
			       monotonic_ns() + BACK_OFF_MOST_MS * NS_PER_MS);
	}
}

/* How long to wait: nothing after a long life, ever longer when it dies again and again. */
static uint64_t back_off_ms(struct process *process)
{
	if (monotonic_ns() - process->child.started_ns > STEADY_NS)
		process->back_off_ms = 0;
	uint64_t wait_ms = process->back_off_ms;
	process->back_off_ms = wait_ms ? wait_ms * 2 : BACK_OFF_FIRST_MS;
	if (process->back_off_ms > BACK_OFF_MOST_MS)
		process->back_off_ms = BACK_OFF_MOST_MS;
	return wait_ms;
}

static void stop_when_all_ended(struct supervisor *supervisor)
{
	if (supervisor->dataplane.child.pid == 0 && supervisor->control.child.pid == 0)
		supervisor->loop.must_stop = true;
}

static void on_exit_readable(void *arg)
{
	struct process *process = arg;
	struct supervisor *supervisor = process->supervisor;
	const char *program = process->child.program;
	long pid = process->child.pid;
	char text[64];

	/* What it said before it ended still counts. */
	if (process == &supervisor->dataplane)
		messages_from_dataplane(process);
	else
		messages_from_control(process);
	loop_watch_remove(&supervisor->loop, process->exit_watch);
	loop_watch_remove(&supervisor->loop, process->socket_watch);
	process->exit_watch = process->socket_watch = NULL;
	child_reap(&process->child, text, sizeof(text));
	process->is_ready = false;
	publish_processes(supervisor);
	if (supervisor->is_stopping) {
		stop_when_all_ended(supervisor);
		return;
	}
	if (!process->has_been_ready) {
		log_error("%s (process %ld) %s before it was ready; ixd cannot start", program, pid, text);
		supervisor->exit_code = 1;
		processes_stop(supervisor);
		return;
	}
	uint64_t wait_ms = back_off_ms(process);
	log_error("%s (process %ld) %s; starting it again %s (restart %u)", program, pid, text,
		  wait_ms ? "after a pause" : "at once", process->child.starts);
	loop_timer_set(&supervisor->loop, &process->restart, monotonic_ns() + wait_ms * NS_PER_MS);
}

void process_condemn(struct process *process, const char *reason)
{
	if (process->is_condemned)
		return;
	log_error("%s (process %d) %s; killing it", process->child.program, (int)process->child.pid, reason);
	process->is_ready = false;
	process->is_condemned = true;
	child_kill(&process->child);
}

static void watch_start(struct process *process, uint64_t now_ns)
{
	if (process->child.pid != 0 && !process->is_ready && !process->is_condemned &&
	    now_ns - process->child.started_ns > START_PATIENCE_NS)
		process_condemn(process, "is not ready 10 seconds after its start");
	/* One that ends closes its socket, too, but then its exit is seen at once. */
	if (process->child.pid != 0 && process->deaf_since_ns != 0 &&
	    now_ns - process->deaf_since_ns > DEAF_PATIENCE_NS)
		process_condemn(process, "has closed its socket and lives on");
}

/* A moment that much later, but not in the future. */
static uint64_t later(uint64_t ns, uint64_t by_ns, uint64_t now_ns)
{
	return now_ns - ns > by_ns ? ns + by_ns : now_ns;
}

/* Time counts against others only as far as we have watched them. Where all processes were stopped (a frozen
 * service, a paused machine), or a system call of ours took long, they have said nothing meanwhile, or it has
 * not been heard yet. */
static void watch_excuse(struct supervisor *supervisor, uint64_t lost_ns, uint64_t now_ns)
{
	supervisor->alive_ns = later(supervisor->alive_ns, lost_ns, now_ns);
	for (uint32_t i = 0; i < supervisor->config->fixed.cores; i++)
		supervisor->progress_ns[i] = later(supervisor->progress_ns[i], lost_ns, now_ns);
}

static void on_watchdog(void *arg)
{
	struct supervisor *supervisor = arg;
	uint64_t now_ns = monotonic_ns();
	uint64_t due_ns = supervisor->watched_ns + WATCHDOG_TICK_NS;
	uint64_t lost_ns = now_ns > due_ns ? now_ns - due_ns : 0;
	uint64_t patience_ns = supervisor->config->watchdog_ms * NS_PER_MS;
	uint64_t oldest_ns;

	loop_timer_set(&supervisor->loop, &supervisor->watchdog, now_ns + WATCHDOG_TICK_NS);
	supervisor->watched_ns = now_ns;
	watch_excuse(supervisor, lost_ns, now_ns);
	/* At the next look what they have said meanwhile has been heard. */
	if (lost_ns < WATCHDOG_TICK_NS) {
		watch_start(&supervisor->dataplane, now_ns);
		watch_start(&supervisor->control, now_ns);
	}
	oldest_ns = supervisor->alive_ns;
	if (patience_ns == 0 || !supervisor->dataplane.is_ready)
		return;
	for (uint32_t i = 0; i < supervisor->config->fixed.cores; i++)
		if (supervisor->progress_ns[i] < oldest_ns)
			oldest_ns = supervisor->progress_ns[i];
	if (now_ns - oldest_ns > patience_ns)
		process_condemn(&supervisor->dataplane, "has a core that makes no progress");
}

void dataplane_is_alive(struct supervisor *supervisor, const struct msg *m)
{
	supervisor->alive_ns = monotonic_ns();
	for (uint32_t i = 0; i < supervisor->config->fixed.cores; i++) {
		if (supervisor->progress_turns[i] == m->alive.turns[i])
			continue;
		supervisor->progress_turns[i] = m->alive.turns[i];
		supervisor->progress_ns[i] = supervisor->alive_ns;
	}
}

void dataplane_is_ready(struct supervisor *supervisor)
{
	struct process *dataplane = &supervisor->dataplane;
	struct why why = {""};

	if (dataplane->is_ready)
		return;
	if (xsks_bind(supervisor, &why) != 0) {
		log_error("%s", why.text);
		process_condemn(dataplane, "cannot have its sockets");
		return;
	}
	dataplane->is_ready = dataplane->has_been_ready = true;
	supervisor->alive_ns = monotonic_ns();
	for (uint32_t i = 0; i < IXD_CORES_MAX; i++)
		supervisor->progress_ns[i] = supervisor->alive_ns;
	publish_processes(supervisor);
	if (dataplane->child.starts > 1)
		log_notice(
		    "dataplane runs again (process %d, %llu ms after its start)", (int)dataplane->child.pid,
		    (unsigned long long)((supervisor->alive_ns - dataplane->child.started_ns) / NS_PER_MS));
	clients_introduce(supervisor);
	listeners_introduce(supervisor);
	processes_announce(supervisor);
	ifaces_check(supervisor);
}

void processes_announce(struct supervisor *supervisor)
{
	if (!supervisor->dataplane.is_ready || !supervisor->control.is_ready || supervisor->is_announced)
		return;
	supervisor->is_announced = true;
	log_notice("instance %s is ready", supervisor->instance.name);
	sd_notifyf(0, "READY=1\nSTATUS=%u cores, %u queues, clients at %s", supervisor->config->fixed.cores,
		   supervisor->config->fixed.queues, supervisor->instance.client_socket);
}

static bool process_tell(struct process *process, const struct msg *m, const int *fds, unsigned fds_count)
{
	if (!process->is_ready)
		return false;
	int error = child_send(&process->child, m, fds, fds_count);
	if (error == -EAGAIN)
		process_condemn(process, "takes no messages");
	return error == 0;
}

bool dataplane_tell(struct supervisor *supervisor, const struct msg *m, const int *fds, unsigned fds_count)
{
	return process_tell(&supervisor->dataplane, m, fds, fds_count);
}

bool control_tell(struct supervisor *supervisor, const struct msg *m, const int *fds, unsigned fds_count)
{
	return process_tell(&supervisor->control, m, fds, fds_count);
}

/* Shows systemd's watchdog that the loop turns and the cores make progress: when the dataplane is being
 * replaced that is progress, too. */
static void on_notify(void *arg)
{
	struct supervisor *supervisor = arg;

	sd_notify(0, "WATCHDOG=1");
	loop_timer_set(&supervisor->loop, &supervisor->notify_timer,
		       monotonic_ns() + supervisor->notify_period_ns);
}

static void process_prepare(struct supervisor *supervisor, struct process *process, const char *program,
			    uint32_t uid, uint32_t gid)
{
	process->supervisor = supervisor;
	process->child =
	    (struct child){.program = program, .uid = uid, .gid = gid, .pid_fd = -1, .socket_fd = -1};
	process->restart.on_time = process_start_again;
	process->restart.arg = process;
}

int processes_start(struct supervisor *supervisor, struct why *why)
{
	const struct config *config = supervisor->config;
	uint64_t watchdog_us = 0;

	process_prepare(supervisor, &supervisor->dataplane, "ixd-dataplane", config->dataplane_uid,
			config->dataplane_gid);
	process_prepare(supervisor, &supervisor->control, "ixd-control", config->control_uid,
			config->control_gid);
	supervisor->dataplane.introduce = introduce_dataplane;
	supervisor->control.introduce = introduce_control;
	supervisor->watchdog.on_time = on_watchdog;
	supervisor->watchdog.arg = supervisor;
	supervisor->watched_ns = monotonic_ns();
	loop_timer_set(&supervisor->loop, &supervisor->watchdog, supervisor->watched_ns + WATCHDOG_TICK_NS);
	if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
		supervisor->notify_period_ns = watchdog_us * 1000 / 2;
		supervisor->notify_timer.on_time = on_notify;
		supervisor->notify_timer.arg = supervisor;
		loop_timer_set(&supervisor->loop, &supervisor->notify_timer, monotonic_ns());
	}
	int error = process_start(&supervisor->dataplane, why);
	return error ? error : process_start(&supervisor->control, why);
}

static void on_stop_time(void *arg)
{
	struct supervisor *supervisor = arg;

	log_warning("children did not finish within %llu s; killing them", STOP_PATIENCE_NS / NS_PER_S);
	child_kill(&supervisor->dataplane.child);
	child_kill(&supervisor->control.child);
}

/* A child that is not ready yet has not even begun to listen. */
static void process_stop(struct process *process, enum msg_type type)
{
	const struct msg m = {.type = type};

	loop_timer_clear(&process->restart);
	if (!process->is_ready || child_send(&process->child, &m, NULL, 0) != 0)
		child_kill(&process->child);
}

void processes_stop(struct supervisor *supervisor)
{
	if (supervisor->is_stopping)
		return;
	supervisor->is_stopping = true;
	sd_notify(0, "STOPPING=1");
	process_stop(&supervisor->dataplane, MSG_DP_STOP);
	process_stop(&supervisor->control, MSG_CTL_STOP);
	supervisor->stop_timer.on_time = on_stop_time;
	supervisor->stop_timer.arg = supervisor;
	loop_timer_set(&supervisor->loop, &supervisor->stop_timer, monotonic_ns() + STOP_PATIENCE_NS);
	stop_when_all_ended(supervisor);
}

void processes_undo(struct supervisor *supervisor)
{
	struct process *processes[] = {&supervisor->dataplane, &supervisor->control};
	char text[64];

	for (size_t i = 0; i < 2; i++) {
		if (processes[i]->child.pid == 0)
			continue;
		child_kill(&processes[i]->child);
		loop_watch_remove(&supervisor->loop, processes[i]->exit_watch);
		loop_watch_remove(&supervisor->loop, processes[i]->socket_watch);
		child_reap(&processes[i]->child, text, sizeof(text));
	}
}
