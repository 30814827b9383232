# SPDX-License-Identifier: BSD-2-Clause
# check-vm: what the kernel of this machine cannot show. Kernels come by apt and are kept in $(O)/vm.
VM_DEPS := qemu-system-x86 busybox-static kmod cpio xz-utils zstd dpkg jq ethtool

check-vm: deps deps-vm tests ## boot other kernels (Debian 12's own and the newest) under QEMU and test there
	$(Q)IXD_SAN='$(SAN)' tests/run --vm --build $(O) --only '$(ONLY)' --again $(AGAIN)

# What drivers do that the machine's do not: preloaded into ixd.
$(O)/tests/vm/refuse-zerocopy.so: tests/vm/refuse_zerocopy.c
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -shared -o $@ $<
tests: $(O)/tests/vm/refuse-zerocopy.so

check-nic: deps deps-vm tests ## the same cases on a NIC: IF=eth1 PEER=eth2 (a second one) or PEER=ssh:HOST PEER_IF=eth1
	$(Q)IXD_BUILD='$(abspath $(O))' tests/nic/check '$(IF)' '$(PEER)'

tried: ## put the table of what was tried (check, check-vm, check-nic) into README.md
	$(Q)tests/vm/table $(O) README.md

deps-vm:
	$(Q)tools/deps $(VM_DEPS)

.PHONY: check-vm check-nic tried deps-vm
