# SPDX-License-Identifier: BSD-2-Clause
# check, fuzz: see tests/run. `make check SAN=address,undefined O=build/asan` runs the same tests sanitised.

SEEDS ?= 1000
ONLY  ?= .

# What is missing is installed before anything is built, and the build then asks pkg-config anew; on all CPUs.
JOBS     ?= $(shell nproc)
parallel  = $(Q)$(MAKE) --no-print-directory -j $(JOBS)

check: deps ## run all tests (as root: end to end as well)
	$(parallel) tests
	$(Q)IXD_SAN='$(SAN)' tests/run --build $(O) --only '$(ONLY)' --seeds $(SEEDS)

# A fuzzer is one file, linked with the layer that it names: tests/fuzz/LAYER_WHAT_fuzz.c. Own objects, because
# coverage has to be compiled into what is fuzzed.
FUZZ_S     ?= 10
FUZZ_BINS  := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(FUZZ_SRC))
FUZZ_FLAGS := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
fuzz_layer  = $(firstword $(subst _, ,$(notdir $*)))
fuzz_src_tcp       := $(TCP_SRC)
fuzz_src_common    := $(COMMON_SRC) $(TCP_SRC)
# The client side's rig, with Criterion's assertions made to abort.
fuzz_src_dataplane := $(filter-out %/main.c,$(DATAPLANE_SRC)) $(COMMON_SRC) $(TCP_SRC) \
	tests/unit/dataplane/client_rig.c
$(O)/fuzz/dataplane_%: CPPFLAGS := -Itests/fuzz/include $(CPPFLAGS)
fuzz_src_control   := $(filter-out %/main.c,$(CONTROL_SRC)) $(COMMON_SRC) $(TCP_SRC)
fuzz_src_client    := $(CLIENT_SRC)
fuzz_src_supervisor := $(filter-out %/main.c,$(SUPERVISOR_SRC)) $(COMMON_SRC) $(TCP_SRC)
$(O)/fuzz/%_fuzz: tests/fuzz/%_fuzz.c $(TCP_SRC) $(COMMON_SRC) $(DATAPLANE_SRC) $(CONTROL_SRC) $(CLIENT_SRC) | $(O)/gen/ixd.skel.h
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(CLANG) $(CPPFLAGS) $(CFLAGS) $(FUZZ_FLAGS) -o $@ $< $(fuzz_src_$(fuzz_layer)) \
		$(call pkg_libs,$(PKGS_SUPERVISOR) $(PKGS_CONTROL))

fuzz: deps ## build the fuzzers and run each for FUZZ_S seconds
	$(parallel) $(FUZZ_BINS)
	$(Q)tools/fuzz $(FUZZ_S) $(O)/fuzz $(FUZZ_BINS)

.PHONY: check fuzz
