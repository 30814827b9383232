#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# 1 to 1000 parallel connections of the kernel's TCP through ixd to ix-echo and back; every byte is checked.
. "$(dirname "$0")/../lib/harness.sh"

net_pair || exit 1
ixd_start || exit 1
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1

COUNTS="1 10 100 1000" LARGE=64M ROUNDS=20
[ -z "${IXD_TEST_SMALL:-}" ] || COUNTS="1 10 100" LARGE=4M ROUNDS=4
for connections in $COUNTS; do
	check "$connections connections, 100 KB each" \
		in_peer k-client "$IX_ADDR:7000" echo --connections "$connections" --bytes 100000 --timeout 120
done
check "messages of one byte" in_peer k-client "$IX_ADDR:7000" echo --bytes 2000 --size 1
check "an empty connection" in_peer k-client "$IX_ADDR:7000" echo --connections 10 --bytes 0
check "a connection of one byte" in_peer k-client "$IX_ADDR:7000" echo --bytes 1
check "one connection, $LARGE" in_peer k-client "$IX_ADDR:7000" echo --bytes $LARGE --size 65536 --timeout 120
check "$((50 * ROUNDS)) connections one after the other" bash -c "
	for i in \$(seq $ROUNDS); do
		in_peer k-client $IX_ADDR:7000 echo --connections 50 --bytes 100 || exit 1
	done"
check "the server lives" is_alive echo
check "no connection is left in use" wait_until 5 bash -c \
	"! in=\$(ixctl --json ss) || ! grep -qi established <<<\"\$in\""
stop echo
ixd_stop
