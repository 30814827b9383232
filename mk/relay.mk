# SPDX-License-Identifier: BSD-2-Clause
# The impairment relay is a tool of the end-to-end tests that needs more than one file. interop: the full matrix.
RELAY_SRC := $(call src,tests/relay/*.c)

$(O)/tests/net/relay: $(call obj,$(RELAY_SRC))
	$(call link,)
tests: $(O)/tests/net/relay
