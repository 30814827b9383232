# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What is tried of a NIC, whatever its driver: in a virtual machine (newest.sh), or on an interface that the user
# names (make check-nic). in_guest runs a command on ixd's side, with the functions of guest.bash; in_peer on the
# other, which is the kernel. NIC_ADDR is ixd's address, DRIVER the interface's driver, QUEUES how many it has.
# nic_result DRIVER WHAT is told what was tried. COPY is what the configuration says where zero copy is wanted, SEEN_IF
# the peer's interface, empty where scripts of ours cannot run there.

CORES=2 COPY=auto

# sum_of MB: the hash of so much pattern, which both ends make
declare -A SUMS=()
sum_of() {
	[ -n "${SUMS[$1]:-}" ] || SUMS[$1]=$(k-pattern "$1M" | sha256sum | cut -d' ' -f1)
	SUM=${SUMS[$1]}
}

# download MB: by curl from ix-httpd, hashes equal. (The peer may be far away: no file of ours is there.)
download() {
	local got
	sum_of "$1"
	got=$(in_peer curl -sS --fail --max-time 150 "http://$NIC_ADDR:8080/$1" | sha256sum)
	echo "$got, pattern $SUM"
	[ "${got%% *}" = "$SUM" ]
}

# upload MB: by curl to ix-httpd, which answers with the number of bytes and their hash
upload() {
	local answer
	sum_of "$1"
	answer=$(k-pattern "$1M" | in_peer curl -sS --fail --max-time 150 -T - "http://$NIC_ADDR:8080/sink")
	echo "$answer; pattern $SUM"
	[ "$answer" = "bytes $(($1 << 20))"$'\n'"sha256 $SUM" ]
}

echo_all() {
	in_peer k-client "$NIC_ADDR:7000" echo --connections "$1" --bytes "$2" --timeout 150
}

# status, stats, ...: what ixctl says of them, as JSON, which is read on this side: an emulated machine would take longer for
# that than for the rest.
said() {
	in_guest "ixctl $* --json"
}

status_says() {
	said status | jq -e ".interfaces[0] | $1"
}

# counters NAME...: their sums over the cores, all read at once
counters() {
	said stats -a | jq -r --arg names "$*" '[.counters[] | {key: "\(.group).\(.name)", value}] as $all |
		[$names | split(" ")[] | . as $name | [$all[] | select(.key == $name).value] | add] | map(tostring) | join(" ")'
}

# counts NAME REGEX: the sum, the whole of it
counts() {
	counters "$1" | grep -Ex -- "$2"
}

# every_queue_received NUMBER: packets of each queue have come to a core
every_queue_received() {
	said status | jq -ce "[.interfaces[0].queue_list[].received] | ., (length == $1 and min > 0)"
}

# Nothing is under way: no frame is worked on or still to be sent, the pools have all that are free, the rest is with the
# kernel for receiving, and nobody wrote to a frame that was not his.
frames_at_rest() {
	local tx core free pool faults
	read -r tx core free pool faults <<<"$(counters frames.kernel_tx frames.core \
		frames.free core.frames_pool core.frame_faults)"
	echo "# frames: being sent $tx, worked on $core, free $free, in the pools $pool; faults $faults" >"$T/log/frames"
	[ "$tx" = 0 ] && [ "$core" = 0 ] && [ "$free" = "$pool" ] && [ "$faults" = 0 ]
}

# frames_are_right: that comes true, exactly. A core that sleeps looks for frames that are away 0.1 s, then 0.3 s after
# the last packet, and less often later.
frames_are_right() {
	local rc
	wait_until 10 frames_at_rest
	rc=$?
	cat "$T/log/frames"
	return $rc
}

# fill_rings_are_full QUEUES SLOTS: of them all. They are filled up when 32 frames are free.
fill_rings_are_full() {
	[ "$(counters frames.kernel_rx)" -ge $(($1 * ($2 - 32))) ]
}

# kernel_dropped: what the kernel counts as dropped at the sockets, for want of a frame or of room in a ring
kernel_dropped() {
	said status | jq '[.interfaces[].queue_list[].received_dropped] | add'
}

# frames_ran_out: a driver wanted a frame and there was none, or a packet found no room
frames_ran_out() {
	said status | jq -e '[.interfaces[].queue_list[] | .fill_empty + .received_dropped] | add > 1000'
}

# nothing_lost: what XDP gave to sockets was received, or the kernel says that a ring was full; nothing came by a
# queue without the right socket, and nothing vanished between. With
# an argument, somebody has led packets to other queues.
nothing_lost() {
	local redirected received closed homeless dropped end=$((SECONDS + 3))
	while :; do
		read -r redirected received closed homeless <<<"$(counters xdp.redirected core.rx_packets \
			core.drop_rx_closed xdp.dropped_no_socket)"
		dropped=$(kernel_dropped)
		if [ "$redirected" = $((received + closed + dropped)) ] || [ "$SECONDS" -ge "$end" ]; then break; fi
	done
	echo "redirected $redirected, received $received, rings full $dropped, sockets closed $closed, no socket $homeless"
	said status | jq -c '.interfaces[0].queue_list[] | [.queue, .core, .copy, .received_dropped, .ring_full, .fill_empty]'
	[ "$homeless" = 0 ] || [ -n "${1:-}" ] || return 1
	[ "$redirected" = $((received + closed + dropped)) ]
}

# peer_silent, peer_speaks: from the first to the second, no packet comes from the peer. Where a NIC drops what finds no
# buffer, nobody needs that.
peer_silent() {
	:
}

peer_speaks() {
	:
}

# has_sockets WHAT CONDITION: they are there, status says so, and every FILL ring is full
has_sockets() {
	check "$what: $1" wait_until 30 status_says "$2" &&
		check "$what: $1: each with frames to receive in" wait_until 10 fill_rings_are_full "$QUEUES" "${SLOTS:-2048}"
	peer_speaks
}

# serving COPY [RSS [EXTRA]]: an instance, an echo server and a web server. Without it there is no case.
serving() {
	peer_silent
	check "$what: ixd starts" in_guest "ixd_up $CORES $QUEUES $1 ${2:-auto} '${3:-}'" &&
		has_sockets "sockets for $QUEUES queues" ".queues == $QUEUES and .copy != \"closed\"" &&
		check "$what: ix-echo" in_guest "as_client echo ix-echo -l $NIC_ADDR:7000" &&
		check "$what: ix-httpd" in_guest "as_client httpd ix-httpd -l $NIC_ADDR:8080 --root \$W/www --sink /sink --sha256"
}

# ended RESULT [may_stray]: an empty one is told later
ended() {
	check "$what: frames add up to the UMEM, none was touched" frames_are_right
	cat "$T/log/frames"
	check "$what: no packet was lost to a wrong queue" nothing_lost "${2:-}"
	check "$what: all ends in order" in_guest "stopped echo && stopped httpd && ixd_down"
	[ -z "$1" ] || nic_result "$DRIVER, $what" "$1"
}

# Its part of the packets, too.
every_core_received() {
	said cores | jq -ce "[.cores[].rx_packets] | ., (length == $CORES and min * 4 > max)"
}

# every_core_has_groups: each of two cores has its half of the flow groups
every_core_has_groups() {
	said flows | jq -e '.groups | length == 256 and ([.[] | select(. == 1)] | length) == 128'
}

# connections_stayed NUMBER: at least
connections_stayed() {
	said ss | jq -e "[.. | objects | select(.state? == \"established\")] | length >= $1"
}

# Before bulk transfers, which belong to one queue and core each.
all_have_a_part() {
	check "$what: every core had a part" every_core_received
	check "$what: every queue had a part" every_queue_received "$QUEUES"
}

# hold_round WHAT: the connections that stayed are all there, and carry data
hold_round() {
	ROUNDS=$((${ROUNDS:-0} + 1))
	check "$what: $1: the connections that stayed are there" connections_stayed 20
	hold_again
	check "$what: $1: and carry data" wait_line hold "^round=$ROUNDS\$" 60
}

hold_again() {
	kill -USR1 "${PIDS[hold]}"
}

# What the driver has: zero copy where it can, RSS where it may be set. SAYS is what status must say.
case_best() {
	what="best mode, $QUEUES queues, $CORES cores"
	serving $COPY || return 1
	[ -z "${SAYS:-}" ] || check "$what: status: $SAYS" status_says "$SAYS"
	[ -z "${SAYS:-}" ] || what="zero copy, RSS, $QUEUES queues, $CORES cores"
	check "$what: ${CONNECTIONS:=200} connections" echo_all "$CONNECTIONS" 10000
	all_have_a_part
	check "$what: every group has a core, and each core its part" every_core_has_groups
	check "$what: download of 64 MB" download 64
	check "$what: upload of 64 MB" upload 64
	in_guest "ixctl status"
	ended "$CONNECTIONS connections over all queues and cores, 64 MB out, 64 MB in"
}

# The table is kept, set and set back. What the NIC's RSS cannot know: an ICMP error comes by a queue of its own hash,
# not by that of the flow that it quotes.
case_rss() {
	what="RSS kept, then set, $QUEUES queues, $CORES cores"
	check "$what: the driver shows its table" in_guest "rss_table >\$W/rss.first" || return 1
	serving $COPY keep || return 1
	check "$what: kept as it is, one socket for each queue" status_says \
		'.rss == "aligned" and all(.queue_list[]; .sockets == 1)'
	start hold in_peer k-client "$NIC_ADDR:7000" hold --connections 20 --bytes 100 --timeout 170
	check "$what: 20 connections that stay" wait_line hold 'held=20' 30
	ROUNDS=0
	hold_round "RSS"
	[ -z "$SEEN_IF" ] || errors_reach_their_flows
	peer_silent
	check "$what: somebody leads all to one queue" in_guest "ethtool -X $NIC equal 1"
	check "$what: ixd sees it" in_guest "says ixd 'somebody has changed its RSS table'"
	has_sockets "and steers in software, with new sockets" \
		".rss == \"software\" and .copy != \"closed\" and all(.queue_list[]; .sockets == $CORES)"
	check "$what: and serves" echo_all 20 20000
	hold_round "one queue"
	stop hold
	ended "table kept; changed by hand: steered in software; ICMP errors cross the cores" may_stray

	serving $COPY auto || return 1
	check "$what: ixd sets the table" in_guest "says ixd 'RSS table set so that flows come to the queues of their cores'"
	check "$what: and says so" status_says '.rss == "aligned"'
	check "$what: 200 connections" echo_all 200 4000
	all_have_a_part
	ended ""
	check "$what: the table that ixd found is back" in_guest \
		"ethtool -x $NIC | grep -A3 '^RX flow hash' | grep -Ex ' *0: +0 +0 +0 +0 +0 +0 +0 +0'"
	check "$what: and, by the driver, the first one" in_guest \
		"ethtool -X $NIC equal $QUEUES; rss_table | cmp - \$W/rss.first"
	nic_result "$DRIVER, $what" "table set by ixd, and set back at its end"
}

# The peer gets none of what ixd sends, so that it is in flight; a router says that it was too long.
errors_reach_their_flows() {
	in_peer nft -f - <<-RULES
		table inet deaf { chain in { type filter hook input priority 0; tcp sport 7000 drop; }; }
	RULES
	start router in_peer "$TEST_ROOT/tests/vm/router.py" "$SEEN_IF" "$NIC_ADDR" 7000 20 1200
	wait_line router 'router sees' 10
	hold_again
	check "$what: ICMP errors about 20 connections" wait_end router 60
	in_peer nft delete table inet deaf
	ROUNDS=$((ROUNDS + 1))
	check "$what: each has reached its flow" wait_until 10 counts tcp.path_mtu_shrinks 20
	check "$what: some by way of another core" counts core.icmp_passed '[1-9][0-9]*'
	check "$what: the connections go on, in smaller packets" wait_line hold "^round=$ROUNDS\$" 60
}

case_software() {
	what="zero copy where it can, steered in software, $QUEUES queues, $CORES cores, frames watched"
	serving $COPY software "check_frames = true;" || return 1
	check "$what: status: a socket for each queue and core" status_says \
		".rss == \"software\" and all(.queue_list[]; .sockets == $CORES)"
	check "$what: 200 connections" echo_all 200 4000
	all_have_a_part
	check "$what: download of 16 MB" download 16
	check "$what: upload of 16 MB" upload 16
	ended "200 connections, 16 MB out, 16 MB in"
}

# Queues 1 and 3 of four refuse zero copy.
case_refused() {
	what="zero copy refused by queues 1 and 3"
	in_guest "REFUSED=1,3"
	serving auto auto "check_frames = true;" || return 1
	in_guest "REFUSED="
	check "$what: status: mixed, with the reason, for each queue" status_says \
		'.copy == "mixed" and ([.queue_list[].copy] == ["zerocopy", "copy", "zerocopy", "copy"]) and
		 all(.queue_list[]; (.copy == "zerocopy") == (.copy_why == "")) and
		 (.queue_list[1].copy_why | test("has no zero copy for it"))'
	in_guest "ixctl status"
	check "$what: 100 connections" echo_all 100 10000
	check "$what: every queue had a part" every_queue_received "$QUEUES"
	check "$what: download of 16 MB" download 16
	ended "100 connections, 16 MB out"
}

case_copy() {
	what="copy forced, $QUEUES queues, $CORES cores"
	serving copy || return 1
	check "$what: status says so" status_says '.copy == "copy"'
	check "$what: 100 connections" echo_all 100 10000
	check "$what: download of 64 MB" download 64
	check "$what: upload of 64 MB" upload 64
	ended "100 connections, 64 MB out, 64 MB in"
}

# The dataplane stands still while packets come, until its FILL rings are empty: what then comes is lost, and nothing
# else. A driver that has run out of frames must take new ones when they are there.
case_starved() {
	what="FILL rings run empty"
	SLOTS=64 serving $COPY auto "watchdog_ms = 0; sizes = { ring_slots = 64; };" || return 1
	# Their first windows are more than there are frames.
	start hold in_peer k-client "$NIC_ADDR:7000" hold --connections 200 --bytes 14000 --timeout 170
	check "$what: 200 connections" wait_line hold 'held=200' 60
	ROUNDS=0
	hold_again
	check "$what: carry data" wait_line hold '^round=1$' 60
	in_guest "ixd_stand_still"
	hold_again
	check "$what: the kernel has no frame left and says so" wait_until 30 frames_ran_out
	in_guest "ixd_go_on"
	check "$what: all that was lost comes again" wait_line hold '^round=2$' 100
	stop hold
	check "$what: every queue serves" every_queue_received "$QUEUES"
	ended "dataplane stopped while packets came"
}

case_faults() {
	what="faults"
	serving $COPY auto "check_frames = true;" || return 1
	start hold in_peer k-client "$NIC_ADDR:7000" hold --connections 20 --bytes 100 --timeout 170
	check "$what: 20 connections that stay" wait_line hold 'held=20' 30
	ROUNDS=0
	in_guest "nic_down"
	check "$what: ixd says that the link is down" in_guest "says ixd '$NIC is down'"
	in_guest "nic_up"
	check "$what: and up" wait_until 10 status_says '.is_up'
	check "$what: serves again" echo_all 10 20000
	hold_round "link down and up"
	in_guest "ip link set $NIC mtu 1400"
	check "$what: ixd sees the MTU" in_guest "says ixd '$NIC has MTU 1400 now'"
	check "$what: serves with it" echo_all 10 20000
	in_guest "ip link set $NIC mtu 1500"
	hold_round "MTU"
	if in_guest "ethtool -r $NIC" >"$T/log/says"; then
		hold_round "the link is negotiated again"
	else
		check "$what: the link cannot be negotiated again, and the driver says so" in_guest "may_not ethtool -r $NIC"
	fi
	if [ "$QUEUES" -gt 1 ] && in_guest "ethtool -L $NIC combined 1" >"$T/log/says"; then
		check "$what: ixd sees one queue" in_guest "says ixd '$NIC: has 1 queues now'"
		check "$what: serves with it" wait_until 30 echo_all 10 20000
		hold_round "one queue"
		in_guest "ethtool -L $NIC combined $QUEUES"
		check "$what: and all of them again" wait_until 30 status_says ".queues == $QUEUES and .copy != \"closed\""
		hold_round "all queues"
	elif [ "$QUEUES" -gt 1 ]; then
		check "$what: the driver changes no number of queues now, and says so" in_guest \
			"may_not ethtool -L $NIC combined 1"
		hold_round "queues"
	fi
	if status_says '.rss == "aligned"' >"$T/log/says"; then
		peer_silent
		check "$what: the RSS table is changed by somebody else" in_guest "ethtool -X $NIC weight 1 0 0 0"
		check "$what: ixd sees it" in_guest "says ixd 'somebody has changed its RSS table'"
		has_sockets "and has new sockets" '.closes == 1 and .copy != "closed"'
		check "$what: and serves" echo_all 10 20000
		hold_round "RSS changed"
	fi
	if [ -n "${RESET:-}" ]; then
		index=$(in_guest "cat /sys/class/net/$NIC/ifindex")
		peer_silent
		check "$what: the driver is unbound and bound" in_guest "nic_reset $NIC_ADDR/24 $QUEUES"
		check "$what: ixd says that the device is gone" in_guest "says ixd 'its device is gone'"
		has_sockets "and has new sockets" \
			".closes >= 1 and .copy != \"closed\" and .index != $index and .queues == $QUEUES"
		check "$what: serves after it" echo_all 10 20000
		hold_round "driver reset"
	fi
	stop hold
	ended "link down and up, MTU, RSS${RESET:+, driver unbound and bound}: connections go on" may_stray
}
