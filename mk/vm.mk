# SPDX-License-Identifier: BSD-2-Clause
# check-vm: what the kernel of this machine cannot show. Kernels come by apt and are kept in $(O)/vm.
VM_DEPS := qemu-system-x86 busybox-static kmod cpio xz-utils zstd dpkg jq ethtool

check-vm: deps deps-vm tests ## boot other kernels (Debian 12's own and the newest) under QEMU and test there
	$(Q)IXD_SAN='$(SAN)' tests/run --vm --build $(O) --only '$(ONLY)'

deps-vm:
	$(Q)tools/deps $(VM_DEPS)

.PHONY: check-vm deps-vm
