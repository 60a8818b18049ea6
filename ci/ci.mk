# Emulators as test machines, and the targets that a user types. ci/README.md tells how to add a test machine.
CMD       ?=
EXTRA     ?=
OPTIONS   ?=
PAIRS     ?= 5
VENDOR    ?= amd
C_FILES    = $(shell find ci core log tv pal -name '*.[ch]')
PY_FILES   = $(shell find ci decoder log pal -name '*.py')
# Shell scripts by their first line, whatever their name.
SH_FILES   = $(shell grep -rlIE '^\#!/bin/(ba)?sh' --exclude-dir=build --exclude-dir=.git .)
AFTER_DEPS = @$(MAKE) --no-print-directory

$(BUILD)/deps.stamp: ci/packages ci/deps.sh ci/apt.sh
	@ci/deps.sh
	@mkdir -p $(@D) && touch $@
$(BUILD)/test-deps.stamp: ci/packages.test ci/deps.sh ci/apt.sh
	@ci/deps.sh packages.test
	@mkdir -p $(@D) && touch $@
$(BUILD)/vmlinuz: ci/kernel.sh ci/apt.sh
	ci/kernel.sh $@ amd64
# Bochs is slow: it boots the kernel that Debian makes for clouds, which is packed for speed, not for size.
$(BUILD)/vmlinuz-cloud: ci/kernel.sh ci/apt.sh
	ci/kernel.sh $@ cloud-amd64

# Other Debian kernels. Where they cannot be had, the machines that boot them are skipped.
OTHER_KERNELS = $(addprefix $(BUILD)/,vmlinuz-i386 busybox-i386 vmlinuz-bullseye)
$(BUILD)/vmlinuz-i386: ci/kernel.sh ci/apt.sh
	-ci/kernel.sh $@ 686-pae bookworm i386
$(BUILD)/busybox-i386: ci/busybox.sh ci/apt.sh
	-ci/busybox.sh $@ i386
$(BUILD)/vmlinuz-bullseye: ci/kernel.sh ci/apt.sh
	-ci/kernel.sh $@ amd64 bullseye amd64

$(BUILD)/qemu_repair.so: ci/qemu_repair.c ci/qemu_stale.c ci/qemu_repair.h
	$(CC) -std=c17 -O2 $(WARN) -I. -shared -fPIC -o $@ $(filter %.c,$^)

$(BUILD)/mark/mark: ci/mark.asm
	@mkdir -p $(@D)
	nasm -f elf64 -o $@.o $<
	ld -o $@ $@.o
	@rm $@.o # what is left in the directory is what the guest finds as /extra

.PHONY: deps test-deps demo run test check machine-test machine-test-long differential-test reset-test reset-quick hang-test gdb-test uart-test bench lint iso images
deps: $(BUILD)/deps.stamp ## install the Debian packages that are missing
test-deps: deps $(BUILD)/test-deps.stamp

# What a machine boots. Behind deps, hence a make of its own: what that installs is looked for as a makefile is read.
images: $(BUILD)/vmlinuz $(BUILD)/braid.elf $(BUILD)/qemu_repair.so guest-programs
VENDOR_IMAGES = images $(if $(filter intel,$(VENDOR)),$(BUILD)/vmlinuz-cloud)

# By the environment, so that neither make nor the shell reads what is in it.
iso run: export BRAID_CMD := $(value CMD)
iso: deps ## build/braid.iso and build/bare.iso, with and without Braid, whose guest runs CMD='...' or pal_demo
	$(AFTER_DEPS) images
	@BUILD=$(BUILD) $(PYTHON) -m ci.image --options '$(OPTIONS)' --loops $(LOOPS) -- "$$BRAID_CMD"

demo: deps ## boot Debian on CPUS=4 under Braid, run pal_demo LOOPS=100 times twice, show each CPU's trace; VENDOR=intel: Bochs
	$(AFTER_DEPS) $(VENDOR_IMAGES)
	@BUILD=$(BUILD) $(PYTHON) -m ci.demo --vendor $(VENDOR) --cpus $(CPUS) --loops $(LOOPS) --memory $(MEM) \
		--options '$(OPTIONS)'

run: deps ## run CMD='...' in the demo's guest, files of EXTRA=DIR under /extra; its status: said, and 0 or not
	$(AFTER_DEPS) $(VENDOR_IMAGES)
	@BUILD=$(BUILD) $(PYTHON) -m ci.run --vendor $(VENDOR) --cpus $(CPUS) --memory $(MEM) --options '$(OPTIONS)' \
		$(if $(EXTRA),--extra '$(EXTRA)') -- "$$BRAID_CMD"

# Some host tests look at what machines boot, too. What cannot be made is told again by the suite that needs it.
test: test-deps ## everything: host tests, machine tests, lint; the last line is the count
	-@$(MAKE) --no-print-directory -s images
	@$(PYTHON) -m ci.totals $(CHECKS:model-quick=model) machine-test reset-quick hang-test gdb-test uart-test differential-test lint

check: test-deps ## the quick part: host tests and lint
	@$(PYTHON) -m ci.totals $(CHECKS) lint

machine-test: images $(BUILD)/vmlinuz-cloud $(OTHER_KERNELS) ## boot each machine of ci/machines.py, or those that match ONLY=REGEX
	@BUILD=$(BUILD) $(PYTHON) -m ci.suite $(if $(ONLY),'$(ONLY)')

machine-test-long: images $(BUILD)/vmlinuz-cloud $(OTHER_KERNELS) ## the machines on Bochs that make test leaves out for their time
	@BUILD=$(BUILD) $(PYTHON) -m ci.suite --long

uart-test: images ## the UART driver on Bochs, which loses what is overrun; with the FIFO off it must be seen to
	@BUILD=$(BUILD) $(PYTHON) -m ci.uart $(if $(ONLY),'$(ONLY)')

differential-test: $(BUILD)/vmlinuz-bare images ## one guest on VMX and on SVM: what differs is in ci/differences.txt
	@BUILD=$(BUILD) $(PYTHON) -m ci.differential

reset-test: images ## reset the machine in mid-flight in each way, and get the boot before's records back
	@BUILD=$(BUILD) $(PYTHON) -m ci.reset_test $(if $(ONLY),'$(ONLY)')

# What make test takes of it: without a guest, and by the guest's own write to the chipset's port.
reset-quick: images
	@BUILD=$(BUILD) $(PYTHON) -m ci.reset_test 'without a guest|0xCF9'

hang-test: images ## stop a CPU for good in each phase: the others name it, and so does a post-mortem; ONLY=REGEX
	@BUILD=$(BUILD) $(PYTHON) -m ci.hang_test $(if $(ONLY),'$(ONLY)')

gdb-test: images ## gdb reads the rings and CPUs of a machine at work, which then goes on
	@BUILD=$(BUILD) $(PYTHON) -m ci.gdb_test

bench: deps ## the log's costs beside its peers', then guest boot over bare, PAIRS=5, 1 and 4 CPUs, and on Bochs; build/bench.json
	$(AFTER_DEPS) images $(BUILD)/vmlinuz-cloud $(BUILD)/mark/mark
	@ci/deps.sh packages.bench || echo 'bench: goes on, without the figures that need them'
	@mkdir -p $(BUILD)/bench
	@$(MAKE) --no-print-directory demo LOOPS=$(LOOPS) OPTIONS=log=async >/dev/null && cp $(BUILD)/demo/summary.json $(BUILD)/bench/demo-async.json
	@$(MAKE) --no-print-directory demo LOOPS=$(LOOPS) >/dev/null
	@$(MAKE) --no-print-directory log-bench
	@$(MAKE) --no-print-directory quiesce-cost
	@BUILD=$(BUILD) $(PYTHON) -m ci.bench --pairs $(PAIRS)

CHECKS += ci-test
.PHONY: ci-test lint-c lint-shell lint-flake8 lint-mypy
ci-test:
	@$(PYTHON) -m pytest -q -p no:cacheprovider ci/tests

lint: ## clang-format, shellcheck, flake8, mypy and each folder's own
	@$(PYTHON) -m ci.totals --lint lint-c lint-shell lint-flake8 lint-mypy $(LINTS)
lint-c:
	@clang-format --dry-run -Werror $(C_FILES)
lint-shell:
	@shellcheck -x $(SH_FILES)
lint-flake8:
	@$(PYTHON) -m flake8 $(PY_FILES)
lint-mypy:
	@$(PYTHON) -m mypy --config-file ci/mypy.ini --cache-dir $(BUILD)/mypy -p ci -p decoder
include ci/stress.mk
