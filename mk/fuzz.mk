# SPDX-License-Identifier: BSD-2-Clause
# fuzz: each tests/fuzz/LAYER_WHAT_fuzz.c is a fuzzer for the layer that it names. Coverage has to be compiled into
# what is fuzzed, so every layer is built a second time, once for all its fuzzers, as an archive. The same sources
# with the ordinary objects and tests/fuzz/replay.c make programs that replay files: those run in `make check`.

T ?= 60
FUZZ_NAMES  := $(patsubst tests/fuzz/%_fuzz.c,%,$(FUZZ_SRC))
FUZZ_BINS   := $(patsubst %,$(O)/fuzz/%,$(FUZZ_NAMES))
REPLAY_BINS := $(patsubst %,$(O)/tests/fuzz/%,$(FUZZ_NAMES))
FUZZ_SAN    := -fsanitize=address,undefined -fno-sanitize-recover=all
fuzz_libs    = $(call pkg_libs,$(PKGS_SUPERVISOR) $(PKGS_CONTROL))

fuzz_obj = $(patsubst %.c,$(O)/fuzz/obj/%.o,$(1))
$(O)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,FUZZ-CC,$@)$(CLANG) $(CPPFLAGS) $(CFLAGS) $(FUZZ_SAN) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

# The client side's rig for the dataplane's fuzzers, with Criterion's assertions made to abort.
fuzz_rig_dataplane := tests/unit/dataplane/client_rig.c
$(call fuzz_obj,$(FUZZ_SRC) $(fuzz_rig_dataplane)): CPPFLAGS := -Itests/fuzz/include $(CPPFLAGS)
$(call fuzz_obj,$(SUPERVISOR_SRC)): $(SKELETONS)
$(call fuzz_obj,$(CONTROL_SRC)): | $(O)/gen/io.ixd.varlink.h $(O)/gen/tried_table.h

fuzz_layer_tcp        := $(TCP_SRC) $(RIG_SRC)
fuzz_layer_common     := $(COMMON_SRC)
fuzz_layer_dataplane  := $(filter-out %/main.c,$(DATAPLANE_SRC)) $(fuzz_rig_dataplane)
fuzz_layer_control    := $(filter-out %/main.c,$(CONTROL_SRC))
fuzz_layer_supervisor := $(filter-out %/main.c,$(SUPERVISOR_SRC))
FUZZ_LAYERS := tcp common dataplane control supervisor
define fuzz_layer_rule
$(O)/fuzz/lib$(1).a: $(call fuzz_obj,$(fuzz_layer_$(1)))
	$$(call say,AR,$$@)rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach layer,$(FUZZ_LAYERS),$(eval $(call fuzz_layer_rule,$(layer))))

fuzz_layer_of = $(firstword $(subst _, ,$(1)))
define fuzz_rule
$(O)/fuzz/$(1): $(O)/fuzz/obj/tests/fuzz/$(1)_fuzz.o \
		$(patsubst %,$(O)/fuzz/lib%.a,$(filter-out common tcp,$(call fuzz_layer_of,$(1))) common tcp)
	$$(call say,FUZZ-LD,$$@)$$(CLANG) $$(CFLAGS) $$(FUZZ_SAN) -fsanitize=fuzzer -o $$@ $$^ $$(fuzz_libs)
$(O)/tests/fuzz/$(1): $(O)/tests/fuzz/obj/tests/fuzz/$(1)_fuzz.o $(O)/tests/fuzz/replay.o \
		$(patsubst %.c,$(O)/tests/fuzz/obj/%.o,$(fuzz_rig_$(call fuzz_layer_of,$(1)))) \
		$(call obj,$(filter-out $(fuzz_rig_dataplane),$(fuzz_layer_$(call fuzz_layer_of,$(1)))) \
			$(if $(filter-out tcp,$(call fuzz_layer_of,$(1))),$(TCP_SRC)) $(COMMON_SRC))
	$$(call link,$$(fuzz_libs))
endef
$(foreach name,$(FUZZ_NAMES),$(eval $(call fuzz_rule,$(name))))
$(O)/tests/fuzz/obj/%.o: CPPFLAGS := -Itests/fuzz/include $(CPPFLAGS)
$(O)/tests/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@
tests: $(REPLAY_BINS)

fuzz: deps ## fuzz every target for T seconds, two at once (T=3600: an hour each)
	$(parallel) $(FUZZ_BINS)
	$(Q)tools/fuzz $(T) $(O)/fuzz $(FUZZ_NAMES)

fuzz-corpus: deps ## take what `make fuzz` found into tests/fuzz/corpus, as few inputs as reach the same
	$(parallel) $(FUZZ_BINS)
	$(Q)tools/fuzz --merge $(O)/fuzz $(FUZZ_NAMES)

.PHONY: fuzz fuzz-corpus
