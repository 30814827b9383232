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

# Every frame has one owner, all of them are there, and when nothing is under way none is on its way out and the
# pools have all that is free.
frames_add_up() {
	in_guest "frames_are_right"
}

# serving CORES QUEUES COPY [MODE]
serving() {
	check "$what: ixd starts" in_guest "ixd_up $1 $2 $3 ${4:-auto}" &&
		check "$what: ix-echo" in_guest "as_client echo ix-echo -l $GUEST_ADDR:7000" &&
		check "$what: ix-httpd" in_guest "as_client httpd ix-httpd -l $GUEST_ADDR:8080 --root /tmp/www --sink /sink"
}

ended() {
	check "$what: frames add up to the UMEM" frames_add_up
	check "$what: no packet came by a queue without a socket" in_guest "nothing_lost"
	check "$what: all ends in order" in_guest "stopped echo && stopped httpd && ixd_down"
	vm_result "virtio_net, $what" "$1"
}

status_says() {
	in_guest "ixctl status --json | jq -e '.interfaces[0] | $1'"
}

vm_kernel trixie-backports newest
vm_start 4 || exit 1
in_guest "mkdir -p /tmp/www; cd /tmp/www; k-pattern 64M >64; k-pattern 16M >16; cd /work"
# All queue pairs: with fewer, QEMU 7.2 loses what the peer sends until the number has changed, and changing it
# after a zero-copy socket was closed stops kernel 7.3 inside virtio_net.
in_guest "nic $GUEST_ADDR/24 4"
check "the peer reaches the machine" wait_until 10 in_peer ping -c 1 -W 1 -q "$GUEST_ADDR"

what="zero copy, 4 queues, 2 cores"
serving 2 4 zerocopy || exit 1
check "$what: status says so" status_says '.copy == "zerocopy" and .queues == 4'
check "$what: 200 connections" echo_all 200 10000
check "$what: download of 64 MB" download 64
check "$what: upload of 16 MB" upload 16
check "$what: every core had a part" in_guest \
	"ixctl cores --json | jq -e '[.cores[].rx_packets] | length == 2 and min * 10 > max'"
check "$what: every queue had a part" in_guest "every_queue_received 4"
check "$what: every group has a core" in_guest \
	"ixctl flows --json | jq -e '.groups | length == 256 and ([.[] | select(. == 1)] | length) == 128'"
ended "200 connections over all queues and cores, 64 MB out, 16 MB in"

what="copy forced, 4 queues"
serving 2 4 copy || exit 1
check "$what: status says so" status_says '.copy == "copy"'
check "$what: 100 connections" echo_all 100 20000
check "$what: download of 16 MB" download 16
check "$what: upload of 4 MB" upload 4
ended "100 connections, 16 MB out, 4 MB in"

what="zero copy, faults"
serving 2 4 zerocopy || exit 1
start hold in_peer k-client "$GUEST_ADDR:7000" hold --connections 20 --bytes 100 --timeout 170
check "$what: 20 connections that stay" wait_line hold 'held=20' 30
in_guest "ip link set ix0 down"
check "$what: ixd says that the link is down" in_guest "says ixd 'ix0 is down'"
in_guest "ip link set ix0 up"
check "$what: and up" wait_until 10 status_says '.is_up'
check "$what: serves again" echo_all 10 20000
in_guest "ip link set ix0 mtu 1400"
check "$what: ixd sees the MTU" in_guest "says ixd 'ix0 has MTU 1400 now'"
check "$what: serves with it" echo_all 10 20000
in_guest "ip link set ix0 mtu 1500"
check "$what: the kernel keeps the queues that have sockets" in_guest \
	"! ethtool -L ix0 combined 1 && [ \$(ls -d /sys/class/net/ix0/queues/rx-* | wc -l) = 4 ]"
check "$what: serves still" echo_all 10 20000
check "$what: the connections that stayed are there" in_guest \
	"ixctl ss --json | jq -e '[.. | objects | select(.state? == \"established\")] | length == 20'"
check "$what: the peer has them" is_alive hold
stop hold
ended "link down and up, MTU, queues"
printf "%s\n" "sync; busybox poweroff -f" >&"$VM_TO"
wait_until 10 not is_alive vm
