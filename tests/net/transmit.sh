#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# XDP transmit: used while the other end can take such frames, and no longer; nothing is lost for good, whatever
# the other end does in mid-traffic; nothing is left behind.
. "$(dirname "$0")/../lib/harness.sh"

MANY=100 EACH=6400
[ -z "${IXD_TEST_SMALL:-}" ] || EACH=640

counter() {
	ixctl --json stats | jq -r --arg name "$1" \
		'[.counters[] | select(.group == "core" and .name == $name) | .value] | add // 0'
}
status_of() {
	ixctl --json status | jq -r ".. | objects | select(.transmit? != null) | .$1"
}
status_is() {
	[ "$(status_of transmit)" = "$1" ]
}
# Small messages on many connections: turns with many packets, each of another connection.
traffic() {
	in_peer k-client "$IX_ADDR:7000" echo --connections $MANY --bytes "${1:-$EACH}" --size 64 --window 64 \
		--timeout 60
}
# Network namespaces that an open descriptor of ixd keeps.
namespaces_held() {
	find "/proc/${PIDS[ixd-default]}/fd" -lname 'net:*' | wc -l
}
# What it has loaded; others on this machine may have theirs.
program_of_ixd() {
	comm -12 <(bpftool prog show name ixd_transmit | sed -n 's/^\([0-9]*\): .*/\1/p' | sort) \
		<(sed -n 's/^prog_id:[[:space:]]*//p' "/proc/${PIDS[ixd-default]}/fdinfo"/* | sort)
}
program_is_gone() {
	! bpftool prog show id "$1" >/dev/null 2>&1
}

net_pair || exit 1
bpftool prog show >/dev/null 2>&1 || skip_all "bpftool shows no programs"
ixd_start || exit 1
if [ "$(status_of transmit_why)" != "its other end has neither XDP nor GRO" ]; then
	why=$(status_of transmit_why)
	case $why in
	*'Linux 6.3'*) skip "XDP transmit" "$why" ;;
	*) not_ok "XDP transmit is ready: $why" ;;
	esac
	serve echo ix-echo -l "$IX_ADDR:7000"
	check "traffic without it" traffic
	stop echo
	ixd_stop
	exit
fi
ok "XDP transmit is ready, and waits for the other end"
check "a namespace keeps its program" test "$(namespaces_held)" = 1
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
check "the other end cannot: $MANY connections" traffic
check "nothing went that way" test "$(counter tx_xdp)" = 0

in_peer ethtool -K p0 gro on
check "the other end can now: ixd hears of it" wait_until 5 status_is xdp
check "$MANY connections" traffic
sent=$(counter tx_xdp) calls=$(counter tx_xdp_calls)
check "bursts went that way: $sent packets in $calls calls" test "$sent" -gt $((12 * calls - 1)) -a "$calls" -gt 0
check "the kernel refused none" test -z "$(grep 'XDP transmit fails' "$T/log/ixd-default")"

# In mid-traffic, several times: what is under way is lost, and sent again.
start switch in_peer bash -c 'while :; do ethtool -K p0 gro off; sleep 0.5; ethtool -K p0 gro on; sleep 0.5; done'
check "the other end changes its mind in mid-traffic" traffic $((EACH * 10))
stop switch KILL
in_peer ethtool -K p0 gro on
wait_until 5 status_is xdp
more=$(counter tx_xdp)
check "it is used in between: $((more - sent)) packets" test "$more" -gt "$sent"

# A dataplane that starts anew gets it again.
kill -KILL "$(child_of ixd-default ixd-dataplane)"
wait_line ixd-default 'dataplane runs again' || log_show ixd-default
stop echo
serve echo ix-echo -l "$IX_ADDR:7000"
sent=$(counter tx_xdp)
check "after a restart of the dataplane: traffic" traffic
check "by the same way" test "$(counter tx_xdp)" -gt "$sent"
stop echo
program=$(program_of_ixd)
check "its program is there" test -n "$program"
ixd_stop
check "its program is gone" wait_until 10 program_is_gone "$program"

ixd_conf default "interfaces = ( { name = \"ix0\"; queues = 1; xdp_transmit = \"never\"; } );
control_user = \"$CONTROL_ID\";
dataplane_user = \"$DATAPLANE_ID\";
policy = ( { user = \"$CLIENT_ID\"; listen = ( \"*:*\" ); connect = ( \"*:*\" ); } );"
ixd_start || exit 1
serve echo ix-echo -l "$IX_ADDR:7000"
check "never: it says so" test "$(status_of transmit_why)" = 'xdp_transmit = "never"'
check "never: no namespace" test "$(namespaces_held)" = 0
check "never: traffic" traffic
check "never: nothing went that way" test "$(counter tx_xdp)" = 0
stop echo
ixd_stop

# Killed: what it had goes with it.
ixd_conf default
ixd_start || exit 1
wait_until 5 status_is xdp
program=$(program_of_ixd)
check "to be killed: its program is there" test -n "$program"
stop ixd-default KILL
check "killed: no process is left" wait_until 10 no_ixd_process
check "killed: nor its program" wait_until 10 program_is_gone "$program"

# Where user namespaces are refused (to a process in a changed root they are) it has to do without, and says so.
rm -rf /run/ixd/default
mkdir "$T/root" && mount --rbind / "$T/root"
start ixd-default in_ix chroot "$T/root" "$T/bin/ixd" -c "$T/default.conf"
check "without user namespaces it starts" wait_line ixd-default 'is ready'
check "and says so" bash -c "$(declare -f status_of); status_of transmit_why | grep -q 'namespaces are refused'"
serve echo ix-echo -l "$IX_ADDR:7000"
check "traffic" traffic
stop echo
ixd_stop
