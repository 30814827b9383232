# SPDX-License-Identifier: BSD-2-Clause
demo: deps ## serve curl through ixd in two network namespaces and compare with the kernel
	$(parallel) all $(NETTOOL_BINS)
	$(Q)IXD_BUILD=$(O) tools/demo

.PHONY: demo
