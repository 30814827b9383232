/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The transmit program, run on what the kernel may give it: a call, a call with an odd core or slot, and
 * memory in which a frame was sent before.
 */
#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <string.h>

#include "bpf/skeleton.h"

#define CORES 4u

static struct transmit_bpf *transmit;

static void setup(void)
{
	transmit = transmit_bpf__open();
	cr_assert_not_null(transmit);
	cr_assert_eq(bpf_map__set_max_entries(transmit->maps.tx_slots, CORES * IXD_TX_SLOTS), 0);
	int error = transmit_bpf__load(transmit);

	if (error == -EPERM)
		cr_skip_test("needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
	cr_assert_eq(error, 0, "load: %s", strerror(-error));
}

static void teardown(void)
{
	transmit_bpf__destroy(transmit);
}

TestSuite(transmit, .init = setup, .fini = teardown);

static void slot_set(uint32_t core, uint32_t port, uint32_t len)
{
	struct ixd_tx_slot slot = {.port = port, .len = len};
	uint32_t at = core * IXD_TX_SLOTS;

	cr_assert_eq(
	    bpf_map__update_elem(transmit->maps.tx_slots, &at, sizeof(at), &slot, sizeof(slot), BPF_ANY), 0);
}

static uint32_t used(uint32_t core)
{
	struct ixd_tx_cursor cursor;

	cr_assert_eq(
	    bpf_map__lookup_elem(transmit->maps.tx_cursors, &core, sizeof(core), &cursor, sizeof(cursor), 0),
	    0);
	return cursor.next;
}

static uint32_t verdict(void *packet)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(struct ixd_tx_call));

	cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(transmit->progs.ixd_transmit), &opts), 0);
	return opts.retval;
}

Test(transmit, a_call_uses_its_cores_slots)
{
	struct ixd_tx_call call = {.core = 2};

	/* No port has a device here. */
	slot_set(2, 0, 60);
	cr_assert_eq(verdict(&call), XDP_DROP);
	cr_assert_eq(used(2), 1);
	cr_assert_eq(used(0), 0);
}

Test(transmit, lengths_and_cores_that_are_none)
{
	static const uint32_t lengths[] = {0, ETH_HLEN - 1, IXD_TX_DATA_BYTES + 1, UINT32_MAX};
	static const uint32_t cores[] = {CORES, IXD_CORES_MAX - 1, IXD_CORES_MAX, UINT32_MAX};
	struct ixd_tx_call call = {.core = 0};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		slot_set(0, 0, lengths[i]);
		cr_assert_eq(verdict(&call), XDP_DROP);
	}
	for (size_t i = 0; i < sizeof(cores) / sizeof(cores[0]); i++) {
		call.core = cores[i];
		cr_assert_eq(verdict(&call), XDP_DROP);
	}
}

/* Memory that comes back within a call begins with what was sent in it: an address like 02:00:00:00:00:01 is
 * no core 2. */
Test(transmit, a_frame_sent_before_is_no_call)
{
	static const uint16_t types[] = {ETH_P_IP, ETH_P_IPV6, ETH_P_ARP, ETH_P_8021Q};

	for (uint8_t core = 0; core < CORES; core++)
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
			uint8_t frame[sizeof(struct ixd_tx_call)] = {[0] = core, [5] = 1};

			slot_set(core, 0, 60);
			frame[12] = (uint8_t)(types[i] >> 8);
			frame[13] = (uint8_t)types[i];
			cr_assert_eq(verdict(frame), XDP_DROP);
			cr_assert_eq(used(core), 0, "core %u, type %04x", core, types[i]);
		}
}
