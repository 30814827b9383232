#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Half-close in both orders on accepted connections, and data that a client leaves behind when it exits.
. "$(dirname "$0")/../lib/harness.sh"

listen_cat() {
	start cat client bash -c "set -o pipefail; k-pattern $1 | ix-cat -N -l $IX_ADDR:7300 | k-pattern --check $2"
	wait_line cat 'listening on'
}

net_pair || exit 1
ixd_start || exit 1

listen_cat 300000 200000
check "the peer closes its half first and goes on receiving" \
	in_peer k-client "$IX_ADDR:7300" send --bytes 200000
check "ixd's side got all of it" wait_end cat
stop cat KILL

listen_cat 300000 200000
check "ixd's side closes its half first and goes on receiving" \
	in_peer k-client "$IX_ADDR:7300" receive --bytes 200000
check "ixd's side got all of it" wait_end cat
stop cat KILL

# The peer reads so slowly that most of the data is still in ixd when the client has left.
peer_serve slow k-sink -l "$PEER_ADDR:7301" --slow 20 --count 1 --timeout 120
check "a client exits right after close with data unsent" client leave "$PEER_ADDR:7301" 3M
check "the data still arrives" wait_line slow 'received 3145728 sent 0 end eof' 60
ixd_stop
