# SPDX-License-Identifier: BSD-2-Clause
# The impairment relay is a tool of the end-to-end tests that needs more than one file. interop: the full matrix.
RELAY_SRC := $(call src,tests/relay/*.c)

$(O)/tests/net/relay: $(call obj,$(RELAY_SRC))
	$(call link,)
tests: $(O)/tests/net/relay
$(O)/tests/unit_relay: $(filter-out %/main.o,$(call obj,$(RELAY_SRC)))

# The matrix (see tests/interop/interop), fairness, and lwIP behind what the matrix does not have. A full run that was
# interrupted goes on where it was.
INTEROP ?= .
interop: deps tests ## interoperation with kernel TCP and lwIP, fairness (root; an hour; QUICK=1: six minutes)
ifeq ($(QUICK),)
	$(Q)export IXD_SAN='$(SAN)' IXD_BUILD=$(O); rc=0; \
	tests/interop/fairness || rc=1; \
	tests/interop/lwip || rc=1; \
	tests/interop/interop --only '$(INTEROP)' || rc=1; \
	exit $$rc
else
	$(Q)export IXD_SAN='$(SAN)' IXD_BUILD=$(O); rc=0; \
	SEEDS=1 LEAST=30 tests/interop/fairness || rc=1; \
	tests/interop/interop --quick --fresh --only '$(INTEROP)' || rc=1; \
	exit $$rc
endif
.PHONY: interop

# The pattern through ixd, for the matrix.
$(O)/tests/net/ix-pattern: $(O)/tests/interop/ix-pattern.o $(O)/lib/libixclient.a
	$(call link,)
tests: $(O)/tests/net/ix-pattern

# lwIP as a second foreign peer. Its headers are not ours to mend.
DEPS += liblwip-dev
$(O)/tests/lwip/k-lwip.o: CPPFLAGS += -isystem /usr/include/lwip
$(O)/tests/net/k-lwip: $(O)/tests/lwip/k-lwip.o
	$(call link,-llwip)
tests: $(O)/tests/net/k-lwip
