# What runs in the guest: the programs for each width, an example, and their tests on the host. pal/initramfs.sh packs the guest's root.

# Any file here may hold PAL code, which is copied and runs alone: no SSE, no stack protector, no jump tables, no calls of memcpy or
# memset that the compiler thinks of. The library's README says more.
PAL_CFLAGS := -std=c17 -O2 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(WARN) -fno-pie -fno-stack-protector -fcf-protection=none \
    -mgeneral-regs-only -fno-jump-tables -fno-tree-loop-distribute-patterns -fno-asynchronous-unwind-tables -MMD -MP
PAL_LINK   := -static -no-pie -pthread -s
PAL_NAMES  := $(shell sed -n '/^ *X./{s/X.\([a-z_]*\)./\1/g;s/[^a-z_ ]//g;p;}' pal/programs/programs.h)
PAL_LIB    := $(patsubst pal/%.c,%,$(wildcard pal/lib/*.c))
PAL_GUEST  := $(PAL_LIB) $(patsubst pal/%.c,%,$(wildcard pal/programs/*.c pal/check/*.c))
PAL_TESTED := lib/pal programs/test_args programs/number test/fake_tv test/test_lib

# One width: objects in obj32, programs in 32, and so on.
define PAL_WIDTH
$(BUILD)/pal/obj$(1)/%.o: pal/%.c
	@mkdir -p $$(@D)
	$(CC) -m$(1) $(PAL_CFLAGS) -c $$< -o $$@

$(BUILD)/pal/$(1)/programs: $(PAL_GUEST:%=$(BUILD)/pal/obj$(1)/%.o)
	@mkdir -p $$(@D)
	@pal/lib/check-code.sh $$^
	$(CC) -m$(1) $(PAL_LINK) $$^ -o $$@
	@for name in $(PAL_NAMES); do ln -sf programs $$(@D)/$$$$name; done

$(BUILD)/pal/example/$(1)/pin: $(BUILD)/pal/obj$(1)/example/pin.o $(PAL_LIB:%=$(BUILD)/pal/obj$(1)/%.o)
	@mkdir -p $$(@D)
	@pal/lib/check-code.sh $$^
	$(CC) -m$(1) $(PAL_LINK) $$^ -o $$@

$(BUILD)/pal/test$(1): $(PAL_TESTED:%=$(BUILD)/pal/obj$(1)/%.o)
	$(CC) -m$(1) $(PAL_LINK) $$^ -o $$@

# The guest's programs with a TrustVisor that protects nothing: the checks must notice.
$(BUILD)/pal/unprotected/$(1)/programs: $(patsubst %,$(BUILD)/pal/obj$(1)/%.o,$(filter-out lib/call,$(PAL_GUEST)) test/fake_tv)
	@mkdir -p $$(@D)
	$(CC) -m$(1) $(PAL_LINK) $$^ -o $$@
	@for name in $(PAL_NAMES); do ln -sf programs $$(@D)/$$$$name; done
endef
$(foreach width,32 64,$(eval $(call PAL_WIDTH,$(width))))
include pal/bare/bare.mk
-include $(wildcard $(BUILD)/pal/obj*/*/*.d)

PAL_PROGRAMS := $(BUILD)/pal/32/programs $(BUILD)/pal/64/programs
PAL_EXAMPLES := $(BUILD)/pal/example/32/pin $(BUILD)/pal/example/64/pin

.PHONY: guest-programs pal-test pal-lint
guest-programs: $(PAL_PROGRAMS) $(PAL_EXAMPLES) ## build pal_demo, the checks and the example for the guest

CHECKS += pal-test
pal-test: $(PAL_PROGRAMS) $(PAL_EXAMPLES) $(foreach width,32 64,$(BUILD)/pal/test$(width) $(BUILD)/pal/unprotected/$(width)/programs)
	@pal/test/test.sh $(BUILD)/pal pal/initramfs.sh

LINTS += pal-lint
pal-lint: # the one script that is run by no /bin/sh
	shellcheck -s dash pal/guest/init
