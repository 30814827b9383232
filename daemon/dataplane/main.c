/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ixd-dataplane: started by the supervisor with one end of a socketpair as descriptor 3, as its own user,
 * without capabilities. Takes over memories and sockets, locks itself in, starts one pinned thread per core,
 * and goes on as the messenger between them and the supervisor.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/common/sandbox.h"
#include "daemon/common/sandbox_filter.h"
#include "daemon/dataplane/dispatch.h"
#include "daemon/dataplane/loop.h"
#include "daemon/dataplane/mailbox.h"
#include "daemon/dataplane/setup.h"

#define CPU_ANY 0xffff

static void *core_thread(void *arg)
{
	struct core *core = arg;
	struct mail mail = {.type = MAIL_STARTED};
	char name[16];

	snprintf(name, sizeof(name), "core %u", core->id);
	pthread_setname_np(pthread_self(), name);
	/* Timers to the microsecond: the default slack is longer than a delayed ACK. */
	prctl(PR_SET_TIMERSLACK, 1);
	mail.outcome = core_start(core);
	core_tell(core, &mail);
	if (mail.outcome == 0)
		loop_run(core);
	return NULL;
}

static pthread_t thread_start(struct core *core)
{
	uint16_t cpu = core->dp->init->fixed.cpu[core->id];
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t cpus;
	int r;

	pthread_attr_init(&attr);
	if (cpu != CPU_ANY) {
		if (cpu >= CPU_SETSIZE)
			fatal("core %u: there is no CPU %u, the highest number is %d", core->id, cpu,
			      CPU_SETSIZE - 1);
		CPU_ZERO(&cpus);
		CPU_SET(cpu, &cpus);
		pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	}
	r = pthread_create(&thread, &attr, core_thread, core);
	if (r != 0)
		fatal("core %u cannot run on CPU %u: %s; choose CPUs that this service may use", core->id,
		      cpu, strerror(r));
	pthread_attr_destroy(&attr);
	return thread;
}

static void ready_tell(const struct dataplane *dp)
{
	struct msg m = {.type = MSG_SUP_READY};
	int r = msg_send(dp->supervisor_fd, &m, NULL, 0);

	if (r < 0)
		fatal("cannot tell the supervisor that the dataplane is ready: %s", strerror(-r));
}

static void signals_set(void)
{
	/* A service manager signals the whole group; the supervisor decides when the dataplane stops, by a
	 * message. A peer that is gone is an error code, not a signal. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

static void socket_check(void)
{
	struct stat st;

	if (fstat(MSG_CHILD_FD, &st) < 0 || !S_ISSOCK(st.st_mode))
		fatal("ixd-dataplane is started by ixd, not by hand");
}

int main(void)
{
	static struct dataplane dp;
	static pthread_t threads[IXD_CORES_MAX];
	static const int keep[] = {MSG_CHILD_FD};
	enum sandbox_root root;
	int r;

	log_init("dataplane", "");
	signals_set();
	socket_check();
	r = sandbox_close_fds(keep, 1);
	if (r < 0)
		fatal("cannot close inherited descriptors: %s", strerror(-r));
	dp.supervisor_fd = MSG_CHILD_FD;
	fcntl(MSG_CHILD_FD, F_SETFD, FD_CLOEXEC);
	dp.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dp.wake_fd < 0)
		fatal("eventfd: %s", strerror(errno));
	setup_receive(&dp);
	r = sandbox_enter(&root);
	if (r < 0)
		fatal("cannot enter the sandbox: %s; it needs a user other than root and either user "
		      "namespaces "
		      "(sysctl user.max_user_namespaces) or Landlock",
		      strerror(-r));
	r = sandbox_filter_sockets(MSG_CHILD_FD);
	if (r < 0)
		fatal("cannot filter system calls: %s; the kernel needs CONFIG_SECCOMP_FILTER", strerror(-r));
	/* Connections' keys are in memory: no core dump, no ptrace. */
	prctl(PR_SET_DUMPABLE, 0);
	for (uint32_t i = 0; i < dp.cores; i++)
		threads[i] = thread_start(dp.core[i]);
	r = dispatch_wait_started(&dp);
	if (r < 0)
		fatal("a core cannot start: %s", strerror(-r));
	ready_tell(&dp);
	log_info("%u core%s run%s in the sandbox: %s", dp.cores, dp.cores == 1 ? "" : "s",
		 dp.cores == 1 ? "s" : "", sandbox_root_name(root));
	/* Our end only: the main thread must go on when the supervisor is slow to read. */
	fcntl(MSG_CHILD_FD, F_SETFL, O_NONBLOCK);
	if (!dispatch_run(&dp))
		_exit(1); /* the supervisor is gone, and with it everything that this process is for */
	for (uint32_t i = 0; i < dp.cores; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
