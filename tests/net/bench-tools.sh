#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The measuring programs (tests/bench) do what they say, against the kernel, ixd and each other. How fast
# anything is, is not judged here.
. "$(dirname "$0")/../lib/harness.sh"

SHORT=(--duration 0.3 --warmup 0.1)
RESULT=$T/log/result
COMPLAINT=$T/log/complaint

# measure EXPRESSION COMMAND...: its JSON satisfies the expression. A measurement in which nothing went wrong but too
# little happened, as others had the CPU, is taken again, and longer.
measure() {
	local expression=$1 warmup duration rc
	shift
	while read -r warmup duration; do
		rc=0
		"$@" --warmup "$warmup" --duration "$duration" --json >"$RESULT" 2>"$COMPLAINT" </dev/null || rc=$?
		if [ $rc = 0 ]; then
			jq -e "$expression" "$RESULT" >/dev/null && return 0
			jq -e '(.errors.sum // 0) == 0 and (.lost // 0) == 0' "$RESULT" >/dev/null || break
		else
			grep -q 'a longer --warmup' "$COMPLAINT" || break
		fi
	done <<<$'0.1 0.3\n0.5 1\n2 4'
	cat "$COMPLAINT" "$RESULT"
	return 1
}

# load EXPRESSION ARGUMENTS...: ix-load in the peer's namespace
load() {
	local expression=$1
	shift
	measure "$expression" in_peer timeout 60 ix-load --if p0 --target "$IX_ADDR:7000" "$@"
}

# kload EXPRESSION ARGUMENTS...: the same with k-load
kload() {
	local expression=$1
	shift
	measure "$expression" in_peer timeout 60 "${KLOAD:-k-load}" --target "$IX_ADDR:7000" "$@"
}

# round_trips EXPRESSION ARGUMENTS...: a client of ixd asks ix-respond
round_trips() {
	local expression=$1
	shift
	measure "$expression" client timeout 60 ix-rtt --target "$PEER_ADDR:7000" "$@"
}

# without_io_uring CHECK PROGRAM: it does not listen. Only what the kernel lacks is a reason to skip.
without_io_uring() {
	local last
	last=$(tail -n 1 "$T/log/$2")
	if [[ $last == *io_uring* ]]; then
		skip "$1" "$last"
	else
		not_ok "$1: $last"
	fi
}

MESSAGES='.messages > 0 and .latency_us.samples == .messages'
NO_ERRORS='.messages > 0 and .latency_us.samples == .messages and .errors.sum == 0'

# server_suite WHO: an echo server listens at port 7000
server_suite() {
	check "$1: one connection" load "$NO_ERRORS and .latency_us.p50 <= .latency_us.p99"
	check "$1: 100 connections, 3 deep" load "$NO_ERRORS and .connections == 100" --connections 100 --depth 3
	check "$1: 300 connections, sent as frames" load "$NO_ERRORS" --connections 300 --transmit "${2:-auto}"
	check "$1: large messages" load "$NO_ERRORS" --connections 2 --size 100000
	# What was due, answered or not: a busy machine cannot change that.
	check "$1: open loop" \
		load "$NO_ERRORS and (.messages + .late) / .duration_s > 300 and .messages / .duration_s < 4000" \
		--connections 10 --rate 1000
	check "$1: thinking" load "$NO_ERRORS" --connections 10 --think-us exponential:500
	check "$1: few of many are active" load "$NO_ERRORS" --connections 200 --active 3 --pick random
	check "$1: the same few of many" load "$NO_ERRORS" --connections 200 --active 3 --pick stay
	check "$1: one round trip for each connection" \
		load "$NO_ERRORS and .connections_closed > 0 and .connect_us.samples > 0" \
		--connections 8 --round-trips 1
	check "$1: five, at a bounded rate, from several ports" \
		load "$NO_ERRORS and .connections_closed > 0 and .connections_per_s < 400" \
		--connections 8 --round-trips 5 --connect-rate 200 --ports 2000-60000
	check "$1: the histogram has all samples" bash -c "
		nsenter --net=/run/netns/peer ix-load --if p0 --target $IX_ADDR:7000 ${SHORT[*]} --json \
			--histogram $T/histogram >$RESULT && [ \$(tail -n 1 $T/histogram | cut -d ' ' -f 3) = \
			\$(jq .latency_us.samples $RESULT) ]"
	check "$1: what is usual in 50 slices" \
		load "$NO_ERRORS and .slices.count > 0 and .slices.count <= 50 and .slices.p50 <= .slices.p99" \
		--connections 10 --slices 50
	check "$1: k-load" kload "$MESSAGES" --connections 10
	check "$1: k-load, one connection, spinning" kload "$MESSAGES" --spin
	check "$1: k-load, one round trip for each connection" kload "$MESSAGES and .connections_closed > 0" \
		--connections 8 --round-trips 1 --source "$PEER_ADDR"
}

net_pair || exit 1
in_ix ethtool -K ix0 tso off gso off tx off >/dev/null

for tool in ix-load ix-reflect ix-respond ix-rtt k-load k-uring-load; do
	check "$tool --help" bash -c "$tool --help | grep -q '^usage: $tool'"
	check_says "$tool: an unknown option" "unrecognized option '--nonsense'" "$tool" --nonsense
done
LOAD=(in_peer ix-load --if p0 --target "$IX_ADDR:7000")
check_says "no target" '--if and --target are needed' in_peer ix-load --if p0
check_says "a wrong target" 'takes ADDR:PORT' in_peer ix-load --if p0 --target 10.77.0.1
check_says "a wrong number" 'whole number from 1 to' "${LOAD[@]}" --connections 0
check_says "an unknown workload" 'no workload "nothing"' "${LOAD[@]}" --workload nothing
check_says "more connections than ports" 'give more addresses by --source' \
	"${LOAD[@]}" --connections 11 --ports 5000-5009
check_says "a wrong distribution" '"often" is none' "${LOAD[@]}" --rate 10 --distribution often
check_says "open loop with thinking" 'of the closed loop' "${LOAD[@]}" --rate 10 --think-us 10
check_says "a neighbour that is not there" 'does not answer' in_peer ix-load --if p0 --target 10.77.0.99:7000
check_says "no such interface" 'interface p9: No such device' in_peer ix-load --if p9 --target 10.77.0.1:7000
check_says "an unknown way out" 'takes auto, xsk or live' "${LOAD[@]}" --transmit smoke
check_says "frames that the other end would drop" 'takes no frames now' "${LOAD[@]}" --transmit live
check_says "nobody listens" '"refused":[1-9]' "${LOAD[@]}"
check_says "a packet that is too long" 'more than a packet takes' "${LOAD[@]}" --raw --size 1449

for rules in "$TEST_ROOT"/tests/bench/report/test/test_*.py; do
	check "the report: $(basename "$rules")" /usr/bin/python3 -B "$rules"
done

# ---- the kernel's TCP as server
not_running() {
	[ -z "$(pids_named "$1")" ]
}
fetched_is_same() {
	in_peer curl -sS --max-time 30 "http://$IX_ADDR:7000/file" | cmp - "$T/www/file"
}
start kecho in_ix k-echo -l "$IX_ADDR:7000" --timeout 300
wait_line kecho 'listening on' || exit 1
server_suite kernel
check "a server that answers something else is noticed" load '.messages == 0 and .errors.wrong_bytes > 0' \
	--workload source --connections 2
stop kecho
start kecho in_ix k-echo -l "$IX_ADDR:7000" --processes 3 --timeout 300
wait_line kecho 'listening on' || exit 1
check "k-echo: three processes share the connections" load "$NO_ERRORS and .connections == 300" --connections 300
stop kecho
check "k-echo: none of them is left" not_running k-echo
head -c 1M /dev/urandom >"$T/www/file"
start khttpd in_ix k-httpd -l "$IX_ADDR:7000" --root "$T/www" --timeout 300
wait_line khttpd 'listening on' || exit 1
check "kernel: source" load "$NO_ERRORS and .goodput_gbps > 0" --workload source --path /file
check "kernel: sink" load "$NO_ERRORS and .goodput_gbps > 0" --workload sink --path /sink --size 1M
check "a server that resets is noticed" load '.messages == 0 and .errors.reset > 0' --size 20000
stop khttpd

start kuring in_ix k-uring -l "$IX_ADDR:7000" --timeout 300
wait_until 5 grep -Eq 'listening on|k-echo' "$T/log/kuring"
if grep -q 'listening on' "$T/log/kuring"; then
	check "k-uring: 100 connections, 3 deep" load "$NO_ERRORS" --connections 100 --depth 3
	check "k-uring: large messages" load "$NO_ERRORS" --connections 2 --size 100000
	check "k-uring: one round trip for each connection" load "$NO_ERRORS and .connections_closed > 0" \
		--connections 8 --round-trips 1
	KLOAD=k-uring-load check "k-uring: k-uring-load" kload "$MESSAGES" --connections 10
	KLOAD=k-uring-load check "k-uring: k-uring-load, one connection, spinning" kload "$MESSAGES" --spin
	KLOAD=k-uring-load check "k-uring: k-uring-load, large messages" kload "$MESSAGES" --connections 3 --size 60000
else
	without_io_uring "k-uring" kuring
fi
stop kuring
for how in --spin --zero-copy; do
	start kuringhttpd in_ix k-uring-httpd -l "$IX_ADDR:7000" --root "$T/www" $how --timeout 300
	if wait_until 5 grep -q 'listening on' "$T/log/kuringhttpd"; then
		check "k-uring-httpd $how: source" load "$NO_ERRORS and .goodput_gbps > 0" --workload source --path /file
		check "k-uring-httpd $how: sink" load "$NO_ERRORS and .goodput_gbps > 0" --workload sink --path /sink \
			--size 1M
		check "k-uring-httpd $how: the file is whole" fetched_is_same
	else
		without_io_uring "k-uring-httpd $how" kuringhttpd
	fi
	stop kuringhttpd
done

# key_value_suite WHO: a key-value server listens at port 7000
key_value_suite() {
	check "$1: USR" load "$NO_ERRORS and .misses == 0" --workload usr --connections 20
	check "$1: ETC, 4 deep" load "$NO_ERRORS and .misses == 0" --workload etc --connections 20 --depth 4 \
		--option keys=2000 --option zipf=1.2
}
start kkv in_ix k-kv -l "$IX_ADDR:7000" --timeout 300
wait_line kkv 'listening on' || exit 1
key_value_suite kernel
stop kkv
start kuringkv in_ix k-uring-kv -l "$IX_ADDR:7000" --timeout 300
if wait_until 5 grep -q 'listening on' "$T/log/kuringkv"; then
	key_value_suite k-uring-kv
else
	without_io_uring "k-uring-kv" kuringkv
fi
stop kuringkv
check_says "an option that no workload has" 'takes keys=' "${LOAD[@]}" --workload usr --option colour=red

# ---- no TCP
start reflect in_ix ix-reflect --if ix0 --listen "$IX_ADDR:7000"
wait_line reflect 'listening on' || exit 1
check "raw: 64 packets there and back" load '.messages > 0 and .lost == 0 and .strange == 0' --raw
check "raw: one" load '.messages > 0 and .lost == 0' --raw-ping --size 1400
check "raw: more frames than a call takes" load '.messages > 0 and .lost == 0 and .transmit == "live"' \
	--raw --in-flight 1000 --transmit live
check "raw: no frames when none are wanted" load '.lost == 0 and .transmit == "xsk" and .live_frames == 0' \
	--raw --transmit xsk
stop reflect
check "ix-reflect reports" jq -e '.packets > 0 and .rx_ring_drops == 0' <(tail -n 1 "$T/log/reflect")
start reflect in_ix ix-reflect --if ix0 --listen "$IX_ADDR:7000" --transmit auto
wait_line reflect 'listening on' || exit 1
check "raw: both ends send frames" load '.messages > 0 and .lost == 0 and .transmit == "live"' \
	--raw --in-flight 512 --transmit live
stop reflect
check "ix-reflect has noticed the other end" jq -e '.live_frames > 0' <(tail -n 1 "$T/log/reflect")
start sink in_ix ix-reflect --if ix0 --listen "$IX_ADDR:7000" --sink --sleep
wait_line sink 'listening on' || exit 1
check "raw: one way" load '.messages > 0' --raw --one-way --size 1448
stop sink
check "the sink counts" jq -e '.packets > 0 and .goodput_gbps > 0' <(tail -n 1 "$T/log/sink")

# ---- ix-respond as server
start respond in_peer ix-respond --if p0 --listen "$PEER_ADDR:7000-7009"
wait_line respond 'listening on' || exit 1
start pass in_ix ix-respond --if ix0 --pass
wait_line pass 'passing on' || exit 1
check "ix-respond: the kernel's round trips" in_ix k-client "$PEER_ADDR:7003" rtt --rounds 1000
check "ix-respond: the kernel's streams, both FINs" \
	in_ix k-client "$PEER_ADDR:7000" echo --connections 10 --bytes 64000 --size 1000 --window 4000
stop pass
ixd_start || exit 1
check "ix-rtt through ixd to ix-respond" round_trips "$MESSAGES"
check "ix-rtt: one core's connections" round_trips '.messages > 0' --connections 4 --core 0
check_says "ix-rtt: a core that ixd has not" 'ixd has 1' client ix-rtt --target "$PEER_ADDR:7000" --core 3
check "ix-rtt: 50 connections, sleeping" round_trips '.messages > 0' --connections 50 --spin-us 0
check_says "ix-rtt: nobody listens" 'cannot connect' client ix-rtt --target "$PEER_ADDR:6999"
stop respond
check "ix-respond reports" jq -e '.syns > 60 and .echoes > 1000 and .fins >= 10 and .strange == 0' \
	<(tail -n 1 "$T/log/respond")

# ---- ixd as server
serve echo ix-echo -l "$IX_ADDR:7000" || exit 1
server_suite ixd live
check "nothing is attached any more" bash -c "! ip -n peer link show dev p0 | grep -q xdp"
stop echo
serve kv ix-kv -l "$IX_ADDR:7000" || exit 1
key_value_suite ixd
stop kv
ixd_stop
