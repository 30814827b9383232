/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A new configuration while running: the whole file is read and checked, the difference shown, and taken over
 * as one change, or nothing is changed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "daemon/common/log.h"
#include "daemon/supervisor/supervisor.h"

struct saying {
	void (*say)(void *arg, const char *text);
	void *arg;
	const char *path;
	bool only_static; /* lists what is in the way */
};

__attribute__((format(printf, 2, 3))) static void say(const struct saying *saying, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	if (length >= 0)
		saying->say(saying->arg, text);
	free(text);
}

static void on_difference(void *arg, const char *path, const char *old_value, const char *new_value,
			  bool is_runtime)
{
	const struct saying *saying = arg;

	if (!saying->only_static) {
		say(saying, "%s: %s -> %s", path, old_value ? old_value : "(none)",
		    new_value ? new_value : "(none)");
		return;
	}
	if (is_runtime)
		return;
	unsigned line = config_line_of(saying->path, path);
	if (line > 0)
		say(saying, "%s:%u: %s cannot change while ixd runs", saying->path, line, path);
	else
		say(saying, "%s: %s, which the file does not say, cannot change while ixd runs", saying->path,
		    path);
}

/* What may change is copied; what was completed at start (fixed, directories) stays. */
static void take_over(struct supervisor *supervisor, struct config *next)
{
	struct config *config = supervisor->config;
	struct static_config fixed = config->fixed;
	struct msg m = {.type = MSG_DP_CONFIG};

	*config = *next;
	config->fixed = fixed;
	supervisor->log_level_said = next->runtime.log_level;
	if (supervisor->is_debug)
		config->runtime.log_level = LOG_LEVEL_DEBUG;
	m.config = config->runtime;
	log_set_level((enum log_level)config->runtime.log_level);
	dataplane_tell(supervisor, &m, NULL, 0);
	m.type = MSG_CTL_CONFIG;
	control_tell(supervisor, &m, NULL, 0);
	clients_apply_policy(supervisor);
	publish_config(supervisor, true);
}

/* Differences are looked for in what the files say, not in what the start made of it. */
static int compare_and_take(struct supervisor *supervisor, struct config *next, struct saying *saying)
{
	unsigned static_count;
	struct config said = *supervisor->config;

	said.runtime.log_level = supervisor->log_level_said;
	said.fixed.frames_per_core = supervisor->frames_per_core_said;
	int count = config_diff(&said, next, on_difference, saying, &static_count);
	if (count < 0)
		return count;
	if (static_count > 0) {
		saying->only_static = true;
		config_diff(&said, next, on_difference, saying, &static_count);
		say(saying,
		    "nothing was changed: restart ixd for the new values of these, or take them back");
		return -EBUSY;
	}
	if (count == 0) {
		say(saying, "no difference");
		return 0;
	}
	take_over(supervisor, next);
	say(saying, "%d setting%s changed", count, count == 1 ? "" : "s");
	return 0;
}

int reconfigure(struct supervisor *supervisor, void (*on_text)(void *arg, const char *text), void *arg)
{
	struct saying saying = {.say = on_text, .arg = arg, .path = supervisor->config_path};
	struct config *next;
	struct why why = {""};

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(monotonic_ns() / 1000));
	int error = config_load(supervisor->config_path, &next, &why);
	if (error) {
		say(&saying, "%s", why.text);
		say(&saying, "nothing was changed");
	} else {
		error = compare_and_take(supervisor, next, &saying);
		config_free(next);
	}
	log_notice("reconfigure: %s", error ? "refused, nothing was changed" : "done");
	sd_notify(0, "READY=1");
	return error;
}

struct answer {
	struct supervisor *supervisor;
	uint32_t id;
};

static void answer_send(const struct answer *answer, const char *text, int outcome, bool is_last)
{
	struct msg m = {.type = MSG_CTL_REPLY};

	m.reply.id = answer->id;
	m.reply.outcome = outcome;
	m.reply.is_last = is_last;
	m.reply.text_len = (uint32_t)snprintf(m.reply.text, sizeof(m.reply.text), "%s", text);
	if (m.reply.text_len >= sizeof(m.reply.text))
		m.reply.text_len = sizeof(m.reply.text) - 1;
	control_tell(answer->supervisor, &m, NULL, 0);
}

/* One line may be longer than a message. */
static void answer_line(void *arg, const char *text)
{
	const size_t most = REPLY_TEXT_SIZE - 2;

	for (; strlen(text) > most; text += most) {
		char piece[REPLY_TEXT_SIZE];
		memcpy(piece, text, most);
		piece[most] = '\0';
		answer_send(arg, piece, 0, false);
	}
	char line[REPLY_TEXT_SIZE];
	snprintf(line, sizeof(line), "%.*s\n", (int)most, text);
	answer_send(arg, line, 0, false);
}

/* Control could pass its end of the socketpair to us, or the listener: their credentials are those of root,
 * who made them. What it may pass is a connection that the listener accepted, which bears its address. */
static bool is_asker(const struct supervisor *supervisor, int fd)
{
	struct sockaddr_un asked = {0}, ours = {0};
	socklen_t asked_bytes = sizeof(asked), ours_bytes = sizeof(ours), length = sizeof(int);
	int is_listening = 1;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) == 0 && !is_listening &&
	       getsockname(fd, (struct sockaddr *)&asked, &asked_bytes) == 0 &&
	       getsockname(supervisor->control_listener_fd, (struct sockaddr *)&ours, &ours_bytes) == 0 &&
	       asked_bytes == ours_bytes && asked_bytes > offsetof(struct sockaddr_un, sun_path) &&
	       memcmp(&asked, &ours, sizeof(ours)) == 0;
}

/* The control process is not believed: the kernel says who asks. */
static bool may_change(const struct supervisor *supervisor, int asker_fd)
{
	uint32_t pid, uid, gid, *gids = NULL, gids_count = 0;
	bool may = false;

	if (is_asker(supervisor, asker_fd) &&
	    peer_identify(asker_fd, &pid, &uid, &gid, &gids, &gids_count) == 0)
		may = uid == 0;
	for (uint32_t i = 0; i < gids_count && supervisor->config->admin_gid != CONFIG_NO_ID; i++)
		may |= gids[i] == supervisor->config->admin_gid;
	free(gids);
	return may;
}

void reconfigure_on_request(struct supervisor *supervisor, uint32_t id, int asker_fd)
{
	struct answer answer = {.supervisor = supervisor, .id = id};

	if (!may_change(supervisor, asker_fd)) {
		answer_send(&answer, "only root and the admin_group of the configuration may change things\n",
			    -EACCES, true);
		return;
	}
	int outcome = reconfigure(supervisor, answer_line, &answer);
	answer_send(&answer, "", outcome, true);
}

void who_on_request(struct supervisor *supervisor, uint32_t id, int asker_fd)
{
	struct answer answer = {.supervisor = supervisor, .id = id};
	uint32_t pid, uid, gid, *gids, gids_count;

	if (peer_identify(asker_fd, &pid, &uid, &gid, &gids, &gids_count) != 0)
		uid = UINT32_MAX;
	free(gids);
	answer_send(&answer, "", (int)uid, true);
}
