# The host's unit tests of what core/ shares with no machine: memory map, views, page walks, instruction decoder, Linux loader, memory functions, what VMX must have, why an entry failed.
core-test-dir := $(BUILD)/core/test
core-test-src := $(wildcard core/test/*.c) core/guest/memmap.c core/guest/walk.c core/guest/insn.c core/guest/linux.c
CHECKS += core-test

$(core-test-dir)/insn-cases: core/test/insn_cases.py
	@mkdir -p $(@D)
	$(PYTHON) $< $@

$(core-test-dir)/core-test: $(core-test-src) $(wildcard core/test/*.h core/guest/*.h core/svm/*.h core/vmx/*.h log/*.h) core/vmx/probe.c core/*/explain.c core/vcpu.h core/memory.h core/x86/asm.h core/hypapp.h core/view.c core/view.h core/string.h core/string.c core/test/test.mk
	@mkdir -p $(@D)
	$(CC) -std=c17 -O1 -g $(WARN) -I. -fPIE -pie -fno-builtin -fsanitize=address,undefined -fno-sanitize-recover=undefined -o $@ $(core-test-src)

.PHONY: core-test
core-test: $(core-test-dir)/core-test $(core-test-dir)/insn-cases
	$< $(core-test-dir)/insn-cases $(BUILD)/vmlinuz
