#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# An interface changes while ixd serves it: another number of queues, gone and there again under its name with
# another number, link down and up, MTU, renamed. ixd says what it sees and recovers; connections that the peer still
# has go on.
. "$(dirname "$0")/../lib/harness.sh"

# hold NAME: connections that send now and then, in the background, until told to end
hold() {
	start "$1" in_peer k-client "$IX_ADDR:7000" hold --connections 20 --bytes 100 --timeout 170
	check "20 connections that stay" wait_line "$1" 'held=20' 20
}

established() {
	in_ix ixctl ss --json | jq -e '[.. | objects | select(.state? == "established")] | length == 20'
}

# still_there WHAT: they carry data
still_there() {
	check "$1: the connections that stayed are there" wait_until 10 established
	ROUNDS=$((${ROUNDS:-0} + 1))
	kill -USR1 "${PIDS[hold]}"
	check "$1: and carry data" wait_line hold "^round=$ROUNDS\$" 60
}

echoes() {
	in_peer k-client "$IX_ADDR:7000" echo --connections 10 --bytes 20000 --timeout 60
}

status_says() {
	in_ix ixctl status --json | jq -e ".interfaces[0] | $1"
}

says() {
	wait_until "${2:-10}" grep -Eq -- "$1" "$T/log/ixd-default"
}

counter() {
	in_ix ixctl stats -a --json | jq --arg name "$1" '[.counters[] | select("\(.group).\(.name)" == $name).value] | add'
}

# Nothing is under way, every frame has an owner, and no one touched what was not his.
frames_add_up() {
	[ "$(counter frames.kernel_tx)" = 0 ] && [ "$(counter frames.core)" = 0 ] &&
		[ "$(counter frames.free)" = "$(counter core.frames_pool)" ] &&
		[ "$(counter core.frame_faults)" = 0 ]
}

net_pair 4 2
in_ix ethtool -L ix0 rx 2 tx 2
QUEUES=0 CORES=2 EXTRA='check_frames = true; watchdog_ms = 0;' ixd_conf default
check "ixd starts" ixd_start
check "status: two queues, copied, the driver's name" status_says \
	'.queues == 2 and .copy == "copy" and .driver == "veth" and .rss == "software" and (.queue_list | length == 2)'
serve echo ix-echo -l "*:7000"
check "echo" echoes
hold hold

in_ix ethtool -L ix0 rx 4 tx 4
check "more queues: ixd says so" says 'ix0: has 4 queues now, had 2'
check "more queues: new sockets" says 'ix0: has new AF_XDP sockets \(device [0-9]+, 4 queues'
check "more queues: status" status_says '.queues == 4 and .closes == 1 and (.queue_list | length == 4)'
check "more queues: serves" echoes
still_there "more queues"
check "more queues: frames add up" wait_until 5 frames_add_up

in_ix ip link set ix0 down
check "link down: ixd says so" says 'interface ix0 is down'
in_ix ip link set ix0 up
check "link up: serves" wait_until 10 echoes
still_there "link down and up"

in_ix ip link set ix0 mtu 1400
check "MTU: ixd sees it" says 'interface ix0 has MTU 1400 now'
check "MTU: serves" echoes
in_ix ip link set ix0 mtu 1500

# The peer's end goes with ours; its addresses and connections stay those of its namespace.
in_ix ip link del ix0
check "device gone: ixd says so" says 'ix0: its device is gone'
check "device gone: status" wait_until 5 status_says '.copy == "closed"'
check "device gone: ixd waits for it" says 'ix0: waiting for a device of this name'
check "device gone: connections are kept" established
check "the same name again" net_link ix0 p0 "$IX_ADDR" "$PEER_ADDR" 2 2
check "device back: new sockets" says 'new AF_XDP sockets \(device [0-9]+, 2 queues'
check "device back: status" status_says '.queues == 2 and .copy == "copy" and .closes == 2'
check "device back: serves" wait_until 10 echoes
still_there "device back"
check "device back: frames add up" wait_until 5 frames_add_up
start more in_peer k-client "$IX_ADDR:7000" hold --connections 5 --bytes 100 --timeout 100
check "device back: new ones beside" wait_line more 'held=5' 20
stop more

# Faster than ixd follows: the device goes again before the dataplane has taken its sockets. (No watchdog: it is stopped for
# as long as the machine takes for the rest.)
dataplane=$(child_of ixd-default dataplane)
in_ix ip link del ix0
check "goes while it is opened: gone" wait_until 5 status_says '.copy == "closed"'
kill -STOP "$dataplane"
sockets=$(grep -c 'has new AF_XDP sockets' "$T/log/ixd-default")
check "goes while it is opened: there" net_link ix0 p0 "$IX_ADDR" "$PEER_ADDR" 2 2
check "goes while it is opened: new sockets" wait_until 10 bash -c \
	"[ \$(grep -c 'has new AF_XDP sockets' $T/log/ixd-default) -gt $sockets ]"
in_ix ip link del ix0
check "goes while it is opened: down" says 'interface ix0 is down'
kill -CONT "$dataplane"
check "goes while it is opened: and is there again" net_link ix0 p0 "$IX_ADDR" "$PEER_ADDR" 2 2
check "goes while it is opened: serves" wait_until 20 echoes
still_there "goes while it is opened"
check "goes while it is opened: the dataplane is the same" \
	test "$dataplane" = "$(child_of ixd-default dataplane)"
check "goes while it is opened: frames add up" wait_until 5 frames_add_up

# To another namespace and back before ixd looks: there it has its old number, and only its sockets know.
ip netns add third
kill -STOP "${PIDS[ixd-default]}"
in_ix ip link set ix0 netns third && ip -n third link set ix0 netns "$NS_IX"
in_ix ip addr add "$IX_ADDR/24" dev ix0
in_ix ip link set ix0 up
kill -CONT "${PIDS[ixd-default]}"
check "away and back: ixd says so" says 'ix0: its device was away'
check "away and back: serves" wait_until 20 echoes
still_there "away and back"

# To another namespace, to stay: what it receives there is none of ixd's.
in_ix ip link set ix0 netns third
check "moved away: ixd has closed it" wait_until 10 status_says '.copy == "closed"'
check "moved away: without the XDP program" not bash -c "ip -n third link show ix0 | grep -q xdp"
ip -n third link set ix0 netns "$NS_IX"
in_ix ip addr add "$IX_ADDR/24" dev ix0
check "moved back: steered before it is up" wait_until 10 bash -c "ip -n $NS_IX link show ix0 | grep -q xdp"
in_ix ip link set ix0 up
check "moved back: serves" wait_until 20 echoes
still_there "moved back"

# The kernel has the packets until ixd looks.
if bpftool link detach pinned /sys/fs/bpf/ixd/default/link_ix0 2>"$T/log/detach"; then
	check "XDP program detached: ixd says so" says 'ix0: somebody has detached its XDP program'
	check "XDP program detached: serves" wait_until 20 echoes
	check "XDP program detached: the dataplane is the same" \
		test "$dataplane" = "$(child_of ixd-default dataplane)"
else
	skip "XDP program detached" "bpftool cannot: $(cat "$T/log/detach")"
fi
stop hold KILL
ROUNDS=0
hold hold

kill -KILL "$(child_of ixd-default dataplane)"
in_ix ip link del ix0
check "gone while no dataplane ran: it runs again" says 'dataplane runs again'
check "and back" net_link ix0 p0 "$IX_ADDR" "$PEER_ADDR" 2 2
check "and serves" wait_until 20 echoes
check "and its frames add up" wait_until 5 frames_add_up

in_ix ip link set ix0 down
in_ix ip link set ix0 name other0
in_ix ip link set other0 up
check "renamed: ixd says so" says 'ix0: is called other0 now'
check "renamed: serves" wait_until 10 echoes
stop hold
stop echo
ixd_stop default other0
