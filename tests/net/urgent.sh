#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# RFC 9293 MUST-32, MUST-33: a server is told of urgent bytes, once for each end of theirs, and reads them in line.
. "$(dirname "$0")/../lib/harness.sh"

net_pair || exit 1
ixd_conf default
ixd_start || exit 1
serve orders ix-orders "$IX_ADDR:7000" || exit 1

# The kernel's urgent byte is the last one of what is sent so; u has the server say what is urgent then.
start peer in_peer /usr/bin/python3 -c "
import socket, sys
s = socket.create_connection(('$IX_ADDR', 7000), 60)
s.send(b'xxxx')
s.send(b'yyyU', socket.MSG_OOB)
s.send(b'su')
assert s.recv(4, socket.MSG_WAITALL) == b'data'
print('one', flush=True)
s.send(b'zzU', socket.MSG_OOB)
s.send(b's')
assert s.recv(4, socket.MSG_WAITALL) == b'data'
print('two', flush=True)
s.recv(1)"
check "urgent bytes are read in line, and orders behind them obeyed" wait_line peer '^one'
check "again" wait_line peer '^two'
# Four or eight bytes before the end, as it reads before or after; none; two and the urgent one. Nothing else.
told() {
	[[ "$(sed -n 's/^urgent: //p' "$T/log/orders" | tr '\n' ' ')" =~ ^[48]\ 0\ 3\ $ ]]
}
check "the server is told how many, once for each end, and counts them down" wait_until 10 told
check "segments that point to them are counted" bash -c "ixctl --json stats | jq -e '[.. | objects |
	select(.name? == \"urgent_in\" and .value >= 2)] | length > 0'"
stop peer
stop orders
ixd_stop
