# SPDX-License-Identifier: BSD-2-Clause
demo: deps all $(NETTOOL_BINS) ## serve curl through ixd in two network namespaces and compare with the kernel
	$(Q)IXD_BUILD=$(O) tools/demo

.PHONY: demo
