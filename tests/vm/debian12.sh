#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Debian 12's own kernel, 6.1, the oldest that is supported: end-to-end tests over veth, in copy mode, inside a
# virtual machine. It has no multi-buffer and no TX metadata, and maps the rings of unbound sockets only.
. "$(dirname "$0")/../lib/harness.sh"
. "$TEST_ROOT/tests/vm/vm.bash"

# The longest first.
CASES=${VM_CASES:-ifaces,dataplane-crash,http,connect,echo,matrix}

vm_kernel own debian12
nice -n "${VM_NICE:-5}" "$VM_HERE/boot" "$VM_KERNEL" "$T/initramfs" "$CASES" 2>&1 | tr -d '\r' | tee "$T/log/vm" |
	grep -aE '^(ok|not ok|skip|#|result:)'
for name in ${CASES//,/ }; do
	passed=$(grep -aEc "^ok $name: " "$T/log/vm")
	if grep -aq "^result: $name 0$" "$T/log/vm"; then
		ok "$name.sh, all of it"
	else
		not_ok "$name.sh: $(grep -a "^result: $name " "$T/log/vm" || echo 'did not end in time')"
		tail -n 5 "$T/log/vm" | sed 's/^/#   /'
	fi
	vm_result "veth, copy" "tests/net/$name.sh" "$passed"
done
