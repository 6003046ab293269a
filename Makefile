# SPDX-License-Identifier: MIT
#
# vshare: two kernel modules, their tests, a library and a command. Everything is
# built below build/; `make help` lists what can be done.

LANE ?= stock
PREFIX ?= /usr/local
BUILD := $(CURDIR)/build

# The tree to build the modules against, and what uname -r says in its kernel.
# Asked from the lane, not from the running kernel, and only when needed.
KDIR ?= $(shell scripts/lane $(LANE) kdir)
RELEASE = $(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null)

# kbuild leaves its objects beside the sources, so it gets a directory of links to
# them for each kernel. The compiler's messages and an editor both follow a link.
MIRROR = $(BUILD)/modules-$(RELEASE)

# A tree that was prepared but never built cannot say which symbols its kernel has.
# Modules for it can be compiled; whether they would load is not known.
UNCHECKED = $(if $(wildcard $(KDIR)/Module.symvers),,KBUILD_MODPOST_WARN=1)

all: modules userspace igt-tests $(BUILD)/guest/agent ## Build everything

modules: ## Build vexport.ko and vimport.ko for the lane's kernel, or for [KDIR=TREE] [VSHARE_BENCH=y]
	@test -n '$(RELEASE)' || { echo >&2 \
	  "make: '$(KDIR)' is not a kernel tree that modules can be built against; run" \
	  "'make deps', or 'make modules_prepare' in a tree of your own and give KDIR="; exit 1; }
	@mkdir -p '$(MIRROR)'
	@cp -rsf '$(CURDIR)/Kbuild' '$(CURDIR)/drivers' '$(CURDIR)/uapi' '$(MIRROR)'
	@find '$(MIRROR)' -xtype l -delete
	$(MAKE) -C '$(KDIR)' M='$(MIRROR)' $(UNCHECKED) VSHARE_BENCH='$(VSHARE_BENCH)' modules

userspace: ## Build libvshare and vshare
	$(MAKE) -C userspace BUILD='$(BUILD)'

igt-tests: ## Build the IGT tests
	$(MAKE) -C igt-tests BUILD='$(BUILD)'

$(BUILD)/guest/agent: scripts/guest/agent.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror $(CFLAGS) $(LDFLAGS) -o $@ $<

demo: deps ## Show a moving buffer in a virtual machine [LANE=stock]
	@echo 'Building ...'
	@$(MAKE) --no-print-directory -s all
	@scripts/vm --lane '$(LANE)' -- /usr/lib/vshare/demo --moves "$$(scripts/lane '$(LANE)' demo)"

test: deps ## Run all tests in a virtual machine [TESTS='dmabuf_*'] [LANE=stock] [JOBS=2]
	@echo 'Building ...'
	@$(MAKE) --no-print-directory -s all
	@scripts/test --lane '$(LANE)' $(if $(JOBS),--jobs '$(JOBS)') $(if $(TESTS),-- '$(TESTS)')

mutants: deps ## Show that the tests notice every deliberate bug [LANE=stock] [TESTS='mutant@no-*'] [JOBS=2]
	@echo 'Building ...'
	@$(MAKE) --no-print-directory -s all
	@scripts/test --lane '$(LANE)' --set mutants $(if $(JOBS),--jobs '$(JOBS)') $(if $(TESTS),-- '$(TESTS)')

html: deps ## Make pages of what the last make test has found, with piglit [LANE=stock]
	@scripts/html --lane '$(LANE)'

bench: deps ## Measure moves and sharing in a virtual machine [ICOUNT=1] [NATIVE=1] [ARGS=...]
	@echo 'Building ...'
	@$(MAKE) --no-print-directory -s all VSHARE_BENCH=y
	@$(if $(NATIVE),'$(BUILD)/bin/vshare-bench' --json='$(BUILD)/bench.json',scripts/vm \
	  --lane '$(LANE)' $(if $(ICOUNT),--accel icount) --timeout 3600 --results '$(BUILD)' -- \
	  /usr/lib/vshare/bench) $(ARGS)

in-tree: deps ## Build a kernel with both drivers built in, and boot it
	@echo 'Building ...'
	@$(MAKE) --no-print-directory -s userspace igt-tests
	@scripts/in-tree-selftest

check: deps ## Check the sources: W=1, sparse, checkpatch, kernel-doc, shellcheck and more
	@scripts/check

deps: ## Install what is missing with apt-get
	@scripts/deps

install: userspace igt-tests ## Install library, command and tests [PREFIX=/usr/local] [DESTDIR=]
	$(MAKE) -C userspace BUILD='$(BUILD)' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' install
	install -d '$(DESTDIR)$(PREFIX)/libexec/vshare'
	install -m 755 $$($(MAKE) -s --no-print-directory -C igt-tests list | \
	  xargs -n1 printf '$(BUILD)/igt/%s\n') '$(DESTDIR)$(PREFIX)/libexec/vshare'

modules_install: modules ## Install the modules for that kernel [DESTDIR=] [KDIR=TREE]
	$(MAKE) -C '$(KDIR)' M='$(MIRROR)' INSTALL_MOD_PATH='$(DESTDIR)' modules_install

clean: ## Remove build/
	rm -rf '$(BUILD)'

help: ## Show this list
	@echo 'make VERB [SETTING=VALUE ...]'
	@echo
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile

.PHONY: all modules userspace igt-tests demo test mutants html bench in-tree check deps install modules_install clean help
