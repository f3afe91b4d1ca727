# SPDX-License-Identifier: Apache-2.0
# make help lists the targets.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

PREFIX ?= /usr
DESTDIR ?=
SBINDIR ?= $(PREFIX)/sbin
SWIFT ?= swift
export SWIFT
# What the scenarios run: a kernel, or both.
KERNELS ?= 6.1 6.12
ISCSI_ADMIN := .build/iscsi-admin
EXAMPLE := .build/outage-example
MANUAL := .build/man
# A client of the daemon in another language, which the unit tests drive: PyPI's varlink.
VARLINK_VERSION := 31.0.0
VARLINK_PYTHON := $(CURDIR)/.build/python/varlink-$(VARLINK_VERSION)
# Prometheus' own program, which the unit tests hold metrics and alert rules against: taken out of Debian's package, which
# would install a service and some hundred megabytes of fonts and scripts.
PROMTOOL := $(CURDIR)/.build/promtool/usr/bin/promtool
COMPAT_NAMES := iscsiadm iscsid iscsistart iscsi-iname iscsi-gen-initiatorname iscsi_discovery iscsi_fw_login

# Debian packages: what a build needs, and what the test machine, the unit tests and lint need besides.
BUILD_PACKAGES := libiscsi-dev libnl-3-dev libnl-genl-3-dev libnl-route-3-dev nettle-dev libjansson-dev libibverbs-dev \
  librdmacm-dev pkg-config
VM_PACKAGES := qemu-system-x86 cpio gcc kmod libc6-dev python3-pip xz-utils
UNIT_PACKAGES := tgt python3-pip
LINT_PACKAGES := shellcheck

# libiscsi.a refers to RDMA libraries that its pkg-config file does not name; their archives complete a static link.
# It goes into initramfs images, and the daemon locks it in memory: functions that nobody calls are left out, and of equal ones all
# but one, which the tool chain's own linker can do. -Osize would save a twentieth besides, but commands at thousands of
# records take a tenth longer with it.
# Types made of generic ones are made from the types themselves, which takes some code: to find them by their names takes the
# runtime a quarter of what a short command does, as it looks at each conformance that there is.
STATIC_FLAGS := -Xswiftc -static-executable -Xswiftc -Xfrontend -Xswiftc -function-sections \
  -Xswiftc -Xfrontend -Xswiftc -disable-concrete-type-metadata-mangled-name-accessors \
  -Xswiftc -use-ld=lld -Xlinker --gc-sections -Xlinker --icf=all \
  -Xlinker -lrdmacm -Xlinker -libverbs -Xlinker -lnl-route-3 -Xlinker -lnl-3
# What commands run lies side by side: they find it in a third of the pages, each of which is a fault at their start. Of functions that
# there are no more, or not yet, the linker says nothing; `make executable-test` does when there are many, and `make order` finds them anew.
ORDER := Scripts/functions.order
LEAN_FLAGS := $(STATIC_FLAGS) -Xlinker --no-eh-frame-hdr -Xlinker -T -Xlinker $(CURDIR)/Scripts/without-unwind-tables.ld \
  -Xlinker --symbol-ordering-file=$(CURDIR)/$(ORDER) -Xlinker --no-warn-symbol-ordering
# The executable with its symbols.
UNSTRIPPED = $$($(SWIFT) build -c release --show-bin-path $(LEAN_FLAGS))/iscsi-admin

SET_UP_BUILD = @Scripts/setup $(BUILD_PACKAGES)
SOURCES := $(shell find Sources -type f) Package.swift Makefile

##@ Build

build: $(ISCSI_ADMIN) man ## build the static, stripped executable (.build/iscsi-admin) and its man pages (.build/man)

# Its recipe sets up what a build needs. As a prerequisite that would ask for a compiler even where all is built and only to be
# installed, often by sudo, whose PATH has none.
$(ISCSI_ADMIN): $(SOURCES) Scripts/without-unwind-tables.ld $(ORDER)
	$(SET_UP_BUILD)
	@# The package manager knows nothing of the linker's script and order.
	rm -f "$(UNSTRIPPED)"
	$(SWIFT) build -c release --product iscsi-admin $(LEAN_FLAGS)
	strip -o $@ "$(UNSTRIPPED)"

order: $(ISCSI_ADMIN) setup-vm ## find out anew in which order the linker puts functions
	strip --strip-debug -o .build/iscsi-admin-symbols "$(UNSTRIPPED)"
	ISCSI_ADMIN=.build/iscsi-admin-symbols Tests/VM/machine run --kernel 6.12 function-order
	{ printf '# %s\n' 'SPDX-License-Identifier: Apache-2.0' 'The functions that commands run, those of most commands first; by make order.' && \
	  cat "$${VM_DIR:-.vm}/out/6.12/function-order/order"; } >.build/functions.order
	mv .build/functions.order $(ORDER)

debug: setup-build ## build everything for debugging, tests included
	$(SWIFT) build --build-tests

##@ Try

demo: $(ISCSI_ADMIN) setup-vm ## boot a machine with two targets and do the whole job on it
	Tests/VM/machine demo

vm: $(ISCSI_ADMIN) setup-vm ## a shell in the test machine, with iscsi-admin and targets in it
	Tests/VM/machine shell

##@ Check

test: unit-test docs executable-test vm-test ## unit tests, documentation, checks of the executable, and the scenarios on real kernels

test-all: test test-faults test-boot test-boot-long ## these, and the machines that boot from iSCSI

unit-test: setup-build setup-unit $(VARLINK_PYTHON) $(PROMTOOL) ## unit tests
	$(SWIFT) build --build-tests
	VARLINK_PYTHON=$(VARLINK_PYTHON) PROMTOOL=$(PROMTOOL) $(SWIFT) test --skip-build --disable-xctest

docs: setup-build ## the documentation of IscsiKit (.build/docs), whose examples are parts of programs that are built
	$(SWIFT) build --build-tests
	Scripts/documentation .build/docs
	@echo 'docs: .build/docs'

$(VARLINK_PYTHON): | setup-unit
	python3 -m pip download -q --disable-pip-version-check --no-deps -d $(@D) varlink==$(VARLINK_VERSION)
	python3 -m zipfile -e $(@D)/varlink-$(VARLINK_VERSION)-*.whl $@

$(PROMTOOL):
	Scripts/unpack-promtool .build/promtool

executable-test: $(ISCSI_ADMIN) $(MANUAL)/iscsi-admin.8 ## that the executable is static, stripped and lean, answers, and is installed and removed whole
	Scripts/check-executable $(ISCSI_ADMIN)
	Scripts/check-order "$(UNSTRIPPED)" $(ORDER)
	Scripts/check-install $(ISCSI_ADMIN) $(MANUAL) $(COMPAT_NAMES)

# One of the examples, as the scenarios run it.
$(EXAMPLE): $(SOURCES) $(wildcard Examples/*/*) | $(ISCSI_ADMIN)
	$(SET_UP_BUILD)
	$(SWIFT) build -c release --product Outage $(STATIC_FLAGS)
	strip -o $@ "$$($(SWIFT) build -c release --show-bin-path $(STATIC_FLAGS))/Outage"

vm-test: $(ISCSI_ADMIN) $(EXAMPLE) setup-vm ## the scenarios, on each kernel of KERNELS
	Tests/VM/machine run --again 3 $(addprefix --kernel ,$(KERNELS))

test-faults: $(ISCSI_ADMIN) setup-vm ## that what the scenarios break is broken, and noticed: with open-iscsi
	Tests/VM/machine run --kernel 6.12 faults

test-boot: $(ISCSI_ADMIN) $(EXAMPLE) setup-vm ## diskless machines that boot from iSCSI
	Tests/VM/boot/machines run --patience 2 $(BOOT_SCENARIOS)

# Not in `test`: a quarter of an hour, in which little happens.
test-boot-long: $(ISCSI_ADMIN) $(EXAMPLE) setup-vm ## a diskless machine without its network for five minutes
	Tests/VM/boot/machines run --patience 2 cut-long cut-long-defaults

# Not in `test`: an hour or more. SOAK_SEED repeats a run.
SOAK_SEED ?=
soak: $(ISCSI_ADMIN) setup-vm ## a daemon killed 100 times in each way, and 10,000 recoveries
	Tests/VM/machine run --kernel 6.12 --limit 14400 --patience 20 --set RUNS=100 --set RECOVERIES=10000 \
	  $(if $(SOAK_SEED),--set SEED=$(SOAK_SEED)) daemon-killed daemon-killed-creating memory

# Not in `test`: a quarter of an hour. SEED repeats or changes the random command lines, CASES is a pattern of groups.
SEED ?= 1
CASES ?= *
differential: $(ISCSI_ADMIN) setup-vm ## iscsiadm beside open-iscsi's: the same command lines, and 1,000 random ones
	Tests/VM/machine run --kernel 6.12 --set SLOW=yes --set 'CASES=$(CASES)' differential
	Tests/VM/machine run --kernel 6.12 --set GENERATE=1000 --set SEED=$(SEED) differential
	Tests/VM/machine run --kernel 6.12 iscsi-discovery

bench: $(ISCSI_ADMIN) setup-vm ## times beside open-iscsi's, in one test machine
	Tests/VM/bench.sh

lint: setup-build setup-lint ## formatting, shell scripts, systemd units and the direction of imports
	$(SWIFT) format lint --strict --recursive Package.swift Sources Examples Tests
	Scripts/check-layers
	Scripts/check-units
	shellcheck .ci/run $$(grep -rlE '^#!/bin/(ba)?sh|^# shellcheck shell' Tests Scripts initramfs 2>/dev/null)

##@ Install

INSTALL = Scripts/install "$(ISCSI_ADMIN)" "$(MANUAL)" "$(DESTDIR)" "$(PREFIX)" "$(SBINDIR)"

install: $(ISCSI_ADMIN) $(MANUAL)/iscsi-admin.8 ## install the executable, man pages, units and completions below DESTDIR and PREFIX
	$(INSTALL)

man: $(MANUAL)/iscsi-admin.8 ## man pages from the commands' own help (.build/man)

$(MANUAL)/iscsi-admin.8: $(ISCSI_ADMIN) Scripts/manual docs/manual.mdoc docs/compat.mdoc
	$(SET_UP_BUILD)
	$(SWIFT) build --product generate-manual
	Scripts/manual "$$($(SWIFT) build --show-bin-path)/generate-manual" $(ISCSI_ADMIN) $(MANUAL)

KIND ?=
install-initramfs: ## hooks for initramfs images: KIND=initramfs-tools, dracut or mkinitcpio
	Scripts/install-initramfs "$(KIND)" "$(DESTDIR)" "$(PREFIX)" "$(SBINDIR)"

COMPAT_PLACES = "$(DESTDIR)$(SBINDIR)" "$(DESTDIR)$(PREFIX)/lib/systemd/system" "$(DESTDIR)$(PREFIX)/share/man/man8"

# In this order: where open-iscsi's programs are, nothing at all is installed.
install-compat: $(ISCSI_ADMIN) $(MANUAL)/iscsi-admin.8 ## the same, and open-iscsi's names for it; never over files of others
	Scripts/install-compat --check $(COMPAT_PLACES) $(COMPAT_NAMES)
	$(INSTALL)
	Scripts/install-compat $(COMPAT_PLACES) $(COMPAT_NAMES)

uninstall: $(ISCSI_ADMIN) $(MANUAL)/iscsi-admin.8 ## remove all that install, install-compat and install-initramfs of this version put there
	Scripts/uninstall "$(ISCSI_ADMIN)" "$(MANUAL)" "$(DESTDIR)" "$(PREFIX)" "$(SBINDIR)" $(COMPAT_NAMES)

##@ Set up

setup: setup-build setup-vm setup-unit setup-lint ## install missing Debian packages (needs root or sudo)

setup-build:
	$(SET_UP_BUILD)

setup-vm:
	@Scripts/setup $(VM_PACKAGES)

setup-unit:
	@Scripts/setup $(UNIT_PACKAGES)

setup-lint:
	@Scripts/setup $(LINT_PACKAGES)

clean: ## remove what was built; the test machine's downloads in .vm stay
	rm -rf .build

help: ## this list
	@awk 'BEGIN { FS = ":.*##" } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*##/ { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build order debug demo docs vm test unit-test executable-test vm-test test-faults test-boot test-boot-long test-all soak differential bench lint man install install-compat install-initramfs uninstall setup setup-build setup-vm setup-unit setup-lint clean help
