# SPDX-License-Identifier: BSD-2-Clause
# check: see tests/run. `make check SAN=address,undefined O=build/asan` runs the same tests sanitised.

# Of the simulator. So many within a minute, with sanitisers fewer.
SEEDS ?= $(if $(SAN),1000,10000)
ONLY  ?= .
# A suite that fails may show so many times that it was the machine; it is listed as unsteady then (see tests/run).
AGAIN ?= 0

# What is missing is installed before anything is built, and the build then asks pkg-config anew; on all CPUs.
JOBS     ?= $(shell nproc)
parallel  = $(Q)$(MAKE) --no-print-directory -j $(JOBS)

check: deps ## run all tests (as root: end to end as well)
	$(parallel) tests
	$(Q)IXD_SAN='$(SAN)' tests/run --build $(O) --only '$(ONLY)' --seeds $(SEEDS) --again $(AGAIN)

sim: $(O)/tests/simulator ## the simulator over SEEDS seeds (then: build/tests/simulator --seed N --trace)
	$(Q)$(O)/tests/simulator --corpus tests/sim/corpus --seeds $(SEEDS) --jobs $(JOBS) --stats

.PHONY: check sim
