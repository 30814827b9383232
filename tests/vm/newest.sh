#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The newest kernel that Debian offers for its stable release, with a virtio NIC that can do zero copy: ixd runs in
# a virtual machine, this machine's kernel is the peer at the other end of a TAP device.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/vm/vm.bash"

URL="http://$GUEST_ADDR:8080"

# download MB: by curl from ix-httpd; both ends make the same pattern
download() {
	in_peer curl -sS --fail --max-time 100 -o "$T/got" "$URL/$1" && k-pattern $(($1 << 20)) | cmp - "$T/got"
}

# upload MB: to ix-cat, whose output is hashed in the machine
upload() {
	in_guest "as_client cat sh -c 'ix-cat -N -l $GUEST_ADDR:7100 </dev/null | sha256sum'" &&
		in_peer k-client "$GUEST_ADDR:7100" send --bytes $(($1 << 20)) --timeout 100 &&
		in_guest "says cat ' -\$'; cat /tmp/log.cat" | tee "$T/sum" &&
		grep -q "$(k-pattern $(($1 << 20)) | sha256sum | cut -d' ' -f1)" "$T/sum"
}

echo_all() {
	in_peer k-client "$GUEST_ADDR:7000" echo --connections "$1" --bytes "$2" --timeout 100
}

# serving CORES QUEUES COPY [RSS [EXTRA]]
serving() {
	check "$what: ixd starts" in_guest "ixd_up $1 $2 $3 ${4:-auto} '${5:-}'" &&
		check "$what: ix-echo" in_guest "as_client echo ix-echo -l $GUEST_ADDR:7000" &&
		check "$what: ix-httpd" in_guest "as_client httpd ix-httpd -l $GUEST_ADDR:8080 --root /tmp/www --sink /sink"
}

ended() {
	check "$what: frames add up to the UMEM, none was touched" in_guest "frames_are_right"
	check "$what: no packet was lost to a wrong queue" in_guest "nothing_lost"
	check "$what: all ends in order" in_guest "stopped echo && stopped httpd && ixd_down"
	vm_result "virtio_net, $what" "$1"
}

status_says() {
	in_guest "ixctl status --json | jq -e '.interfaces[0] | $1'"
}

# hold_round WHAT: the connections that stayed are all there, and carry data
hold_round() {
	ROUNDS=$((${ROUNDS:-0} + 1))
	check "$what: $1: the connections that stayed are there" in_guest \
		"ixctl ss --json | jq -e '[.. | objects | select(.state? == \"established\")] | length >= 20'"
	kill -USR1 "${PIDS[hold]}"
	check "$what: $1: and carry data" wait_line hold "^round=$ROUNDS\$" 60
}

vm_kernel trixie-backports newest
vm_start 4 || exit 1
in_guest "mkdir -p /tmp/www; cd /tmp/www; k-pattern 64M >64; k-pattern 16M >16; cd /work"
# All queue pairs: with fewer, QEMU 7.2 loses what the peer sends until the number has changed, and changing it
# after a zero-copy socket was closed stops kernel 7.3 inside virtio_net.
in_guest "nic $GUEST_ADDR/24 4"
check "the peer reaches the machine" wait_until 30 in_peer ping -c 1 -W 1 -q "$GUEST_ADDR"

what="zero copy, 4 queues, 2 cores, RSS"
serving 2 4 auto || exit 1
check "$what: status: zero copy on every queue, one socket each" status_says \
	'.copy == "zerocopy" and .queues == 4 and .rss == "aligned" and all(.queue_list[]; .sockets == 1 and .copy == "zerocopy")'
check "$what: 200 connections" echo_all 200 10000
check "$what: every core had a part" in_guest \
	"ixctl cores --json | jq -ce '[.cores[].rx_packets] | ., (length == 2 and min * 4 > max)'"
check "$what: every queue had a part" in_guest "every_queue_received 4"
check "$what: every group has a core, and each core half" in_guest \
	"ixctl flows --json | jq -e '.groups | length == 256 and ([.[] | select(. == 1)] | length) == 128'"
check "$what: download of 64 MB" download 64
check "$what: upload of 64 MB" upload 64
ended "200 connections over all queues and cores, 64 MB out, 64 MB in"

what="zero copy, 4 queues, 2 cores, software steering"
serving 2 4 zerocopy software "check_frames = true;" || exit 1
check "$what: status: two sockets for each queue" status_says \
	'.copy == "zerocopy" and .rss == "software" and all(.queue_list[]; .sockets == 2)'
check "$what: 200 connections" echo_all 200 4000
check "$what: every core had a part" in_guest \
	"ixctl cores --json | jq -ce '[.cores[].rx_packets] | ., (length == 2 and min * 4 > max)'"
check "$what: download of 16 MB" download 16
check "$what: upload of 16 MB" upload 16
ended "200 connections, 16 MB out, 16 MB in, every frame watched"

what="zero copy but on two queues"
in_guest "REFUSED=1,3"
serving 2 4 auto auto "check_frames = true;" || exit 1
in_guest "REFUSED="
check "$what: status: mixed, with the reason, for each queue" status_says \
	'.copy == "mixed" and ([.queue_list[].copy] == ["zerocopy", "copy", "zerocopy", "copy"]) and
	 all(.queue_list[]; (.copy == "zerocopy") == (.copy_why == "")) and
	 (.queue_list[1].copy_why | test("driver virtio_net has no zero copy for it"))'
in_guest "ixctl status"
check "$what: 100 connections" echo_all 100 10000
check "$what: every queue had a part" in_guest "every_queue_received 4"
check "$what: download of 16 MB" download 16
ended "fallback of single queues: 100 connections, 16 MB out"

what="copy forced, 4 queues, 2 cores"
serving 2 4 copy || exit 1
check "$what: status says so" status_says '.copy == "copy"'
check "$what: 100 connections" echo_all 100 20000
check "$what: download of 16 MB" download 16
check "$what: upload of 16 MB" upload 16
ended "100 connections, 16 MB out, 16 MB in"

what="zero copy, faults"
serving 2 4 auto auto "check_frames = true;" || exit 1
start hold in_peer k-client "$GUEST_ADDR:7000" hold --connections 20 --bytes 100 --timeout 170
check "$what: 20 connections that stay" wait_line hold 'held=20' 30
in_guest "ip link set ix0 down"
check "$what: ixd says that the link is down" in_guest "says ixd 'ix0 is down'"
in_guest "ip link set ix0 up"
check "$what: and up" wait_until 10 status_says '.is_up'
check "$what: serves again" echo_all 10 20000
hold_round "link down and up"
in_guest "ip link set ix0 mtu 1400"
check "$what: ixd sees the MTU" in_guest "says ixd 'ix0 has MTU 1400 now'"
check "$what: serves with it" echo_all 10 20000
in_guest "ip link set ix0 mtu 1500"
check "$what: the kernel keeps the queues that have sockets" in_guest \
	"! ethtool -L ix0 combined 1 && [ \$(ls -d /sys/class/net/ix0/queues/rx-* | wc -l) = 4 ]"
hold_round "MTU, queues"
check "$what: the RSS table is changed by somebody else" in_guest "ethtool -X ix0 equal 1 || ethtool -X ix0 weight 1 0 0 0"
check "$what: ixd sees it" in_guest "says ixd 'somebody has changed its RSS table'"
check "$what: and serves" echo_all 10 20000
hold_round "RSS changed"
check "$what: the driver is unbound and bound" in_guest "nic_reset $GUEST_ADDR/24 4"
check "$what: ixd says that the device is gone" in_guest "says ixd 'its device is gone'"
check "$what: and has new sockets" in_guest "says ixd 'has new AF_XDP sockets .device [0-9]+, 4 queues, zerocopy'"
check "$what: serves after it" echo_all 10 20000
hold_round "driver reset"
stop hold
ended "link down and up, MTU, RSS, queues, driver unbound and bound: connections go on"
printf "%s\n" "sync; busybox poweroff -f" >&"$VM_TO"
wait_until 10 not is_alive vm
