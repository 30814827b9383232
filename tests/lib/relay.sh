# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# The impairment relay between ixd and its peer, or between two kernels. Sourced after harness.sh.
#
#	namespace ix        namespace wire        namespace peer
#	ix0 10.77.0.1 ───── w0  relay  w1 ─────── p0 10.77.0.2
#
# tx, tso, gso and gro are off on all four ends, so that the relay sees what a wire would carry.

# The relay's two interfaces, and the peer's
RELAY_ENDS=(w0 w1)
PEER_DEVICE=p0

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

# relay_net_kernels: two more links, between two kernels; relay_use ixd|kernel says whose are meant from then on.
relay_net_kernels() {
	relay_link ix kx0 v0 && relay_link peer kp0 v1 || return 1
	ip -n ix addr add 10.78.0.1/24 dev kx0
	ip -n peer addr add 10.78.0.2/24 dev kp0
}

relay_use() {
	if [ "$1" = ixd ]; then
		RELAY_ENDS=(w0 w1) PEER_DEVICE=p0 IX_ADDR=10.77.0.1 PEER_ADDR=10.77.0.2
	else
		RELAY_ENDS=(v0 v1) PEER_DEVICE=kp0 IX_ADDR=10.78.0.1 PEER_ADDR=10.78.0.2
	fi
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

# relay_start SEED OPTIONS...: a file in $RELAY_PCAP, if that is set. PEER_STACK=lwip: nobody answers yet.
relay_start() {
	local seed=$1
	shift
	# Before anybody else: a relay that is late delays what it should not.
	start relay nsenter --net=/run/netns/wire ${RELAY_CPU:+taskset -c "$RELAY_CPU"} nice -n -15 relay --seed "$seed" --timeout $((600 * TIME_SCALE)) \
		${RELAY_PCAP:+--pcap "$RELAY_PCAP"} "$@" "${RELAY_ENDS[@]}"
	wait_line relay '^relaying' || return 1
	# Neighbours are learnt before the clock runs.
	[ "${PEER_STACK:-kernel}" = lwip ] || wait_until 10 in_ix ping -c 1 -W 1 -q "$PEER_ADDR"
}

# relay_stop: false when the relay was too slow and therefore not only its seed decided
relay_stop() {
	stop relay
	RELAY_FIRST=$(sed -n "s/^from ${RELAY_ENDS[0]}: //p" "$T/log/relay")
	RELAY_SECOND=$(sed -n "s/^from ${RELAY_ENDS[1]}: //p" "$T/log/relay")
	[ "$(grep -c 'overrun=0' "$T/log/relay")" = 2 ]
}

# relay_count first|second COUNTER: after relay_stop
relay_count() {
	local line=$RELAY_FIRST
	[ "$1" = first ] || line=$RELAY_SECOND
	tr ' ' '\n' <<<"$line" | sed -n "s/^$2=//p"
}

# ---- one transfer: WHO (ixd|kernel) in namespace ix, the peer (kernel, or PEER_STACK=lwip) in peer; every byte
# checked at its receiver.
#
# transfer WHO ROLE BYTES sets SECONDS_TAKEN. ROLE: listen-send, listen-receive, connect-send, connect-receive,
# from the view of namespace ix. CC: the congestion control of the kernels (cubic unless it is set). The clock runs
# from the start of the connecting side to the end of both. US_CPU, THEIR_CPU, RELAY_CPU: where they run, if set.

elapsed_s() {
	awk -v us=$((${EPOCHREALTIME/./} - $1)) 'BEGIN { printf "%.3f", us / 1e6 }'
}

# end_command STACK listen|connect ADDRESS:PORT send|receive BYTES LIMIT: sets END_COMMAND
end_command() {
	local limit=$6 bytes
	bytes=$(numfmt --from=iec "$5")
	case $1-$2-$4 in
	ixd-*) END_COMMAND=(ix-pattern "$2" "$3" "$4" "$bytes" "$limit") ;;
	lwip-*) END_COMMAND=(k-lwip "$PEER_DEVICE" "$PEER_ADDR" "$2" "$3" "$4" "$bytes") ;;
	kernel-listen-send) END_COMMAND=(k-sink -l "$3" --source "$bytes" --count 1 --timeout "$limit") ;;
	kernel-listen-receive) END_COMMAND=(k-sink -l "$3" --count 1 --timeout "$limit") ;;
	kernel-connect-send) END_COMMAND=(k-client "$3" send --bytes "$bytes" --timeout "$limit") ;;
	kernel-connect-receive) END_COMMAND=(k-client "$3" receive --timeout "$limit") ;;
	esac
}

# end_wait NAME STACK: its exit status. lwIP's program stays, for its TIME_WAIT, and is ended here.
end_wait() {
	local rc=0
	if [ "$2" = lwip ]; then
		wait_line "$1" 'orderly end' "$TRANSFER_S" || rc=1
		stop "$1" KILL
		return $rc
	fi
	wait "${PIDS[$1]}" || rc=$?
	unset "PIDS[$1]"
	return $rc
}

# What the kernel's tools received they check, and count; the others also know how much it must have been.
end_is_whole() {
	case $2-$3-$4 in
	kernel-listen-receive) grep -q "received $5 sent 0 end eof" "$T/log/$1" ;;
	kernel-listen-send) grep -q "sent $5 end eof" "$T/log/$1" ;;
	kernel-connect-receive) grep -q "bytes=$5 " "$T/log/$1" ;;
	kernel-connect-send) return 0 ;;
	*) grep -q 'orderly end' "$T/log/$1" ;;
	esac
}

transfer() {
	local who=$1 role=${2%-*} does=${2#*-} bytes limit=${TRANSFER_LIMIT_S:-120} theirs=receive peer_role=listen
	local peer=${PEER_STACK:-kernel} where="$PEER_ADDR:7300" us=(in_ix) order=(us them) start_us rc=0 END_COMMAND
	bytes=$(numfmt --from=iec "$3")
	TRANSFER_S=$limit
	[ "$does" = send ] || theirs=send
	[ "$role" = listen ] && peer_role=connect where="$IX_ADDR:7300"
	[ "$who" = ixd ] && us=(client)
	[ "$role" = listen ] || order=(them us)
	export K_CONGESTION=${CC:-cubic}
	for end in "${order[@]}"; do
		start_us=${EPOCHREALTIME/./}
		if [ "$end" = us ]; then
			end_command "$who" "$role" "$where" "$does" "$bytes" "$limit"
			start us "${us[@]}" ${US_CPU:+taskset -c "$US_CPU"} "${END_COMMAND[@]}"
		else
			end_command "$peer" "$peer_role" "$where" "$theirs" "$bytes" "$limit"
			start them in_peer ${THEIR_CPU:+taskset -c "$THEIR_CPU"} "${END_COMMAND[@]}"
		fi
		[ "$end" != "${order[0]}" ] || wait_line "$end" 'listening on' || rc=1
	done
	end_wait us "$who" || rc=$?
	end_wait them "$peer" || rc=$?
	SECONDS_TAKEN=$(elapsed_s "$start_us")
	[ $rc = 0 ] && end_is_whole us "$who" "$role" "$does" "$bytes" &&
		end_is_whole them "$peer" "$peer_role" "$theirs" "$bytes" && return 0
	echo "# $who $2 $3 bytes: status $rc after $SECONDS_TAKEN s"
	log_show us 5
	log_show them 5
	return 1
}

# mbps BYTES SECONDS
mbps() {
	awk -v bytes="$(numfmt --from=iec "$1")" -v s="$2" 'BEGIN { printf "%.1f", (s > 0 ? bytes * 8 / s / 1e6 : 0) }'
}
