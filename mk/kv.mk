# SPDX-License-Identifier: BSD-2-Clause
# The kernel's contenders that need more than one source file or a library. They lie with the other tools of
# the end-to-end tests, which find their programs in one folder.

KV_SRC := $(call src,client-lib/examples/kv_*.c)

$(O)/tests/net/k-kv: $(O)/tests/bench/kv/k-kv.o $(call obj,$(KV_SRC))
	$(call link,)
URING_LOOP := $(O)/tests/bench/uring/loop.o
$(O)/tests/net/k-uring: $(O)/tests/bench/uring/echo.o $(URING_LOOP)
	$(call link,$(call pkg_libs,liburing))
$(O)/tests/net/k-uring-httpd: $(O)/tests/bench/uring/httpd.o $(URING_LOOP)
	$(call link,$(call pkg_libs,liburing))
$(O)/tests/net/k-uring-kv: $(O)/tests/bench/uring/kv.o $(URING_LOOP) $(call obj,$(KV_SRC))
	$(call link,$(call pkg_libs,liburing))
$(O)/tests/net/k-uring-load: $(O)/tests/bench/uring/load.o $(URING_LOOP) $(BENCH_LIB_OBJS)
	$(call link,-lm $(call pkg_libs,liburing libbpf libmnl))
tests: $(addprefix $(O)/tests/net/,k-kv k-uring k-uring-httpd k-uring-kv k-uring-load)
$(O)/tests/unit_bench: $(O)/tests/bench/load/kv.o
