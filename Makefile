# SPDX-License-Identifier: BSD-2-Clause
# ixd. `make help` lists the targets. Everything that is built lies under build/ (or O=).

PREFIX     ?= /usr
SYSCONFDIR ?= /etc
LIBDIR     ?= $(PREFIX)/lib
LIBEXECDIR ?= $(PREFIX)/libexec/ixd
MANDIR     ?= $(PREFIX)/share/man
UNITDIR    ?= /lib/systemd/system
DESTDIR    ?=
VERSION    := 0.1.0

O     ?= build
CLANG ?= clang
SAN   ?=
V     ?= 0
Q     := $(if $(filter 1,$(V)),,@)
say    = $(if $(filter 1,$(V)),,@printf '  %-8s %s\n' '$(1)' '$(patsubst $(O)/%,%,$(2))';)

PKGS_DATAPLANE  := libxdp libbpf libcap-ng
PKGS_SUPERVISOR := libbpf libxdp liburing libconfig libmnl libsystemd libcap-ng
PKGS_CONTROL    := jansson libsystemd libcap-ng
PKGS_CTL        := jansson

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wconversion -Werror
OPT    ?= -O2 -g
CFLAGS += -std=gnu17 $(OPT) $(WARN) -fno-strict-aliasing -fvisibility=hidden -fPIC -pthread
CPPFLAGS += -I. -I$(O)/gen -Iclient-lib/include -D_GNU_SOURCE -DIXD_VERSION='"$(VERSION)"' \
	-DIXD_LIBEXECDIR='"$(LIBEXECDIR)"' -DIXD_SYSCONFDIR='"$(SYSCONFDIR)"'
LDFLAGS += -pthread
ifneq ($(SAN),)
CFLAGS  += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
LDFLAGS += -fsanitize=$(SAN)
endif

# One variable per layer; sources are found by folder, so a new file needs no edit here.
src = $(sort $(wildcard $(1)))
obj = $(patsubst %.c,$(O)/%.o,$(1))

TCP_SRC        := $(call src,tcp/*.c)
COMMON_SRC     := $(call src,daemon/common/*.c)
SUPERVISOR_SRC := $(call src,daemon/supervisor/*.c)
DATAPLANE_SRC  := $(call src,daemon/dataplane/*.c)
CONTROL_SRC    := $(call src,daemon/control/*.c)
CLIENT_SRC     := $(call src,client-lib/*.c)
CTL_SRC        := $(call src,ctl/*.c)
EXAMPLE_SRC    := $(call src,client-lib/examples/ix-*.c)
EXAMPLE_COMMON := $(filter-out $(EXAMPLE_SRC),$(call src,client-lib/examples/*.c))
UNIT_LAYERS    := $(notdir $(patsubst %/,%,$(call src,tests/unit/*/)))
NETTOOL_SRC    := $(call src,tests/net/*.c)
HOSTILE_SRC    := $(call src,tests/hostile/*.c)
FUZZ_SRC       := $(call src,tests/fuzz/*_fuzz.c)
SIM_SRC        := $(call src,tests/sim/*.c)
RIG_SRC        := $(call src,tests/rig/*.c)

LIB  := $(O)/lib/libixclient.so $(O)/lib/libixclient.a
BINS := $(O)/bin/ixd $(O)/libexec/ixd-dataplane $(O)/libexec/ixd-control $(O)/bin/ixctl \
	$(patsubst client-lib/examples/%.c,$(O)/bin/%,$(EXAMPLE_SRC))

all: $(BINS) $(LIB) ## build everything

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) 2>/dev/null | expand -t 26

# ---- the XDP programs
BPF_CFLAGS := -std=gnu17 -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(patsubst x86_64,x86,$(shell uname -m)) \
	-I. -I/usr/include/$(shell uname -m)-linux-gnu -Wall -Wextra -Werror
$(O)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
$(O)/gen/%.skel.h: $(O)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(call say,SKEL,$@){ echo '/* NOLINTBEGIN: generated */' && \
		bpftool gen skeleton $< name $(subst -,_,$*)_bpf && echo '/* NOLINTEND */'; } > $@.tmp && mv $@.tmp $@
.SECONDARY:

# ---- C
$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_$(firstword $(subst /, ,$*))) -MMD -MP -c $< -o $@
SKELETONS := $(patsubst bpf/%.bpf.c,$(O)/gen/%.skel.h,$(call src,bpf/*.bpf.c))
$(call obj,$(SUPERVISOR_SRC)): $(SKELETONS)

pkg_libs = $(shell pkg-config --libs $(1))
define link
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(1)
endef

$(O)/bin/ixd: $(call obj,$(SUPERVISOR_SRC) $(COMMON_SRC) $(TCP_SRC))
	$(call link,$(call pkg_libs,$(PKGS_SUPERVISOR)))
$(O)/libexec/ixd-dataplane: $(call obj,$(DATAPLANE_SRC) $(COMMON_SRC) $(TCP_SRC))
	$(call link,$(call pkg_libs,$(PKGS_DATAPLANE)))
$(O)/libexec/ixd-control: $(call obj,$(CONTROL_SRC) $(COMMON_SRC) $(TCP_SRC))
	$(call link,$(call pkg_libs,$(PKGS_CONTROL)))
$(O)/bin/ixctl: $(call obj,$(CTL_SRC))
	$(call link,$(call pkg_libs,$(PKGS_CTL)))

# ---- the client library
$(O)/lib/libixclient.so.0: $(call obj,$(CLIENT_SRC)) client-lib/libixclient.map
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libixclient.so.0 \
		-Wl,--version-script=client-lib/libixclient.map -o $@ $(filter %.o,$^)
$(O)/lib/libixclient.so: $(O)/lib/libixclient.so.0
	$(Q)ln -sf libixclient.so.0 $@
$(O)/lib/libixclient.a: $(call obj,$(CLIENT_SRC))
	@mkdir -p $(@D)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^
# An archive: each example takes what it needs.
$(O)/client-lib/examples/common.a: $(call obj,$(EXAMPLE_COMMON))
	@mkdir -p $(@D)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^
$(O)/bin/ix-%: $(O)/client-lib/examples/ix-%.o $(O)/client-lib/examples/common.a $(O)/lib/libixclient.a
	$(call link,)

# ---- tests
# All of tests/unit/LAYER/*_test.c make one Criterion program, linked with that layer's objects but its main.
unit_tcp_objs        = $(call obj,$(TCP_SRC) $(RIG_SRC))
unit_common_objs     = $(call obj,$(COMMON_SRC) $(TCP_SRC))
unit_supervisor_objs = $(filter-out %/main.o,$(call obj,$(SUPERVISOR_SRC) $(COMMON_SRC) $(TCP_SRC)))
unit_dataplane_objs  = $(filter-out %/main.o,$(call obj,$(DATAPLANE_SRC) $(COMMON_SRC) $(TCP_SRC)))
unit_control_objs    = $(filter-out %/main.o,$(call obj,$(CONTROL_SRC) $(COMMON_SRC) $(TCP_SRC)))
unit_client-lib_objs = $(call obj,$(CLIENT_SRC))
unit_ctl_objs        = $(filter-out %/main.o,$(call obj,$(CTL_SRC)))
unit_bpf_objs        = $(call obj,$(COMMON_SRC) $(TCP_SRC))
UNIT_BINS := $(patsubst %,$(O)/tests/unit_%,$(UNIT_LAYERS))
define unit_rule
$(O)/tests/unit_$(1): $(call obj,$(call src,tests/unit/$(1)/*.c)) $(unit_$(1)_objs)
	$$(call link,-lcriterion $$(call pkg_libs,$$(PKGS_SUPERVISOR) $$(PKGS_CONTROL)))
endef
$(foreach layer,$(UNIT_LAYERS),$(eval $(call unit_rule,$(layer))))
$(call obj,$(call src,tests/unit/supervisor/*.c) $(call src,tests/unit/bpf/*.c)): $(SKELETONS)

$(O)/tests/simulator: $(call obj,$(SIM_SRC) $(RIG_SRC) $(TCP_SRC))
	$(call link,)
# Programs for the end-to-end and hostile tests: one source file, one program.
NETTOOL_BINS := $(patsubst tests/net/%.c,$(O)/tests/net/%,$(NETTOOL_SRC))
$(O)/tests/net/%: $(O)/tests/net/%.o
	$(call link,)
# This one is served by ixd.
$(O)/tests/net/ix-orders: $(O)/lib/libixclient.a
HOSTILE_BINS := $(patsubst tests/hostile/%.c,$(O)/tests/hostile/%,$(HOSTILE_SRC))
$(O)/tests/hostile/%: $(O)/tests/hostile/%.o $(O)/lib/libixclient.a
	$(call link,)
TEST_BINS := $(UNIT_BINS) $(if $(SIM_SRC),$(O)/tests/simulator) $(NETTOOL_BINS) $(HOSTILE_BINS)
tests: $(BINS) $(LIB) $(TEST_BINS) ## build the tests as well

# ---- what is missing on this machine
DEPS := gcc make clang libclang-rt-dev llvm lld pkg-config bpftool libbpf-dev libxdp-dev liburing-dev libconfig-dev libmnl-dev \
	libjansson-dev libsystemd-dev libcap-ng-dev libcriterion-dev libelf-dev zlib1g-dev linux-libc-dev \
	iproute2 ethtool nftables iputils-ping util-linux curl procps python3 mandoc jq xxd systemd-container
LINT_DEPS := clang-format clang-tidy cppcheck shellcheck
deps: ## install what the build and the tests need (Debian, as root)
	$(Q)tools/deps $(DEPS)

clean: ## remove build/
	$(Q)rm -rf $(O)

-include $(wildcard mk/*.mk)
-include $(shell find $(O) -name '*.d' 2>/dev/null)
.PHONY: all help tests deps clean
.DELETE_ON_ERROR:
