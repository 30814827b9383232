# SPDX-License-Identifier: BSD-2-Clause
# bench: see tests/bench/bench.sh. Results in $(O)/bench. The measuring programs: tests/bench/README.md.

BENCH_DEPS := python3-matplotlib
BENCH_ENV  := BENCH_OUT='$(abspath $(O))/bench' IXD_BUILD='$(O)' QUICK='$(QUICK)' ROUNDS='$(ROUNDS)'
bench: deps deps-bench ## measure ixd beside the kernel, 11 minutes (QUICK=1: 3; ONLY=rtt,msgs: parts)
	$(parallel) tests
	$(Q)$(BENCH_ENV) ONLY='$(filter-out .,$(ONLY))' tests/bench/bench.sh

deps-bench: ## install what the plots need
	$(Q)tools/deps $(BENCH_DEPS)

bench-readme: ## README's performance section and the baseline, from the last full run
	$(Q)python3 -B tests/bench/report/readme.py '$(O)/bench/results.json' README.md
	$(Q)python3 -B tests/bench/report/readme.py '$(O)/bench/results.json' --baseline tests/bench/baseline.json \
		"$$(git rev-parse HEAD)"

# The revision that the figures in the tree are of.
BASE ?= $(shell sed -n 's/^ *"revision": "\(.*\)".*/\1/p' tests/bench/baseline.json)
bench-check: deps bench-engine ## paired runs against another build (BASE=revision or build folder)
	$(parallel) tests
	$(Q)base=$$(tests/bench/base-build '$(O)' '$(BASE)') && \
		BENCH_OUT='$(abspath $(O))/bench-check' IXD_BUILD='$(O)' QUICK='$(QUICK)' tests/bench/check.sh "$$base" '$(BASE)'

.PHONY: bench deps-bench bench-readme bench-check

# A folder is a program: tests/bench/load is ix-load. XDP programs are NAME.bpf.c, their headers bench_NAME.skel.h.
bench_src = $(filter-out %.bpf.c,$(call src,tests/bench/$(1)/*.c))
BENCH_LIB_SRC     := $(call bench_src,lib)
BENCH_LOAD_SRC    := $(call bench_src,load)
BENCH_REFLECT_SRC := $(call bench_src,reflect)
BENCH_RESPOND_SRC := $(call bench_src,respond)
BENCH_RTT_SRC     := $(call bench_src,rtt)
BENCH_KLOAD_SRC   := $(call bench_src,kload)
# Of ixd: mapped rings, and frames out without an skb.
BENCH_IXD_SRC     := $(addprefix daemon/supervisor/,clock.c ethtool.c genl_family.c netdev_features.c transmit_program.c why.c xdp_anchor.c) \
	$(addprefix daemon/dataplane/,xdp_transmit.c xsk_ring.c) daemon/common/rights.c
BENCH_LIB_OBJS    := $(call obj,$(BENCH_LIB_SRC) $(BENCH_IXD_SRC))
BENCH_SRC         := $(BENCH_KLOAD_SRC) $(BENCH_LIB_SRC) $(BENCH_LOAD_SRC) $(BENCH_REFLECT_SRC) $(BENCH_RESPOND_SRC) $(BENCH_RTT_SRC)
BENCH_BPF         := $(call src,tests/bench/*/*.bpf.c)
BENCH_SKELETONS   := $(patsubst %.bpf.c,$(O)/gen/bench_%.skel.h,$(notdir $(BENCH_BPF)))
BENCH_BINS        := $(addprefix $(O)/tests/bench/,ix-load ix-reflect ix-respond ix-rtt k-load)

vpath %.bpf.c $(sort $(dir $(BENCH_BPF)))
$(O)/bpf/bench_%.bpf.o: %.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
$(call obj,$(BENCH_SRC)): $(BENCH_SKELETONS)

$(O)/tests/bench/ix-load: $(call obj,$(BENCH_LOAD_SRC) $(TCP_SRC)) $(BENCH_LIB_OBJS)
	$(call link,-lm $(call pkg_libs,libbpf libmnl))
$(O)/tests/bench/ix-reflect: $(call obj,$(BENCH_REFLECT_SRC)) $(BENCH_LIB_OBJS)
	$(call link,-lm $(call pkg_libs,libbpf libmnl))
$(O)/tests/bench/ix-respond: $(call obj,$(BENCH_RESPOND_SRC)) $(BENCH_LIB_OBJS)
	$(call link,-lm $(call pkg_libs,libbpf libmnl))
$(O)/tests/bench/ix-rtt: $(call obj,$(BENCH_RTT_SRC)) $(BENCH_LIB_OBJS) $(O)/lib/libixclient.a
	$(call link,-lm $(call pkg_libs,libbpf libmnl))
$(O)/tests/bench/k-load: $(call obj,$(BENCH_KLOAD_SRC)) $(BENCH_LIB_OBJS)
	$(call link,-lm $(call pkg_libs,libbpf libmnl))
bench-skeletons: $(BENCH_SKELETONS)
bench-tools: $(BENCH_BINS) ## build the measuring programs: ix-load and others
tests: $(BENCH_BINS)
.PHONY: bench-tools bench-skeletons

$(O)/tests/unit_bench: $(BENCH_LIB_OBJS)
$(O)/tests/unit_bench: LDFLAGS += -Wl,--no-as-needed -lm
