# SPDX-License-Identifier: BSD-2-Clause
# The packet side's tests replace the engine and the client side where the packet side calls them.
unit_dataplane_wraps := tcp_input tcp_prefetch tcp_prefetch_record tcp_icmp_input conn_gather conn_gather_pieces \
	xdp_transmit_run
$(O)/tests/unit_dataplane: LDFLAGS += $(foreach f,$(unit_dataplane_wraps),-Wl,--wrap=$(f))
