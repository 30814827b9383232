# SPDX-License-Identifier: BSD-2-Clause
# install, uninstall: DESTDIR, PREFIX, SYSCONFDIR, LIBDIR, LIBEXECDIR, MANDIR, UNITDIR may be given. What is
# installed is listed once, as SOURCE:DESTINATION:MODE, and uninstall walks the same list.
BINDIR      := $(PREFIX)/bin
SBINDIR     := $(PREFIX)/sbin
INCLUDEDIR  := $(PREFIX)/include
DATADIR     := $(PREFIX)/share
DOCDIR      := $(DATADIR)/doc/ixd
SYSUSERSDIR := $(PREFIX)/lib/sysusers.d
TMPFILESDIR := $(PREFIX)/lib/tmpfiles.d

# The operator's configuration is never overwritten and never removed.
#
# One template is both: ixd@NAME for any instance, and ixd for the instance "default".
UNIT_TEMPLATES := ixd@.service ixd@.socket ixd-control@.socket
UNITS := $(addprefix $(O)/systemd/,$(UNIT_TEMPLATES) $(subst @,,$(UNIT_TEMPLATES)))
unit_paths = -e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g'
$(O)/systemd/ixd@.service $(O)/systemd/ixd@.socket $(O)/systemd/ixd-control@.socket: $(O)/systemd/%: systemd/%.in
	@mkdir -p $(@D)
	$(call say,GEN,$@)sed $(unit_paths) $< > $@
$(O)/systemd/ixd.service: systemd/ixd@.service.in
	@mkdir -p $(@D)
	$(call say,GEN,$@)sed $(unit_paths) -e 's/@%i\././g' -e 's/%i/default/g' $< > $@
$(O)/systemd/ixd.socket $(O)/systemd/ixd-control.socket: $(O)/systemd/%.socket: systemd/%@.socket.in
	@mkdir -p $(@D)
	$(call say,GEN,$@)sed $(unit_paths) -e 's/@%i\././g' -e 's/%i/default/g' $< > $@
$(O)/lib/libixclient.pc: client-lib/libixclient.pc.in
	@mkdir -p $(@D)
	$(call say,GEN,$@)sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|g' -e 's|@VERSION@|$(VERSION)|g' $< > $@

# files(FOLDER,MODE,SOURCES)
files = $(foreach source,$(3),$(source):$(1)/$(notdir $(source)):$(2))
man_pages = $(wildcard ctl/man/*.$(1) client-lib/man/*.$(1) daemon/man/*.$(1))
INSTALL_FILES = \
	$(call files,$(SBINDIR),0755,$(O)/bin/ixd) \
	$(call files,$(BINDIR),0755,$(filter-out $(O)/bin/ixd,$(filter $(O)/bin/%,$(BINS)))) \
	$(call files,$(LIBEXECDIR),0755,$(filter $(O)/libexec/%,$(BINS))) \
	$(call files,$(LIBDIR),0755,$(O)/lib/libixclient.so.0) \
	$(call files,$(LIBDIR),0644,$(O)/lib/libixclient.a) \
	$(call files,$(LIBDIR)/pkgconfig,0644,$(O)/lib/libixclient.pc) \
	$(call files,$(INCLUDEDIR)/ix,0644,$(wildcard client-lib/include/ix/*.h)) \
	$(foreach section,1 3 5 7 8,$(call files,$(MANDIR)/man$(section),0644,$(call man_pages,$(section)))) \
	$(call files,$(DATADIR)/ixd,0644,ctl/io.ixd.varlink) \
	$(call files,$(DOCDIR),0644,$(wildcard README.md ARCHITECTURE.md LICENSE)) \
	$(call files,$(DOCDIR)/configs,0644,$(wildcard configs/*.conf)) \
	$(call files,$(DOCDIR)/examples,0644,$(wildcard client-lib/examples/*.[ch])) \
	$(call files,$(UNITDIR),0644,$(UNITS)) \
	systemd/ixd.sysusers.conf:$(SYSUSERSDIR)/ixd.conf:0644 \
	systemd/ixd.tmpfiles.conf:$(TMPFILESDIR)/ixd.conf:0644

install: all $(UNITS) $(O)/lib/libixclient.pc ## install below DESTDIR and PREFIX
	$(Q)set -e; for entry in $(INSTALL_FILES); do \
		source=$${entry%%:*}; rest=$${entry#*:}; \
		install -D -m $${rest##*:} "$$source" "$(DESTDIR)$${rest%:*}"; \
	done
	$(Q)ln -sf libixclient.so.0 "$(DESTDIR)$(LIBDIR)/libixclient.so"
	$(Q)tools/man-links "$(DESTDIR)$(MANDIR)" $(wildcard client-lib/man/*.3)
	$(Q)test -e "$(DESTDIR)$(SYSCONFDIR)/ixd/default.conf" || \
		install -D -m 0644 configs/default.conf "$(DESTDIR)$(SYSCONFDIR)/ixd/default.conf"
	$(Q)test -n "$(DESTDIR)" || echo "installed; now: systemd-sysusers && systemd-tmpfiles --create ixd.conf &&" \
		"systemctl daemon-reload && ldconfig, edit $(SYSCONFDIR)/ixd/default.conf, systemctl enable --now ixd.socket"

OWN_FOLDERS := $(LIBEXECDIR) $(INCLUDEDIR)/ix $(DATADIR)/ixd $(DOCDIR)/examples $(DOCDIR)/configs $(DOCDIR)
uninstall: ## remove what install installed, but the configuration
	$(Q)for entry in $(INSTALL_FILES); do rest=$${entry#*:}; rm -f "$(DESTDIR)$${rest%:*}"; done
	$(Q)rm -f "$(DESTDIR)$(LIBDIR)/libixclient.so"
	$(Q)tools/man-links -d "$(DESTDIR)$(MANDIR)" $(wildcard client-lib/man/*.3)
	$(Q)for folder in $(OWN_FOLDERS); do \
		test ! -d "$(DESTDIR)$$folder" || rmdir --ignore-fail-on-non-empty "$(DESTDIR)$$folder"; \
	done

.PHONY: install uninstall
