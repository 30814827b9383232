# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# The impairment relay between ixd and its peer, or between two kernels. Sourced after harness.sh.
#
#	namespace ix        namespace wire        namespace peer
#	ix0 10.77.0.1 ───── w0  relay  w1 ─────── p0 10.77.0.2
#
# tx, tso, gso and gro are off on all four ends, so that the relay sees what a wire would carry.

# relay_net: both links; frames pass only while a relay runs.
relay_net() {
	local ns
	for ns in ix wire peer; do
		ip netns add $ns && ip -n $ns link set lo up || return 1
		nsenter --net=/run/netns/$ns sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	done
	relay_link ix ix0 w0 && relay_link peer p0 w1 || return 1
	ip -n ix addr add "$IX_ADDR/24" dev ix0
	ip -n peer addr add "$PEER_ADDR/24" dev p0
	in_peer sysctl -qw net.ipv4.ip_local_port_range="20000 60999"
	# What one connection learnt must not decide how the next one starts.
	in_peer sysctl -qw net.ipv4.tcp_no_metrics_save=1
	in_ix sysctl -qw net.ipv4.tcp_no_metrics_save=1
	ulimit -n "$(ulimit -Hn)"
}

# relay_link NAMESPACE DEVICE WIRE_DEVICE
relay_link() {
	local ns device
	ip -n "$1" link add "$2" type veth peer name "$3" netns wire || return 1
	for ns in "$1:$2" "wire:$3"; do
		device=${ns#*:} ns=${ns%%:*}
		nsenter --net="/run/netns/$ns" ethtool -K "$device" tx off tso off gso off gro off >/dev/null || return 1
		ip -n "$ns" link set "$device" up || return 1
	done
}

# relay_start SEED OPTIONS...: a file in $RELAY_PCAP, if that is set
relay_start() {
	local seed=$1
	shift
	# Before anybody else: a relay that is late delays what it should not.
	start relay nsenter --net=/run/netns/wire nice -n -15 relay --seed "$seed" --timeout $((600 * TIME_SCALE)) \
		${RELAY_PCAP:+--pcap "$RELAY_PCAP"} "$@" w0 w1
	wait_line relay '^relaying' || return 1
	# Neighbours are learnt before the clock runs.
	wait_until 10 in_ix ping -c 1 -W 1 -q "$PEER_ADDR"
}

# relay_stop: false when the relay was too slow and therefore not only its seed decided
relay_stop() {
	stop relay
	RELAY_FIRST=$(sed -n 's/^from w0: //p' "$T/log/relay")
	RELAY_SECOND=$(sed -n 's/^from w1: //p' "$T/log/relay")
	[ "$(grep -c 'overrun=0' "$T/log/relay")" = 2 ]
}

# relay_count first|second COUNTER: after relay_stop
relay_count() {
	local line=$RELAY_FIRST
	[ "$1" = first ] || line=$RELAY_SECOND
	tr ' ' '\n' <<<"$line" | sed -n "s/^$2=//p"
}

# ---- one transfer: WHO (ixd|kernel) in namespace ix, kernel in peer; every byte checked at its receiver.
#
# transfer WHO ROLE BYTES sets SECONDS_TAKEN. ROLE: listen-send, listen-receive, connect-send, connect-receive,
# from the view of namespace ix; the two use different ports, because the kernel keeps one in TIME_WAIT. CC: the congestion control of the kernels (cubic unless it is set). The clock
# runs from the start of the connecting side to the end of both.

elapsed_s() {
	awk -v us=$((${EPOCHREALTIME/./} - $1)) 'BEGIN { printf "%.3f", us / 1e6 }'
}

transfer() {
	local who=$1 role=$2 bytes=$3 limit=${TRANSFER_LIMIT_S:-120} port=7300 start_us rc
	[ "$who" = ixd ] || port=7301
	export K_CONGESTION=${CC:-cubic}
	case $role in
	listen-*) "far_listen_$who" "${role#*-}" "$bytes" "$limit" || return 1 ;;
	connect-send) peer_serve far k-sink -l "$PEER_ADDR:7300" --count 1 --timeout "$limit" || return 1 ;;
	connect-receive)
		peer_serve far k-sink -l "$PEER_ADDR:7300" --source "$bytes" --count 1 --timeout "$limit" || return 1
		;;
	esac
	start_us=${EPOCHREALTIME/./}
	case $role in
	listen-send) in_peer k-client "$IX_ADDR:$port" receive --timeout "$limit" >"$T/near" 2>&1 ;;
	listen-receive) in_peer k-client "$IX_ADDR:$port" send --bytes "$bytes" --timeout "$limit" >"$T/near" 2>&1 ;;
	connect-*) "near_connect_$who" "${role#*-}" "$bytes" "$limit" >"$T/near" 2>&1 ;;
	esac
	rc=$?
	SECONDS_TAKEN=$(elapsed_s "$start_us")
	if [ $rc = 0 ] && wait_end far 20 && transfer_is_whole "$who" "$role" "$bytes"; then
		unset "PIDS[far]"
		return 0
	fi
	stop far KILL
	echo "# $who $role $bytes bytes: status $rc after $SECONDS_TAKEN s"
	sed 's/^/#   near: /' "$T/near" | tail -n 5
	log_show far 5
	return 1
}

# ix-cat's output is checked by k-pattern; what the kernels' tools receive, they check themselves and count.
transfer_is_whole() {
	local bytes
	bytes=$(numfmt --from=iec "$3")
	case $1-$2 in
	*-listen-send) grep -q "bytes=$bytes " "$T/near" ;;
	kernel-listen-receive | *-connect-send) grep -q "received $bytes sent 0 end eof" "$T/log/far" ;;
	*-connect-receive) grep -q "sent $bytes end eof" "$T/log/far" ;;
	esac
}

far_listen_ixd() {
	local pipe="ix-cat -l $IX_ADDR:7300 </dev/null | k-pattern --check $2"
	[ "$1" != send ] || pipe="k-pattern $2 | ix-cat -l $IX_ADDR:7300 >/dev/null"
	start far client timeout "$3" bash -c "set -o pipefail; $pipe"
	wait_line far 'listening on'
}

far_listen_kernel() {
	local source=0
	[ "$1" != send ] || source=$2
	start far in_ix k-sink -l "$IX_ADDR:7301" --source "$source" --count 1 --timeout "$3"
	wait_line far 'listening on'
}

near_connect_ixd() {
	if [ "$1" = send ]; then
		client timeout "$3" bash -c "set -o pipefail; k-pattern $2 | ix-cat -N $PEER_ADDR:7300 >/dev/null"
	else
		client timeout "$3" bash -c "set -o pipefail
			ix-cat -N $PEER_ADDR:7300 </dev/null | k-pattern --check $2"
	fi
}

near_connect_kernel() {
	if [ "$1" = send ]; then
		in_ix k-client "$PEER_ADDR:7300" send --bytes "$2" --timeout "$3"
	else
		in_ix k-client "$PEER_ADDR:7300" receive --timeout "$3"
	fi
}

# mbps BYTES SECONDS
mbps() {
	awk -v bytes="$(numfmt --from=iec "$1")" -v s="$2" 'BEGIN { printf "%.1f", (s > 0 ? bytes * 8 / s / 1e6 : 0) }'
}
