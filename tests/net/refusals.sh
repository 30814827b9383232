#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What ixd refuses to start with: it names the object, the value, the limit and the way out, ends with a status
# that is not zero, and leaves nothing behind.
. "$(dirname "$0")/../lib/harness.sh"

INTERFACE='interfaces = ( { name = "ix0"; } );'

# lint NAME REGEX LINE...: `ixd -n` refuses this file; its words match and name file and line.
lint() {
	local name=$1 regex=$2
	shift 2
	printf '%s\n' "$@" >"$T/bad.conf"
	check_says "$name" "bad\.conf:[0-9]+.*$regex" timeout 10 "$T/bin/ixd" -n -c "$T/bad.conf"
}

# start_says NAME REGEX COMMAND...: what is in front of `ixd` may take something away from it.
start_says() {
	local name=$1 regex=$2
	shift 2
	check_says "$name" "$regex" timeout 20 nsenter --net=/run/netns/ix "$@" "$T/bin/ixd" -i refused \
		-c "$T/refused.conf"
	check "$name: nothing is left" nothing_left
}

nothing_left() {
	[ ! -e /run/ixd/refused/client.sock ] && [ ! -e /sys/fs/bpf/ixd/refused ] &&
		wait_until 3 no_ixd_process && [ -z "$(in_ix cat /proc/sys/net/ipv4/ip_local_reserved_ports)" ]
}

# ---- the file
lint "unknown key" 'spin_ms' "$INTERFACE" 'spin_ms = 5;'
lint "unknown key in a group" 'nagle' "$INTERFACE" 'tcp = { nagle = true; };'
lint "wrong type" 'batch' "$INTERFACE" 'batch = "many";'
lint "too large" 'batch.*1024' "$INTERFACE" 'batch = 5000;'
lint "too small" 'batch' "$INTERFACE" 'batch = 0;'
lint "negative" 'spin_us' "$INTERFACE" 'spin_us = -1;'
lint "not one of the choices" 'placement.*(dedicated|shared)' "$INTERFACE" 'placement = "elsewhere";'
lint "no interface" 'interfaces' 'batch = 5;'
lint "interface twice" 'ix0' 'interfaces = ( { name = "ix0"; }, { name = "ix0"; } );'
lint "interface name too long" 'a-name-that-is-too-long' 'interfaces = ( { name = "a-name-that-is-too-long"; } );'
lint "core twice" '1' "$INTERFACE" 'cores = [ 1, 1 ];'
lint "not a power of two" 'cmd_slots' "$INTERFACE" 'limits = { cmd_slots = 1000; };'
lint "a rule that is none" 'nowhere' "$INTERFACE" 'policy = ( { user = "1000"; listen = ( "nowhere" ); } );'
lint "a port out of range" '(65536|65535)' "$INTERFACE" 'policy = ( { user = "1000"; listen = ( "*:65536" ); } );'
lint "a user that does not exist" 'no-such-user' "$INTERFACE" 'policy = ( { user = "no-such-user"; } );'
lint "syntax" '' "$INTERFACE" 'batch = = 5;'
lint "ephemeral range upside down" 'ephemeral' "$INTERFACE" 'ephemeral_first = 62000;' 'ephemeral_last = 61000;'
check_says "a file that does not exist" 'none\.conf' timeout 10 ixd -n -c "$T/none.conf"
check_says "an instance name that is a path" '(\.\./x|instance|name)' timeout 10 ixd -n -i ../x -c "$T/bad.conf"
printf '%s\n' "$INTERFACE" >"$T/good.conf"
check "a good file passes without a privilege" \
	setpriv --reuid="$CLIENT_ID" --regid="$CLIENT_ID" --clear-groups "$T/bin/ixd" -n -c "$T/good.conf"

# ---- the machine
net_pair || exit 1
IFACE=ix9 ixd_conf refused
start_says "an interface that does not exist" 'ix9'
ixd_conf refused
ip -n ix link set ix0 down
start_says "an interface that is down" 'ix0.*(down|not up)'
ip -n ix link set ix0 up
QUEUES=4 ixd_conf refused
start_says "more queues than there are" '(4.*1|1.*4).*queue|queue.*(4.*1|1.*4)'
ixd_conf refused

start_says "no privilege at all" '([Cc]apabilit|CAP_|root|privilege)' \
	setpriv --reuid="$STRANGER_ID" --regid="$STRANGER_ID" --clear-groups
for capability in net_admin net_raw bpf; do
	start_says "root without $capability" "(cap_|CAP_)?($capability|${capability^^})" \
		setpriv --bounding-set="-$capability" --inh-caps="-$capability"
done
start_says "few descriptors" 'RLIMIT_NOFILE is 12.*64.*LimitNOFILE' prlimit --nofile=12:12
start_says "bpffs is not mounted" '(bpffs|/sys/fs/bpf|mount)' \
	unshare --mount sh -c 'while umount /sys/fs/bpf; do :; done 2>/dev/null; exec "$@"' sh

bpftool prog load "$IXD_BUILD/bpf/ixd.bpf.o" /sys/fs/bpf/other type xdp >"$T/log/other" 2>&1
if in_ix bpftool net attach xdp pinned /sys/fs/bpf/other dev ix0 >>"$T/log/other" 2>&1; then
	start_says "another XDP program is attached" 'XDP program.*ix0|ix0.*XDP program|another'
	check "the other program is still attached" bash -c "ip -n ix link show ix0 | grep -q xdp"
	in_ix bpftool net detach xdp dev ix0
else
	skip "another XDP program is attached" "bpftool cannot attach one: $(tail -n 1 "$T/log/other")"
fi
rm -f /sys/fs/bpf/other

# A kernel connection that uses a port of the ephemeral range is named, not cut.
start holder in_ix k-echo -l "$IX_ADDR:61005" --timeout 60
wait_line holder 'listening on'
start_says "a port of the ephemeral range is in use" '61005'
stop holder

# After all that it starts.
ixd_conf default
check "and then it starts" ixd_start
serve echo ix-echo -l "$IX_ADDR:7000"
check "and serves" in_peer k-client "$IX_ADDR:7000" echo --bytes 1000
stop echo
ixd_stop
