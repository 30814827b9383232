#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A veth that cannot be native, since its other end has more transmit queues than it has receive queues: ixd warns
# at start and in its status of what that costs, and each way out that it names is one.
. "$(dirname "$0")/../lib/harness.sh"

WARNING='ix0: generic XDP mode: no native mode: .*fewer receive queues .*ethtool -L.*crawls.*tso and gso.*ethtool -K'

mode_is() {
	in_ix ixctl status --json | jq -e --arg mode "$1" '.interfaces[0].mode == $mode'
}

upload() {
	in_peer k-client "$IX_ADDR:7000" echo --connections 4 --bytes 1M --timeout 30
}

net_pair 1 2 || exit 1
ixd_start || exit 1
check "it serves all the same" mode_is generic
check "the log warns" grep -Eq "warning: interface $WARNING" "$T/log/ixd-default"
check "the status warns" bash -c "in_ix ixctl status | grep -E 'warning: generic XDP mode: .*ethtool -K'"
in_peer ethtool -K p0 tso off gso off
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
check "no large packets: an upload" upload
stop echo
ixd_stop

in_peer ethtool -K p0 tso on gso on
in_peer ethtool -L p0 tx 1
ixd_start || exit 1
check "fewer queues at the other end: native mode" mode_is native
check "no warning" not grep -q 'generic XDP mode' "$T/log/ixd-default"
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
check "native mode: an upload" upload
stop echo
ixd_stop
