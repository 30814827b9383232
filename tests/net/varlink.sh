#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The control socket: ixctl, and a client that is none of ours, see the same; strangers and nonsense do no harm.
. "$(dirname "$0")/../lib/harness.sh"

SOCKET=/run/ixd/default/control.sock
varlink() {
	"$TEST_ROOT/tests/net/varlink_client.py" "$SOCKET" "$@"
}

ADMIN_ID=65106
net_pair || exit 1
EXTRA="admin_group = \"$ADMIN_ID\";" ixd_conf default
ixd_start || exit 1
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1

# Two connections that stay while they are looked at.
start one in_peer bash -c "exec 9<>/dev/tcp/$IX_ADDR/7000; echo hello >&9; read -r line <&9; echo got \$line; exec sleep 300"
start two in_peer bash -c "exec 9<>/dev/tcp/$IX_ADDR/7000; echo hello >&9; read -r line <&9; echo got \$line; exec sleep 300"
wait_line one 'got hello' && wait_line two 'got hello' || exit 1

# same METHOD COMMAND: the members that do not change with time are equal
same() {
	diff <(varlink call "io.ixd.$1" | jq -S "$STEADY") <(ixctl --json "$2" | jq -S "$STEADY")
}
sockets_by_hand() {
	varlink call io.ixd.Sockets '{"state":"established"}' --more |
		jq -S '.sockets[] | [.local_port, .remote_port, .core, .pid, .mss]' | sort
}
sockets_by_ixctl() {
	ixctl ss --json -s established | jq -S '.sockets[] | [.local_port, .remote_port, .core, .pid, .mss]' | sort
}

check "every method answers as its description says" varlink check
STEADY='del(.uptime_us, .dataplane_uptime_us)' check "status is the same" same Status status
STEADY='.clients[] | del(.age_us)' check "clients are the same" same Clients clients
STEADY=. check "listeners are the same" same Listeners listeners
STEADY=. check "flow groups are the same" same Flows flows
STEADY=. check "versions are the same" same Version version
STEADY='[.counters[] | .group + "." + .name]' check "counters are the same" same Stats stats
STEADY='[.cores[] | [.id, .cpu, .connections, .flow_groups]]' check "cores are the same" same Cores cores
check "connections are the same" diff <(sockets_by_hand) <(sockets_by_ixctl)

two_connections() {
	[ "$(ixctl ss --json -s established -l 7000 | jq '.sockets | length')" = 2 ] &&
		[ "$(ixctl ss | grep -c "$IX_ADDR:7000 .*$PEER_ADDR:")" = 2 ]
}
check "both connections are listed" two_connections
is_pid() {
	[ "$(ixctl ss --json | jq '[.sockets[].pid] | unique | .[0]')" = "$(ixctl clients --json | jq '.clients[0].pid')" ] &&
		[ "$(ixctl clients --json | jq '.clients[0] | .connections')" = 2 ]
}
check "they belong to the client's process" is_pid
check "the listener is listed" bash -c 'ixctl listeners | grep -q "10.77.0.1  *7000"'
check "something was counted" bash -c 'ixctl stats | grep -q "^tcp.passive_opens  *2$"'
check "the XDP program counts" bash -c 'ixctl stats -g xdp | grep -q "^xdp.redirected  *[1-9]"'
fits_nothing() {
	[ "$(ixctl ss -r 9)" = "no connections" ]
}
check "a filter that fits nothing" fits_nothing
check_says "a state that does not exist" 'one of: syn-sent .*sleepy' ixctl ss -s sleepy
check_says "an instance that does not run" "'nobody' is not running.*ixd@nobody|nobody/control.sock" ixctl -i nobody status
check_says "a stranger may not look" 'may not use' in_ix_as "$STRANGER_ID" "$T/bin/ixctl" status

check "nonsense, idle and greedy askers harm nobody" varlink hostile
check "connections live on" two_connections

grow() {
	sed -i 's/^cores = /batch = 32;\ncores = /' "$T/default.conf"
	ixctl reconfigure | tee /dev/stderr | grep -q 'batch.*32' &&
		[ "$(ixctl status --json | jq .settings.batch_packets)" = 32 ]
}
check "reconfigure shows the difference and applies it" grow
spoil() {
	echo 'nonsense = 1;' >>"$T/default.conf"
	ixctl reconfigure
}
check_says "a wrong file changes nothing and is named with its line" 'default.conf:[0-9]+:.*nonsense' spoil
check "connections live on after both" two_connections
# in_groups GROUPS COMMAND...: an ordinary user; control.sock belongs to group 0, as there is no group ixd.
in_groups() {
	local groups=$1
	shift
	setpriv --reuid="$STRANGER_ID" --regid="$STRANGER_ID" --groups="$groups" --no-new-privs "$@"
}
check "who may look" in_groups 0 ixctl status
check_says "may not change" 'only root and the admin_group' in_groups 0 ixctl reconfigure
check_says "a wrong file is not read for him" 'only root and the admin_group' in_groups 0 ixctl reconfigure
sed -i '/^nonsense/d' "$T/default.conf"
check "an administrator may" in_groups "0,$ADMIN_ID" ixctl reconfigure

# control runs where all users look the same, and must tell them apart nevertheless.
cat >"$T/silent.py" <<'SILENT'
import os, socket, sys, time
os.seteuid(int(sys.argv[2]))
kept = []
for _ in range(100):
    kept.append(socket.socket(socket.AF_UNIX))
    kept[-1].connect(sys.argv[1])
print("connected", flush=True)
time.sleep(60)
SILENT
start silent python3 "$T/silent.py" "$SOCKET" "$STRANGER_ID"
check "a user who connects and says nothing" wait_line silent connected
check "has so many connections and no more" wait_until 5 bash -c \
	"setpriv --reuid=$STRANGER_ID --regid=$STRANGER_ID --groups=0 ixctl status 2>&1 | grep 'TooManyConnections: 16'"
check "root is served meanwhile" ixctl status
check "and so is another user" setpriv --reuid="$OTHER_ID" --regid="$OTHER_ID" --groups=0 ixctl status
stop silent KILL

kill_control() {
	local pid
	pid=$(ixctl status --json | jq .control.pid)
	kill -KILL "$pid" && wait_until 5 bash -c "[ \$(ixctl status --json | jq .control.starts) = 2 ]"
}
check "a control process that dies is replaced" kill_control
check "and sees the same connections" two_connections

stop one
stop two
stop echo
ixd_stop
