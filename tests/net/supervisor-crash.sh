#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The supervisor is killed: its children leave, and the next start cleans up what was left.
. "$(dirname "$0")/../lib/harness.sh"

net_pair || exit 1
ixd_start || exit 1
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
check "serves" in_peer k-client "$IX_ADDR:7000" echo --bytes 1000
kill -KILL "${PIDS[ixd-default]}"
wait "${PIDS[ixd-default]}" 2>/dev/null
check "its children end" wait_until 5 no_ixd_process
check "the client is told" wait_until 5 not is_alive echo
stop echo
check "the next start takes over what was left" ixd_start
serve echo ix-echo -l "$IX_ADDR:7000"
check "and serves" in_peer k-client "$IX_ADDR:7000" echo --connections 10 --bytes 100000
stop echo
ixd_stop
