#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Accurate ECN with a kernel that speaks it, which Debian's stable one does not: tests/net/accurate-ecn.sh, with both ends
# inside a virtual machine that runs the newest kernel.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/vm/vm.bash"

vm_kernel trixie-backports newest
nice -n "${VM_NICE:-5}" "$VM_HERE/boot" "$VM_KERNEL" "$T/initramfs" accurate-ecn 2>&1 | tr -d '\r' | tee "$T/log/vm" |
	grep -aE '^(ok|not ok|skip|#|result:)'
check "accurate-ecn.sh, all of it" grep -aq '^result: accurate-ecn 0$' "$T/log/vm"
vm_result "veth, copy" "tests/net/accurate-ecn.sh" "$(grep -aEc '^ok accurate-ecn: ' "$T/log/vm")"
