# SPDX-License-Identifier: BSD-2-Clause
# The kernel's contenders that need more than one source file or a library. They lie with the other tools of
# the end-to-end tests, which find their programs in one folder.

KV_SRC := $(call src,client-lib/examples/kv_*.c)

$(O)/tests/net/k-kv: $(O)/tests/bench/kv/k-kv.o $(call obj,$(KV_SRC))
	$(call link,)
$(O)/tests/net/k-uring: $(O)/tests/net/k-uring.o
	$(call link,$(call pkg_libs,liburing))
tests: $(O)/tests/net/k-kv
$(O)/tests/unit_bench: $(O)/tests/bench/load/kv.o
