# SPDX-License-Identifier: BSD-2-Clause
# The interface description is part of the control process: a file of text becomes a string. So is what was tried.
$(O)/gen/io.ixd.varlink.h: ctl/io.ixd.varlink
	@mkdir -p $(@D)
	$(call say,GEN,$@)sed -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $< > $@
$(O)/daemon/control/service.o: $(O)/gen/io.ixd.varlink.h
$(O)/gen/tried_table.h: README.md tools/tried-table
	@mkdir -p $(@D)
	$(call say,GEN,$@)tools/tried-table $< > $@.tmp && mv $@.tmp $@
$(O)/daemon/control/tried.o: $(O)/gen/tried_table.h
