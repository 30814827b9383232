# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Tests with a virtual machine as ixd's side and this machine's kernel as the peer: the NIC's other end is a TAP
# device in the network namespace `peer` of the harness, which must have been read before.

# A free machine of two cores needs less than two minutes; others may be busy on it.
export VM_TIMEOUT=${VM_TIMEOUT:-420}
VM_HERE=$TEST_ROOT/tests/vm
# shellcheck disable=SC2034 # used by tests
GUEST_ADDR=$IX_ADDR
# shellcheck disable=SC2034
SECOND_ADDR=10.78.0.1 THIRD_ADDR=10.79.0.1

# vm_kernel SUITE NAME: fetched and packed; sets VM_KERNEL. Skips the test without network or QEMU.
vm_kernel() {
	local rc reason
	command -v qemu-system-x86_64 >/dev/null || skip_all "needs qemu-system-x86_64"
	VM_KERNEL=$IXD_BUILD/vm/$2
	mkdir -p "$VM_KERNEL"
	reason=$("$VM_HERE/fetch-kernel" "$1" "$VM_KERNEL" 2>&1)
	rc=$?
	[ $rc != 77 ] || skip_all "$reason"
	: >"$VM_RESULTS"
	[ $rc = 0 ] && "$VM_HERE/make-initramfs" "$VM_KERNEL" "$IXD_BUILD" "$T/initramfs" && return 0
	not_ok "kernel of suite $1: $reason"
	exit 1
}

# Where virtio_net is a module, kernel 7.3 tells the device a wrong address of the header that it puts before each
# zero-copy packet: it takes the module's static variable for one of the kernel image (XSK_HDR - 0xffffffff80000000 +
# phys_base), where any memory may be. With other bytes than zero there, packets are dropped without a trace. Without
# KASLR that place is known, and left out of the memory that the guest uses, so that it stays as QEMU made it: zero.
XSK_HDR_AT=0x40000000 XSK_HDR_BYTES=0x4000000

# header_is_zero: what the device reads is memory that nobody uses (or the kernel has no such variable any more)
header_is_zero() {
	local at
	at=$(in_guest "sed -n 's/ [bd] xsk_hdr\t.*//p' /proc/kallsyms")
	[ -n "$at" ] || return 0
	at=$((0x$at - 0xffffffff80000000))
	echo "xsk_hdr is taken for $at"
	[ $at -ge $((XSK_HDR_AT)) ] && [ $at -lt $((XSK_HDR_AT + XSK_HDR_BYTES)) ]
}

# tap DEVICE ADDRESS [MODE]: the peer's end of a NIC
tap() {
	# shellcheck disable=SC2086 # no word where no mode is
	ip -n peer tuntap add dev "$1" mode tap ${3:-} vnet_hdr
	ip -n peer addr add "$2/24" dev "$1"
	ip -n peer link set "$1" txqueuelen 4000 up
}

# nic_options NUMBER QUEUES: QEMU's, for a virtio NIC that can do zero copy
nic_options() {
	echo "virtio-net-pci,netdev=net$1,mac=52:54:00:77:00:0$(($1 + 1)),rx_queue_size=1024,iommu_platform=on,disable-legacy=on$(
		[ "$2" = 1 ] || echo ",mq=on,rss=on,vectors=$((2 * $2 + 2))"
	)"
}

# vm_start QUEUES: a machine with three virtio NICs, with so many queue pairs and RSS, with one, and with two and RSS;
# answers commands
vm_start() {
	local queues=$1
	ip netns add peer
	ip -n peer link set lo up
	tap p0 "$PEER_ADDR" multi_queue
	tap p1 "${SECOND_ADDR%.*}.2"
	tap p2 "${THIRD_ADDR%.*}.2" multi_queue
	mkfifo "$T/vm.in" "$T/vm.out"
	exec {VM_TO}<>"$T/vm.in" {VM_FROM}<>"$T/vm.out"
	VM_APPEND="nokaslr memmap=$XSK_HDR_BYTES\$$XSK_HDR_AT" start vm in_peer nice -n "${VM_NICE:-5}" "$VM_HERE/boot" "$VM_KERNEL" "$T/initramfs" "" \
		-serial pipe:"$T/vm" \
		-netdev tap,id=net0,ifname=p0,script=no,downscript=no,queues="$queues" -device "$(nic_options 0 "$queues")" \
		-netdev tap,id=net1,ifname=p1,script=no,downscript=no -device "$(nic_options 1 1)" \
		-netdev tap,id=net2,ifname=p2,script=no,downscript=no,queues=2 -device "$(nic_options 2 2)"
	vm_answer "$((VM_BOOT_LIMIT_S))" && return 0
	not_ok "the machine boots"
	log_show vm 30
	return 1
}

# vm_answer SECONDS: prints the output of a command, returns its status
vm_answer() {
	local piece line="" end=$((SECONDS + $1))
	while [ "$SECONDS" -lt "$end" ] && is_alive vm; do
		# What has come of a line when the time is over is kept: the line goes on.
		IFS= read -r -t 1 -u "$VM_FROM" piece || {
			line+=$piece
			continue
		}
		line+=$piece
		[[ $line =~ ^rc\ ([0-9]+)$ ]] && return "${BASH_REMATCH[1]}"
		printf '%s\n' "$line"
		line=""
	done
	echo "# the machine does not answer"
	return 124
}

# in_guest COMMAND: executed as one line by the guest's shell with the functions of guest.bash
in_guest() {
	printf '%s\n' "${*//$'\n'/ }" >&"$VM_TO"
	vm_answer 100
}

# vm_result DRIVER WHAT [PASSED]: a row of the table of what was tried: how many checks passed since the last one, or
# FAILED. tests/vm/table makes the table.
vm_result() {
	local outcome=${3:-$((PASSED - ${RESULT_PASSED:-0}))}
	[ "$FAILED" = "${RESULT_FAILED:-0}" ] || outcome=FAILED
	RESULT_FAILED=$FAILED RESULT_PASSED=$PASSED
	printf '%s\t%s\t%s\t%s\n' "$(cat "$VM_KERNEL/version")" "$1" "$2" "$outcome" >>"$VM_RESULTS"
}
VM_RESULTS=$IXD_BUILD/vm/results.$TEST_NAME

VM_BOOT_LIMIT_S=${VM_BOOT_LIMIT_S:-100}
