# SPDX-License-Identifier: BSD-2-Clause
# Proof of the TCP engine beyond the unit tests: the script runner. The simulator is in the main file.

CONFORMANCE_SCRIPTS := $(sort $(wildcard tests/conformance/scripts/*.tcp))

$(O)/tests/conformance/run: $(call obj,$(call src,tests/conformance/*.c) tests/unit/tcp/rig.c $(RIG_SRC) $(TCP_SRC))
	$(call link,)
tests: $(O)/tests/conformance/run

conformance: $(O)/tests/conformance/run ## run the conformance scripts and check the table
	$(Q)$(O)/tests/conformance/run $(CONFORMANCE_SCRIPTS)
	$(Q)tests/conformance/check-table
.PHONY: conformance

mutate: $(O)/tests/conformance/run ## break the rules of the engine one by one: the named script must fail
	$(Q)tests/conformance/mutate $(O) $(CC)
.PHONY: mutate

$(O)/tests/engine-bench: $(call obj,tests/bench/engine.c $(RIG_SRC) $(TCP_SRC))
	$(call link,)
tests: $(O)/tests/engine-bench
DEPS += valgrind
bench-engine: $(O)/tests/engine-bench ## instructions per segment of the pure engine
	$(Q)tests/bench/engine-bench $<
.PHONY: bench-engine
