# SPDX-License-Identifier: BSD-2-Clause
# What the examples share has tests of its own; some of it needs a client of an ixd that is played by hand.
$(O)/tests/unit_examples: $(call obj,$(EXAMPLE_COMMON) $(CLIENT_SRC) tests/unit/client-lib/fake_ixd.c)
