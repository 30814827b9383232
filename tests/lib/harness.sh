# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# The frame of an end-to-end test. A test is an executable file in tests/net/ that begins with
#
#	. "$(dirname "$0")/../lib/harness.sh"
#
# and then runs as process 1 of a PID namespace of its own, in a mount namespace of its own: whatever it starts
# or mounts is gone when it ends, however it ends, and two tests can run side by side. /run and /sys/fs/bpf
# are private and empty; network namespaces made with `ip netns` are private, too.
#
# Output: `ok NAME`, `not ok NAME`, `skip NAME: REASON`; exit 0, 1, or 77 when the whole test was skipped.
# Environment: IXD_BUILD (default build), IXD_TEST_KEEP_LOGS=1 (print every log), IXD_SAN (sanitised build:
# time limits are stretched and speed is not judged), IXD_TIME_SCALE (emulated machine: limits are as many times
# longer), IXD_TEST_SMALL=1 (emulated machine: fewer bytes and connections).

set -uo pipefail

TEST_NAME=$(basename "$0" .sh)
TEST_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
IXD_BUILD=$(cd "$TEST_ROOT" && cd "${IXD_BUILD:-build}" && pwd) || exit 1

# Numeric ids that need no account.
CONTROL_ID=65101
DATAPLANE_ID=65102
CLIENT_ID=65103
# shellcheck disable=SC2034 # used by tests
OTHER_ID=65104 STRANGER_ID=65105

skip_all() {
	echo "skip $TEST_NAME: $*"
	exit 77
}

if [ "$(id -u)" != 0 ]; then
	skip_all "needs root for network namespaces and XDP"
fi
if [ -z "${IXD_TEST_INSIDE:-}" ]; then
	export IXD_TEST_INSIDE=1
	exec unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
		"${BASH:-bash}" "$0" "$@"
fi

# ---- private places

T=/run/t
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t bpf -o mode=0700 bpf /sys/fs/bpf
mkdir -m 0755 "$T" "$T/bin" "$T/libexec" "$T/log" "$T/www"
export PATH="$T/bin:$PATH" LC_ALL=C PYTHONDONTWRITEBYTECODE=1
unset IXD_INSTANCE IXD_RUNDIR
for place in "$IXD_BUILD"/bin "$IXD_BUILD"/libexec; do
	[ -d "$place" ] && cp -a "$place/." "$T/$(basename "$place")/"
done
for place in "$IXD_BUILD"/tests/net "$IXD_BUILD"/tests/hostile "$IXD_BUILD"/tests/bench; do
	[ -d "$place" ] && find "$place" -maxdepth 1 -type f -perm /100 -exec cp {} "$T/bin/" \;
done
# Leaks are looked for where programs end in order; a test that kills one must not wait for the report.
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}"
# An emulated machine is slower still: IXD_TIME_SCALE.
TIME_SCALE=${IXD_TIME_SCALE:-1}
[ -n "${IXD_SAN:-}" ] && TIME_SCALE=$((TIME_SCALE * 5))
export TIME_SCALE # tests/net/k.h stretches the limits of the tools

# ---- results

FAILED=0
PASSED=0

ok() {
	PASSED=$((PASSED + 1))
	echo "ok $TEST_NAME: $*"
}

not_ok() {
	FAILED=$((FAILED + 1))
	echo "not ok $TEST_NAME: $*"
}

skip() {
	echo "skip $TEST_NAME: $1: $2"
}

# diagnose: once in a test, at its first failure: what both stacks say of themselves then, in a few lines
IS_DIAGNOSED=''
diagnose() {
	local socket name
	[ -z "$IS_DIAGNOSED" ] || return 0
	IS_DIAGNOSED=1
	{
		echo "load $(cut -d' ' -f1-3 /proc/loadavg), $(awk '/^cpu / { print $9 / 100 }' /proc/stat) s stolen so far"
		for socket in /run/ixd/*/control.sock; do
			[ -S "$socket" ] || continue
			name=$(basename "$(dirname "$socket")")
			timeout 5 ixctl -i "$name" ss 2>&1 | head -n 12
			timeout 5 ixctl -i "$name" stats 2>&1 | awk '$2 != 0 &&
				/drop|fail|fault|full|limit|lost|mangled|opens|reset|retrans|rto|stall|timeout|packets/ {
					printf "%s=%s ", $1, $2
				}' | fold -sw 180
			echo
		done
		[ ! -e "/run/netns/$NS_PEER" ] || timeout 5 nsenter --net="/run/netns/$NS_PEER" \
			ss -Htino state connected exclude time-wait 2>&1 | cut -c 1-300 | head -n 12
	} | sed 's/^/#   state: /'
}

# check NAME COMMAND...: one result; the command's output is shown if it fails.
check() {
	local name=$1 out="$T/log/check" rc
	shift
	"$@" >"$out" 2>&1
	rc=$?
	if [ $rc = 0 ]; then
		ok "$name"
	else
		not_ok "$name"
		echo "# failed with $rc: $*"
		tail -n 20 "$out" | sed 's/^/#   /'
		diagnose
		return 1
	fi
}

# check_says NAME REGEX COMMAND...: the command must fail, and its output must match.
check_says() {
	local name=$1 regex=$2 out="$T/log/check"
	shift 2
	if "$@" >"$out" 2>&1; then
		not_ok "$name: succeeded, a refusal was expected"
	elif ! grep -Eq -- "$regex" "$out"; then
		not_ok "$name: its words do not match /$regex/"
		tail -n 20 "$out" | sed 's/^/#   /'
		diagnose
	else
		ok "$name"
		return 0
	fi
	return 1
}

# ---- waiting, always for a condition and never for ever

# patience SECONDS: how long a test waits for what takes so long at most. Longer by much: a limit is there to end a test
# that hangs; whether something is fast enough is measured where it matters.
patience() {
	local seconds=$(($1 * TIME_SCALE))
	echo $((seconds < 30 ? 30 : seconds))
}

# wait_until SECONDS COMMAND...
wait_until() {
	local end
	end=$((SECONDS + $(patience "$1") + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.02
	done
}

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# ---- processes

declare -A PIDS=()

# start NAME COMMAND...: in the background, output to $T/log/NAME. in_ix, in_peer, client and in_ix_as in front
# of the command are written out, so that the pid is the program's and not that of a shell around it.
start() {
	local name=$1 command=()
	shift
	while :; do
		case $1 in
		in_ix) command+=(nsenter --net="/run/netns/$NS_IX") ;;
		in_peer) command+=(nsenter --net="/run/netns/$NS_PEER") ;;
		client) set -- client in_ix_as "$CLIENT_ID" "${@:2}" ;;
		in_ix_as)
			command+=(nsenter --net="/run/netns/$NS_IX" setpriv --reuid="$2" --regid="$2" --clear-groups
				--no-new-privs)
			shift
			;;
		*) break ;;
		esac
		shift
	done
	: >"$T/log/$name"
	"${command[@]}" "$@" >>"$T/log/$name" 2>&1 </dev/null &
	PIDS[$name]=$!
}

is_alive() {
	kill -0 "${PIDS[$1]}" 2>/dev/null
}

# wait_line NAME REGEX [SECONDS]: the program has printed it, and lives.
wait_line() {
	local name=$1 regex=$2 end
	end=$((SECONDS + $(patience "${3:-10}") + 1))
	until grep -Eq -- "$regex" "$T/log/$name"; do
		if ! is_alive "$name" || [ "$SECONDS" -ge "$end" ]; then
			grep -Eq -- "$regex" "$T/log/$name" && return 0
			echo "# $name did not print /$regex/:"
			log_show "$name"
			return 1
		fi
		sleep 0.02
	done
}

# wait_end NAME [SECONDS]: its exit status, 124 if it did not end.
wait_end() {
	wait_until "${2:-10}" not is_alive "$1" || return 124
	wait "${PIDS[$1]}"
}

not() {
	! "$@"
}

stop() {
	local name=$1 signal=${2:-TERM}
	[ -n "${PIDS[$name]:-}" ] || return 0
	kill "-$signal" "${PIDS[$name]}" 2>/dev/null
	if ! wait_until 10 not is_alive "$name"; then
		not_ok "$name does not end on SIG$signal"
		kill -KILL "${PIDS[$name]}" 2>/dev/null
	fi
	wait "${PIDS[$name]}" 2>/dev/null
	unset "PIDS[$name]"
}

log_show() {
	sed "s/^/#   $1: /" "$T/log/$1" | tail -n "${2:-15}"
}

# Those below start no programs: they are asked again and again, and an emulated machine takes its time for each.

# Pids of the processes named exactly so. (/proc/PID/comm, not the command line.)
pids_named() {
	local path name
	for path in /proc/[0-9]*; do
		{ read -r name <"$path/comm"; } 2>/dev/null && [ "$name" = "$1" ] && echo "${path#/proc/}"
	done
}

# Children of an instance's supervisor whose program is ixd-$2 (dataplane, control), zombies aside.
child_of() {
	local path name stat state parent
	for path in /proc/[0-9]*; do
		{ read -r name <"$path/comm" && read -r stat <"$path/stat"; } 2>/dev/null || continue
		# A name may have spaces and brackets in it.
		read -r state parent _ <<<"${stat##*) }"
		[ "$parent" = "${PIDS[$1]:-none}" ] && [ "$state" != Z ] && [[ $name = *"$2"* ]] && echo "${path#/proc/}"
	done
}

# is_ixd /proc/PID: it is ixd or one of its children, zombies aside
is_ixd() {
	local program
	for program in "$T/bin/ixd" "$T"/libexec/*; do
		[ "$1/exe" -ef "$program" ] && return 0
	done
	return 1
}

no_ixd_process() {
	local path
	for path in /proc/[0-9]*; do
		! is_ixd "$path" || return 1
	done
}

# huge_pages NUMBER: as many more (or, negative, fewer) of them on the machine. Two tests may do so at once.
huge_pages() {
	local file=/proc/sys/vm/nr_hugepages fd
	exec {fd}<"$file"
	flock "$fd"
	echo $(($(cat $file) + $1)) >"$file"
	exec {fd}<&-
	HUGE_PAGES=$((${HUGE_PAGES:-0} + $1))
}

# ---- network: namespace `ix` holds ixd's side, `peer` the kernel's. A script with several such pairs sets
# NS_IX and NS_PEER before it uses one of them.

NS_IX=ix NS_PEER=peer
IX_ADDR=10.77.0.1
PEER_ADDR=10.77.0.2

in_ix() {
	nsenter --net="/run/netns/$NS_IX" "$@"
}

in_peer() {
	nsenter --net="/run/netns/$NS_PEER" "$@"
}

# in_ix_as ID COMMAND...: without a capability, without groups
in_ix_as() {
	local id=$1
	shift
	in_ix setpriv --reuid="$id" --regid="$id" --clear-groups --no-new-privs "$@"
}

# client COMMAND...: an unprivileged process on ixd's side
client() {
	in_ix_as "$CLIENT_ID" "$@"
}

# net_pair [QUEUES]: ix0 (10.77.0.1) in $NS_IX, p0 (10.77.0.2) in $NS_PEER
net_pair() {
	local queues=${1:-1} peer_queues=${2:-1} ns
	ip netns add "$NS_IX" && ip netns add "$NS_PEER" || return 1
	net_link ix0 p0 "$IX_ADDR" "$PEER_ADDR" "$queues" "$peer_queues" || return 1
	for ns in "$NS_IX" "$NS_PEER"; do
		ip -n "$ns" link set lo up
	done
	# 1000 connections at once: the peer's defaults for its own sockets would be what is tested.
	in_peer sysctl -qw net.ipv4.ip_local_port_range="20000 60999"
	ulimit -n "$(ulimit -Hn)"
}

# net_link IX_DEV PEER_DEV IX_ADDR PEER_ADDR QUEUES [PEER_QUEUES]
net_link() {
	local queues=$5 peer_queues=${6:-1}
	ip -n "$NS_IX" link add "$1" numrxqueues "$queues" numtxqueues "$queues" type veth \
		peer name "$2" netns "$NS_PEER" numrxqueues "$peer_queues" numtxqueues "$peer_queues" || return 1
	ip -n "$NS_IX" addr add "$3/24" dev "$1"
	ip -n "$NS_PEER" addr add "$4/24" dev "$2"
	ip -n "$NS_IX" link set "$1" up
	ip -n "$NS_PEER" link set "$2" up
	wait_until 5 in_ix ping -c 1 -W 1 -q "$4"
}

# loss PERCENT: the peer's kernel drops so many of the packets that it receives and that it sends.
loss() {
	in_peer nft -f - <<RULES
table inet loss {
	chain in { type filter hook input priority 0; tcp dport != 0 numgen random mod 1000 < $1 drop; }
	chain out { type filter hook output priority 0; tcp dport != 0 numgen random mod 1000 < $1 drop; }
}
RULES
}

no_loss() {
	in_peer nft delete table inet loss
}

# ---- ixd

# ixd_conf NAME [TEXT]: $T/NAME.conf; interface ix0 and everything permitted, if TEXT does not say otherwise.
# Settings are taken from the environment of the call: IFACE, QUEUES, CORES, EXTRA, POLICY.
ixd_conf() {
	local name=$1
	if [ $# -gt 1 ]; then
		printf '%s\n' "$2" >"$T/$name.conf"
		return
	fi
	# (A brace inside of \${…} would end it.)
	local everything="policy = ( { user = \"$CLIENT_ID\"; listen = ( \"*:*\" ); connect = ( \"*:*\" ); } );"
	cat >"$T/$name.conf" <<CONF
interfaces = ( { name = "${IFACE:-ix0}"; queues = ${QUEUES:-1}; mode = "${XDP_MODE:-auto}"; } );
cores = ${CORES:-1};
control_user = "$CONTROL_ID";
dataplane_user = "$DATAPLANE_ID";
${POLICY:-$everything}
${EXTRA:-}
CONF
}

# ixd_start [NAME]: ready when it says so.
ixd_start() {
	local name=${1:-default}
	[ -f "$T/$name.conf" ] || ixd_conf "$name"
	start "ixd-$name" in_ix ixd -i "$name" -c "$T/$name.conf"
	wait_until 10 test -S "/run/ixd/$name/client.sock" && wait_line "ixd-$name" 'ready' 10 && return 0
	not_ok "ixd starts"
	log_show "ixd-$name" 30
	return 1
}

# After a TERM nothing of the instance is left: no process, socket, pin, XDP program, reserved port.
ixd_stop() {
	local name=${1:-default} iface=${2:-ix0} left=''
	stop "ixd-$name"
	wait_until 5 not test -e "/run/ixd/$name/client.sock" || left="$left /run/ixd/$name"
	[ ! -e "/sys/fs/bpf/ixd/$name" ] || left="$left /sys/fs/bpf/ixd/$name"
	! ip -n "$NS_IX" link show dev "$iface" | grep -q 'xdp' || left="$left XDP program on $iface"
	if [ -z "$(pids_named ixd)" ]; then
		wait_until 5 no_ixd_process || left="$left processes"
		[ -z "$(in_ix cat /proc/sys/net/ipv4/ip_local_reserved_ports)" ] || left="$left reserved ports"
	fi
	if [ -z "$left" ]; then
		ok "nothing is left of ixd ($name)"
	else
		not_ok "left behind by ixd ($name):$left"
	fi
}

# serve NAME PROGRAM ARGS...: an unprivileged client of ixd that prints when it listens
serve() {
	local name=$1
	shift
	start "$name" client env IXD_INSTANCE="${INSTANCE:-default}" "$@"
	wait_line "$name" 'listening on' 10
}

# The server side of the kernel, in the peer's namespace
peer_serve() {
	local name=$1
	shift
	start "$name" in_peer "$@"
	wait_line "$name" 'listening on' 10
}

# ---- the end: the sum decides

finish() {
	local status=$? name
	trap - EXIT
	[ "$status" = 77 ] && exit 77
	if grep -Eq 'ERROR: (Address|Leak|Thread)Sanitizer|runtime error:' "$T"/log/* 2>/dev/null; then
		not_ok "a sanitiser found something"
		grep -Eh -A 30 'ERROR: (Address|Leak|Thread)Sanitizer|runtime error:' "$T"/log/* | head -n 60
	fi
	[ "${HUGE_PAGES:-0}" = 0 ] || huge_pages $((-HUGE_PAGES))
	[ "$FAILED" = 0 ] || diagnose
	if [ "$FAILED" -gt 0 ] || [ -n "${IXD_TEST_KEEP_LOGS:-}" ]; then
		for name in "$T"/log/ixd-*; do
			[ -f "$name" ] && log_show "$(basename "$name")" 40
		done
	fi
	[ "$FAILED" -eq 0 ] || exit 1
	[ "$status" -eq 0 ] || {
		echo "not ok $TEST_NAME: left with status $status"
		exit 1
	}
	[ "$PASSED" -gt 0 ] || exit 77
	exit 0
}
trap finish EXIT
export -f in_ix in_ix_as in_peer client
export IX_ADDR PEER_ADDR CLIENT_ID T NS_IX NS_PEER
trap 'exit 130' INT TERM
