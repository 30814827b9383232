# SPDX-License-Identifier: BSD-2-Clause
# bench: see tests/bench/bench.sh. Results in $(O)/bench.

bench: deps ## measure ixd beside the kernel (QUICK=1: shorter, ROUNDS=N: longer)
	$(parallel) tests
	$(Q)BENCH_OUT='$(abspath $(O))/bench' IXD_BUILD='$(O)' QUICK='$(QUICK)' tests/bench/bench.sh

.PHONY: bench
