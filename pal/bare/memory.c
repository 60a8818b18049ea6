/* Ports, and memory: the hypervisor's, the local APIC's, and what the guest's own tables do not map. */
#include "pal/bare/bare.h"

CODE(in_byte, "inb %dx, %al");
CODE(in_word, "inw %dx, %ax");
CODE(in_long, "inl %dx, %eax");
CODE(out_byte, "outb %al, %dx");
CODE(out_word, "outw %ax, %dx");
CODE(out_string, "outsb");
CODE(in_string, "rep insb");
CODE(step_in, "pushfq; orl $0x100, (%rsp); popfq; inb %dx, %al; nop");
CODE(pci_read, "outl %eax, %dx; inl %dx, %eax; add $4, %edx; mov %eax, %ecx; inl %dx, %eax");
CODE(out_in, "outb %al, %dx; inb %dx, %al");
CODE(a20_fast, "inb %dx, %al; and $0xfd, %al; outb %al, %dx; inb %dx, %al; and $2, %al");

enum { COM1 = 0x3F8, FAST_A20 = 0x92, KEYBOARD_COMMAND = 0x64, CLOSE_A20 = 0xDD, PM1A_CONTROL = 0xB004 };
enum { PCI_ADDRESS = 0xCF8, RESET_CONTROL = 0xCF9, RESET_HARD_LATER = 2 };
#define JUNK 0x1122334455667788

static const struct test ports[] = {
    {"com1_status", in_byte, .rax = JUNK, .rdx = COM1 + 5},
    {"com1_in_word", in_word, .rax = JUNK, .rdx = COM1},
    {"com1_in_long", in_long, .rax = JUNK, .rdx = COM1},
    {"com1_below", in_long, .rax = JUNK, .rdx = COM1 - 2},
    {"com1_out", out_byte, .rax = JUNK, .rdx = COM1},
    {"com1_out_below", out_word, .rax = JUNK, .rdx = COM1 - 1},
    {"com1_user", in_byte, .rax = JUNK, .rdx = COM1, .user = true},
    {"com1_user_iopl", in_byte, .rax = JUNK, .rdx = COM1, .user = true, .flags = 3 << 12},
    {"com1_out_string", out_string, .rdx = COM1, .rsi = (uint64_t)&word},
    {"com1_in_string", in_string, .rcx = 4, .rdx = COM1, .rdi = (uint64_t)&word},
    {"com1_step", step_in, .rax = JUNK, .rdx = COM1 + 5, .steps = true},
    {"a20_fast", a20_fast, .rdx = FAST_A20},
    {"a20_keyboard", out_byte, .rax = CLOSE_A20, .rdx = KEYBOARD_COMMAND},
    {"sleep_s3", out_word, .rax = 1 << 13 | 1 << 10, .rdx = PM1A_CONTROL},
    {"pci_dword", pci_read, .rax = 0x80000000, .rdx = PCI_ADDRESS},
    /* The bit that would reset the machine, as a part of an address. */
    {"pci_dword_of_reset", pci_read, .rax = 0x80000400, .rdx = PCI_ADDRESS},
    {"reset_not_yet", out_in, .rax = RESET_HARD_LATER, .rdx = RESET_CONTROL},
    {"nobodys_port", in_byte, .rax = JUNK, .rdx = 0x2E0},
};
const struct tests port_tests = {ports, COUNT(ports)};

CODE(load, "mov (%rsi), %rax");
CODE(store, "mov %rax, (%rdi)");
CODE(exchange, "xchg %rax, (%rdi)");
CODE(add, "add %rax, (%rdi)");
CODE(load_byte, "movzbl (%rsi), %eax");
CODE(jump, "call *%rsi");
CODE(copy, "rep movsb");
CODE(push_there, "mov %rsp, %rcx; mov %rdi, %rsp; push %rax; mov %rcx, %rsp");
CODE(apic_load, "mov (%rsi), %eax; shr $24, %eax");
CODE(apic_store, "movl %eax, (%rdi); movl (%rdi), %eax");
CODE(apic_store_register, "mov %rdi, %r9; movl %eax, 0x80(%r9); movl 0x80(%r9), %eax; movl $0, 0x80(%r9)");
CODE(apic_store_byte, "movb %al, (%rdi)");
CODE(apic_exchange, "xchgl %eax, (%rdi)");
CODE(apic_or, "orl $0, (%rdi)");

enum { APIC_ID = 0x20, APIC_TPR = 0x80, APIC_LVT_ERROR = 0x370, MASKED = 1 << 16 };
#define APIC 0xFEE00000

static const struct test memory[] = {
    {"hidden_read", load, .rsi = HIDDEN},
    {"hidden_read_user", load, .rsi = HIDDEN, .user = true},
    {"hidden_read_byte", load_byte, .rsi = HIDDEN + 0x1234},
    {"hidden_read_last", load, .rsi = HIDDEN + 0x9FFFF8},
    {"hidden_write", store, .rdi = HIDDEN, .rax = JUNK},
    {"hidden_write_user", store, .rdi = HIDDEN, .rax = JUNK, .user = true},
    {"hidden_exchange", exchange, .rdi = HIDDEN, .rax = JUNK},
    {"hidden_add", add, .rdi = HIDDEN, .rax = JUNK},
    {"hidden_fetch", jump, .rsi = HIDDEN},
    {"hidden_fetch_user", jump, .rsi = HIDDEN, .user = true},
    {"hidden_push_user", push_there, .rdi = HIDDEN + 0x100, .rax = JUNK, .user = true},
    {"hidden_copy_in", copy, .rsi = HIDDEN, .rdi = (uint64_t)&word, .rcx = 8},
    {"hidden_copy_out", copy, .rsi = (uint64_t)&word, .rdi = HIDDEN, .rcx = 8},
    {"hidden_straddle", load, .rsi = HIDDEN - 4},
    {"hidden_table", load, .rsi = HIDDEN_TABLE},
    {"hidden_table_fetch", jump, .rsi = HIDDEN_TABLE},
    {"unmapped_read", load, .rsi = UNMAPPED},
    {"unmapped_write", store, .rdi = UNMAPPED},
    {"unmapped_fetch", jump, .rsi = UNMAPPED},
    {"unmapped_user", load, .rsi = UNMAPPED, .user = true},
    {"noncanonical", load, .rsi = 1ull << 63},
    {"apic_id", apic_load, .rsi = APIC + APIC_ID},
    {"apic_lvt", apic_store, .rdi = APIC + APIC_LVT_ERROR, .rax = MASKED | 0xFE},
    {"apic_tpr", apic_store_register, .rdi = APIC, .rax = 0x20},
    {"apic_byte", apic_store_byte, .rdi = APIC + APIC_TPR},
    {"apic_exchange", apic_exchange, .rdi = APIC + APIC_LVT_ERROR, .rax = MASKED | 0xFD},
    {"apic_or", apic_or, .rdi = APIC + APIC_LVT_ERROR},
};
const struct tests memory_tests = {memory, COUNT(memory)};
