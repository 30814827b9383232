/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes the pages of its own memory away while ixd uses them, and tries to make the memory smaller or to
 * write where it may only read.
 */
#include "tests/hostile/raw.h"

int main(void)
{
	struct ix_event event;
	uint64_t end_ns, handle;
	struct raw r;
	void *writable;

	k_limit_time(60);
	raw_open(&r);
	handle = raw_connect(&r, 1);
	if (ftruncate(r.client_fd, 4096) == 0 || ftruncate(r.daemon_fd, 4096) == 0)
		k_die("the memory can be made smaller");
	writable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r.daemon_fd, 0);
	if (writable != MAP_FAILED && getuid() != 0)
		k_die("ixd's memory can be written");
	end_ns = k_now_ns() + UINT64_C(2000000000);
	while (k_now_ns() < end_ns && !raw_is_thrown_out(&r, 0)) {
		for (unsigned i = 0; i < 8; i++)
			raw_cmd(&r, raw_sendv_cmd(handle, i * 4096, 4096));
		fallocate(r.client_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)r.w.tx_off,
			  (off_t)r.w.tx_bytes);
		while (raw_event(&r, &event))
			if (event.type == IX_EV_RECV)
				raw_cmd(&r, (struct ix_cmd){.op = IX_OP_RECV_DONE,
							    .handle = handle,
							    .recv_done = {.bytes = event.recv.len}});
	}
	/* Indices and rings as well: they read as zero from here on, which is a lie or is not. */
	fallocate(r.client_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)r.w.client_bytes);
	raw_ring(&r);
	raw_is_thrown_out(&r, 500);
	return 0;
}
