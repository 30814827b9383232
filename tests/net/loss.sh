#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# 1 % of all packets lost in each direction: everything arrives, in bounded time, and without only timeouts.
. "$(dirname "$0")/../lib/harness.sh"

net_pair || exit 1
ixd_start || exit 1
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
loss 10 || exit 1
check "100 connections, 100 KB each, 1 % loss" \
	in_peer k-client "$IX_ADDR:7000" echo --connections 100 --bytes 100000 --timeout 60
check "one connection, 16 MB, 1 % loss" \
	in_peer k-client "$IX_ADDR:7000" echo --bytes 16M --size 65536 --timeout 100
no_loss
loss 100 || exit 1
check "20 connections, 20 KB each, 10 % loss" \
	in_peer k-client "$IX_ADDR:7000" echo --connections 20 --bytes 20000 --timeout 120
no_loss
check "one connection, 1 MB, no loss again" in_peer k-client "$IX_ADDR:7000" echo --bytes 1M
stop echo
ixd_stop
