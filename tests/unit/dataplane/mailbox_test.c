/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mail between two threads: order, fullness, the wakeup, and the share that clients may use up.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/dataplane/mailbox.h"

Test(mailbox, in_order_until_full)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct mailbox *box = mailbox_new(8, fd);
	struct mail mail = {.type = MAIL_CLIENT_DEL};

	cr_assert(mailbox_is_empty(box));
	for (uint32_t round = 0; round < 100; round++) {
		for (uint32_t i = 0; i < 8; i++) {
			cr_assert_eq(mailbox_room(box), 8 - i);
			mail.client = round * 8 + i;
			cr_assert(mailbox_post(box, &mail));
		}
		cr_assert_not(mailbox_post(box, &mail));
		for (uint32_t i = 0; i < 8; i++) {
			cr_assert(mailbox_take(box, &mail));
			cr_assert_eq(mail.client, round * 8 + i);
		}
		cr_assert_not(mailbox_take(box, &mail));
	}
	mailbox_free(box);
	close(fd);
}

Test(mailbox, post_wakes)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct mailbox *box = mailbox_new(8, fd);
	struct mail mail = {.type = MAIL_STOP};
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	cr_assert_eq(poll(&wait, 1, 0), 0);
	mailbox_post(box, &mail);
	cr_assert_eq(poll(&wait, 1, 0), 1);
	mailbox_free(box);
	close(fd);
}

Test(mailbox, clients_leave_room_for_the_rest)
{
	struct core core = {.wake_fd = -1};
	struct msg_listen listen = {.client = 3};
	int fd = eventfd(0, EFD_NONBLOCK), asked = 0;

	core.outbox = mailbox_new(16, fd);
	while (core_ask_listen(&core, &listen))
		asked++;
	cr_assert_eq(asked, 8);
	core_tell_client_gone(&core, 3);
	cr_assert_eq(mailbox_room(core.outbox), 7);
	mailbox_free(core.outbox);
	close(fd);
}

static void *count_mail(void *arg)
{
	struct mailbox *box = arg;
	struct mail mail;

	for (uint32_t expected = 0; expected < 20000;) {
		if (!mailbox_take(box, &mail)) {
			sched_yield();
			continue;
		}
		if (mail.client != expected++)
			return arg;
	}
	return NULL;
}

Test(mailbox, between_threads)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct core core = {.outbox = mailbox_new(16, fd)};
	pthread_t consumer;
	void *failed;

	pthread_create(&consumer, NULL, count_mail, core.outbox);
	for (uint32_t i = 0; i < 20000; i++)
		core_tell_client_gone(&core, i); /* waits for room by itself */
	pthread_join(consumer, &failed);
	cr_assert_null(failed);
	mailbox_free(core.outbox);
	close(fd);
}
