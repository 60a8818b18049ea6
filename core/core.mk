# The hypervisor: core/ and log/ and the hypapp in one ELF file, at build/braid.elf.
include core/test/test.mk core/test/stop/stop.mk core/test/cost/cost.mk
-include core/model/model.mk

core-dir  := $(BUILD)/hv
core-src  := $(wildcard core/*.c core/boot/*.c core/x86/*.c core/svm/*.c core/vmx/*.c core/guest/*.c)
core-src  := $(filter-out core/offsets.c,$(core-src)) $(LOG_SRC) $(TV_SRC)
core-asm  := $(wildcard core/boot/*.asm core/x86/*.asm core/svm/*.asm core/vmx/*.asm)
core-obj  := $(core-src:%.c=$(core-dir)/%.o) $(core-asm:%.asm=$(core-dir)/%.asm.o)
# No red zone: an NMI's frame would land in it. Only general registers: FPU and SSE hold the guest's. Frame pointers: backtraces.
HV_CFLAGS := -std=c17 -O2 -g $(WARN) -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only -fno-omit-frame-pointer \
             -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing -I. -Icore -MMD -MP

$(core-dir)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HV_CFLAGS) -c -o $@ $<

$(core-dir)/offsets.inc: core/offsets.c core/cpu.h core/vcpu.h
	@mkdir -p $(@D)
	$(CC) $(HV_CFLAGS) -S -o $(core-dir)/offsets.s $<
	sed -n 's/^->\([A-Z_]*\) \(.*\)/\1 equ \2/p' $(core-dir)/offsets.s >$@

$(core-dir)/%.asm.o: %.asm core/x86/registers.inc core/boot/long_mode.inc $(core-dir)/offsets.inc
	@mkdir -p $(@D)
	nasm -Werror -f elf64 -I $(core-dir)/ -o $@ $<

$(BUILD)/braid.elf: $(core-obj) core/boot/braid.ld log/braid_log.ld
	$(CC) -nostdlib -static -no-pie -Wl,--build-id=sha1,-z,max-page-size=4096,-z,noexecstack,--no-warn-rwx-segments -T core/boot/braid.ld -o $@ $(core-obj)

-include $(core-obj:.o=.d)
