# SPDX-License-Identifier: BSD-2-Clause
# The impairment relay is a tool of the end-to-end tests that needs more than one file. interop: the full matrix.
RELAY_SRC := $(call src,tests/relay/*.c)

$(O)/tests/net/relay: $(call obj,$(RELAY_SRC))
	$(call link,)
tests: $(O)/tests/net/relay
$(O)/tests/unit_relay: $(filter-out %/main.o,$(call obj,$(RELAY_SRC)))

INTEROP ?= .
interop: deps tests ## the matrix of interoperation with the kernel's TCP, and fairness (root; about two hours)
	$(Q)IXD_SAN='$(SAN)' IXD_BUILD=$(O) tests/interop/interop '$(INTEROP)'
	$(Q)IXD_SAN='$(SAN)' IXD_BUILD=$(O) tests/interop/fairness
	$(Q)IXD_SAN='$(SAN)' IXD_BUILD=$(O) tests/interop/lwip
.PHONY: interop

# lwIP as a second foreign peer. Its headers are not ours to mend.
DEPS += liblwip-dev
$(O)/tests/lwip/k-lwip.o: CPPFLAGS += -isystem /usr/include/lwip
$(O)/tests/net/k-lwip: $(O)/tests/lwip/k-lwip.o
	$(call link,-llwip)
tests: $(O)/tests/net/k-lwip
