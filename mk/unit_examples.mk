# SPDX-License-Identifier: BSD-2-Clause
# What the examples share has tests of its own.
$(O)/tests/unit_examples: $(call obj,$(EXAMPLE_COMMON))
