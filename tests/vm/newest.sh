#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The newest kernel that Debian offers for its stable release, with a virtio NIC that can do zero copy: ixd runs in
# a virtual machine, this machine's kernel is the peer at the other end of a TAP device.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/vm/vm.bash"
. "$TEST_ROOT/tests/vm/cases.bash"

# shellcheck disable=SC2034 # used by the cases
NIC=ix0 NIC_ADDR=$GUEST_ADDR DRIVER=virtio_net QUEUES=4 RESET=1 COPY=zerocopy SEEN_IF=p0
# shellcheck disable=SC2034
SAYS='.copy == "zerocopy" and .queues == 4 and .rss == "aligned" and all(.queue_list[]; .sockets == 1 and .copy == "zerocopy")'

nic_result() {
	vm_result "$@"
}

# QEMU 7.2 with RSS takes a packet from the TAP's queue of one pair and gives it to another pair's: when that has no
# buffer, the first one is blocked until buffers are added to it, which may be never. So nothing is sent to the NIC
# between its sockets being made and their FILL rings being full.
peer_silent() {
	ip -n peer link set "$SEEN_IF" down
}

peer_speaks() {
	ip -n peer link set "$SEEN_IF" up
}

vm_kernel trixie-backports newest
vm_start 4 || exit 1
in_guest "mkdir -p /tmp/www; cd /tmp/www; k-pattern 64M >64; k-pattern 16M >16; cd /work"
check "the header of zero-copy packets is in unused memory" header_is_zero
# All queue pairs: with fewer, and after a start with all as well, QEMU 7.2 loses what the peer sends until the number
# has changed. Changing it after a zero-copy socket was closed stops kernel 7.3 inside virtio_net.
in_guest "nic $NIC_ADDR/24 4; all_queues 4"
check "the peer reaches the machine" wait_until 30 in_peer ping -c 1 -W 1 -q "$NIC_ADDR"
in_guest "other_nic eth1 ix1 $SECOND_ADDR/24; other_nic eth2 ix2 $THIRD_ADDR/24; NIC=ix2; all_queues 2; NIC=ix0"

# nic_is NAME ADDRESS QUEUES: for the cases that follow
nic_is() {
	NIC=$1 NIC_ADDR=$2 QUEUES=$3 SEEN_IF=p${1#ix} SAYS=""
	in_guest "NIC=$1"
}

cases=${VM_CASES:-best,software,refused,copy,faults,rss,starved}
for name in ${cases//,/ }; do
	case $name in
	rss) nic_is ix2 "$THIRD_ADDR" 2 ;;
	# A queue without a buffer blocks, in QEMU 7.2 with RSS, the TAP queue that its packet came by, and only buffers
	# of that other queue open it again: so the NIC with one queue.
	starved) nic_is ix1 "$SECOND_ADDR" 1 ;;
	esac
	"case_$name"
done
printf "%s\n" "sync; busybox poweroff -f" >&"$VM_TO"
wait_until 10 not is_alive vm
# What the kernel said to its console.
[ "$FAILED" = 0 ] || log_show vm 60
