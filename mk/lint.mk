# SPDX-License-Identifier: BSD-2-Clause
# lint: format, two compilers, two analysers, shell scripts, man pages. check-layers: who may include whom.

lint: deps-lint check-layers $(SKELETONS) $(O)/gen/io.ixd.varlink.h $(O)/gen/tried_table.h bench-skeletons ## formatting, static analysis, both compilers
	$(Q)tools/lint $(O)

deps-lint:
	$(Q)tools/deps $(DEPS) $(LINT_DEPS)

check-layers: ## who may include whom
	$(Q)tools/check-layers

# Generated headers count as the system's: nobody mends them here.
tidy_cppflags = $(subst -I$(O)/gen,-isystem $(O)/gen,$(CPPFLAGS))

# The compile commands that clang-tidy reads: what make would run, as JSON.
compile-commands: $(SKELETONS) $(O)/gen/io.ixd.varlink.h $(O)/gen/tried_table.h bench-skeletons
	$(Q)tools/compile-commands $(O) '$(subst ','\'',$(CLANG) $(tidy_cppflags) $(filter-out -Werror,$(CFLAGS)))' \
		$(TCP_SRC) $(COMMON_SRC) $(SUPERVISOR_SRC) $(DATAPLANE_SRC) $(CONTROL_SRC) $(CLIENT_SRC) $(CTL_SRC) \
		$(EXAMPLE_SRC) $(EXAMPLE_COMMON) $(NETTOOL_SRC) $(HOSTILE_SRC) $(SIM_SRC) $(RIG_SRC) $(RELAY_SRC) \
		$(BENCH_SRC) $(call src,tests/bench/kv/*.c) $(call src,tests/interop/*.c)

.PHONY: lint deps-lint check-layers compile-commands
