# The bare guest (bare.h): a bzImage of our own, which a test machine boots as its kernel.
BARE_CFLAGS := $(PAL_CFLAGS) -ffreestanding -mno-red-zone -mcmodel=small -Wno-missing-field-initializers -I.
BARE        := $(patsubst pal/bare/%.c,$(BUILD)/pal/bare/%.o,$(wildcard pal/bare/*.c)) $(BUILD)/pal/bare/head.o

$(BUILD)/pal/bare/%.o: pal/bare/%.c
	@mkdir -p $(@D)
	$(CC) $(BARE_CFLAGS) -c $< -o $@
$(BUILD)/pal/bare/head.o: pal/bare/head.asm
	@mkdir -p $(@D)
	nasm -f elf64 -o $@ $<
$(BUILD)/pal/bare/elf: $(BARE) pal/bare/bare.ld
	ld -n -static -z noexecstack --no-warn-rwx-segments -T pal/bare/bare.ld -o $@ $(BARE)
$(BUILD)/vmlinuz-bare: $(BUILD)/pal/bare/elf
	objcopy -O binary $< $@
-include $(wildcard $(BUILD)/pal/bare/*.d)
