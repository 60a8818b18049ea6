/*
 * From the boot loader to the guest, on the boot CPU: memory map, CPUs, log, tables, backend, the other CPUs,
 * the hypapp, the kernel. What can be wrong with the machine or its set-up is found here and said in one
 * line, before any guest runs.
 */
#include "core/boot/boot.h"
#include "core/boot/multiboot.h"
#include "core/guest/console.h"
#include "core/guest/lapic.h"
#include "core/guest/linux.h"
#include "core/guest/memmap.h"
#include "core/guest/policy.h"
#include "core/memory.h"
#include "core/panic.h"
#include "core/hosttest.h"
#include "core/string.h"
#include "core/view.h"
#include "core/x86/acpi.h"
#include "core/x86/apic.h"
#include "core/x86/asm.h"
#include "core/x86/clock.h"
#include "core/x86/paging.h"
#include "core/x86/trap.h"

enum {
    CMDLINE_MAX = 2048,
    RING_ALIGN = 0x200000,
    BUILD_ID_OFFSET = 16,
    BUILD_ID_SIZE = 20,
    COM1 = 0x3F8,
    MAX_APIC_ID = 254
};
#define MAPPED_RAM                                                                                           \
    0x8000000000ull /* what the hypervisor's and the nested tables reach (x86/paging.c, view.c) */

extern const uint8_t build_id_note[];
_Noreturn void boot_main(const struct multiboot_info *info, uint32_t magic);

static struct linux_modules modules;
static char kernel_cmdline[CMDLINE_MAX];
static struct acpi_info acpi;
static uint64_t ring_end;

void boot_fail(const char *why)
{
    log_puts_early("braid: ");
    log_puts_early(why);
    log_puts_early("\n");
    log_drain();
    if (cpus[0].writers[LOG_NORMAL])
        log_flush_panic();
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void copy_string(char *to, uint64_t from, size_t max)
{
    size_t n = strnlen((const char *)from, max - 1);
    memcpy(to, (const void *)from, n);
    to[n] = 0;
}

static void read_modules(const struct multiboot_info *info)
{
    static char cmdline[CMDLINE_MAX];
    if (info->flags & MULTIBOOT_CMDLINE) {
        copy_string(cmdline, info->cmdline, sizeof cmdline);
        options_parse(cmdline);
    }
    const struct multiboot_module *m = (const void *)(uint64_t)info->mods_addr;
    if (!(info->flags & MULTIBOOT_MODULES) || !info->mods_count) {
        if (hosttest)
            return;
        boot_fail("no guest: add the kernel as first module ('module /vmlinuz ARGUMENTS') and its initrd as "
                  "second");
    }
    copy_string(kernel_cmdline, m[0].string, sizeof kernel_cmdline);
    modules =
        (struct linux_modules){.kernel_start = m[0].start, .kernel_end = m[0].end, .cmdline = kernel_cmdline};
    /* GRUB puts the file's name first where it is asked to; a kernel's arguments do not begin with a slash.
     */
    if (kernel_cmdline[0] == '/') {
        const char *arguments = kernel_cmdline;
        while (*arguments && *arguments != ' ')
            arguments++;
        modules.cmdline = arguments + (*arguments == ' ');
    }
    if (info->mods_count > 1) {
        modules.initrd_start = m[1].start;
        modules.initrd_end = m[1].end;
    }
}

static void read_memory(const struct multiboot_info *info)
{
    if (!(info->flags & MULTIBOOT_MMAP))
        boot_fail("the boot loader gave no memory map: boot with GRUB 2");
    for (uint32_t at = 0; at + sizeof(struct multiboot_mmap) <= info->mmap_length;) {
        const struct multiboot_mmap *e = (const void *)((uint64_t)info->mmap_addr + at);
        if (memmap_add(e->start, e->start + e->length, e->type))
            boot_fail("the firmware's memory map has too many entries, or a broken one");
        at += e->size + 4;
    }
    ring_end = RING_BASE + ((log_memory_size(cpu_count) + RING_ALIGN - 1) & ~(uint64_t)(RING_ALIGN - 1));
    if (!memmap_is_ram(HV_BASE, ring_end - HV_BASE))
        boot_fail(
            "too little memory: RAM must reach from 120 MiB to the end of the log's rings behind 128 MiB; "
            "give the machine 192 MiB or more");
    uint64_t last = modules.initrd_end > modules.kernel_end ? modules.initrd_end : modules.kernel_end;
    if (last > HV_BASE)
        boot_fail("the modules reach into the hypervisor's memory at 120 MiB: use a smaller initrd");
    if (memmap_hide(HV_BASE, ring_end) ||
        (memmap_top() > MAPPED_RAM && memmap_hide(MAPPED_RAM, memmap_top())))
        boot_fail("the firmware's memory map has too many entries");
}

static void find_cpus(void)
{
    const char *why = acpi_read(&acpi);
    if (why)
        boot_fail(why);
    if (acpi.cpus > MAX_CPUS)
        boot_fail(
            "more CPUs than the log has lanes (32): turn some off in the firmware's setup (QEMU: -smp 32)");
    uint32_t self = apic_id();
    cpu_count = acpi.cpus;
    for (unsigned i = 0, at = 1; i < acpi.cpus; i++) {
        unsigned index = acpi.apic_ids[i] == self ? 0 : at < MAX_CPUS ? at++ : 0;
        cpus[index].apic_id = acpi.apic_ids[i];
        if (acpi.apic_ids[i] > MAX_APIC_ID)
            boot_fail("a CPU's APIC id is above 254, which xAPIC mode cannot address: turn some CPUs off in "
                      "the firmware's setup");
    }
    if (cpus[0].apic_id != self)
        boot_fail("the MADT does not list the CPU that boots: check the firmware");
    for (unsigned i = 0; i < cpu_count; i++) {
        cpus[i].self = &cpus[i];
        cpus[i].index = i;
        cpus[i].vcpu.cpu = &cpus[i];
    }
}

static void open_rings(void)
{
    if (log_init((void *)RING_BASE, ring_end - RING_BASE, cpu_count))
        boot_fail("the log's rings do not fit: a bug");
    for (unsigned i = 0; i < cpu_count; i++)
        for (unsigned c = 0; c < LOG_CONTEXTS; c++)
            cpus[i].writers[c] = log_writer(i, (enum log_context)c);
    log_set_levels(options.wire_level, options.ring_level);
}

static void open_wire(void)
{
    struct log_config config = {.cpus = cpu_count,
                                .tsc_khz = tsc_khz,
                                .mode = options.log_mode,
                                .wire_level = options.wire_level,
                                .ring_level = options.ring_level,
                                .port = COM1,
                                .build_id = build_id_note + BUILD_ID_OFFSET,
                                .build_id_size = BUILD_ID_SIZE,
                                .test_fifo = options.fifo};
    log_cpu_online(0, cpus[0].apic_id);
    if (log_open_wire(&config) == LOG_ERR_UART)
        log_warn("no UART answers at 0x%x: the log stays in its rings at 0x%lx", COM1, (uint64_t)RING_BASE);
    options_report();
    if (console_on)
        console_init(COM1);
}

static void choose_backend(void)
{
    static const struct backend *const all[] = {&svm_backend, &vmx_backend};
    for (unsigned i = 0; !backend && i < sizeof all / sizeof *all; i++)
        if (all[i]->present())
            backend = all[i];
    if (!backend)
        boot_fail("this CPU offers neither SVM nor VMX: run on one that does (QEMU: -cpu EPYC,+svm,+npt)");
}

static void set_up_cpus(void)
{
    choose_backend();
    const char *why = apic_probe();
    if (!why)
        why = backend->probe();
    if (why)
        boot_fail(why);
    policy_set_ports(&(struct policy_ports){COM1, acpi.pm1a_control, acpi.pm1b_control, acpi.s5_type});
    backend->permissions_init();
    if (paging_init(memmap_top()))
        boot_fail("too little memory for the hypervisor's page tables: use a machine with less RAM");
    for (unsigned i = 0; i < cpu_count; i++)
        if (descriptors_carve(&cpus[i]) || backend->cpu_start(&cpus[i].vcpu))
            boot_fail("too little memory for the CPUs' stacks: a bug");
    paging_load();
    descriptors_load(&cpus[0]);
    memory_pool_init();
    if (view_init())
        boot_fail("too little memory for the nested page tables: use a machine with less RAM");
    for (unsigned i = 0; i < cpu_count; i++)
        cpus[i].vcpu.view = view_main();
    why = backend->cpu_enable(&cpus[0].vcpu);
    if (why)
        boot_fail(why);
    backend->reset(&cpus[0].vcpu);
    lapic_start(&cpus[0].vcpu);
}

static void load_guest(void)
{
    struct linux_entry entry;
    struct vcpu *vcpu = &cpus[0].vcpu;
    const char *why;
    if (linux_load(&modules, &entry, &why))
        boot_fail(why);
    backend->set_protected(vcpu, LINUX_CS, LINUX_DS, entry.entry);
    backend->set_gdt(vcpu, entry.gdt, entry.gdt_limit);
    vcpu->gpr[REG_RDX] = 0;
    vcpu->gpr[REG_RSI] = entry.boot_params;
    log_info("guest: kernel at 0x%x, boot_params at 0x%x, initrd at 0x%x", entry.entry, entry.boot_params,
             entry.initrd);
}

/* On the boot CPU's final stack, where an overflow is caught. */
static _Noreturn void boot_on_stack(void)
{
    ap_start_all(&acpi);
    if (hosttest)
        hosttest_run(&acpi);
    atomic_store(&cpus[0].state, CPU_RUNNING);
    if (hypapp.init && hypapp.init())
        log_error("the hypapp %s did not start: the guest runs without it", hypapp.name);
    load_guest();
    log_info("%s, %u CPUs, %s; %u KiB of memory and %u KiB of rings taken", backend->name, cpu_count,
             hypapp.name, memory_most_kib(), (unsigned)((ring_end - RING_BASE) / 1024));
    log_info("%lu ticks from the boot loader to the guest", rdtsc() - boot_tsc);
    vcpu_loop(&cpus[0].vcpu);
}

_Noreturn void boot_main(const struct multiboot_info *info, uint32_t magic)
{
    cpus[0].self = &cpus[0];
    wrmsr(MSR_GS_BASE, (uint64_t)&cpus[0]);
    if (magic != MULTIBOOT_LOADER_MAGIC)
        boot_fail("not started by a multiboot 1 loader: use GRUB's 'multiboot' command");
    read_modules(info);
    find_cpus();
    read_memory(info);
    open_rings();
    clock_calibrate();
    open_wire();
    set_up_cpus();
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "call *%1\n\t"
                     "ud2" ::"r"(cpus[0].stack_top[STACK_NORMAL]),
                     "r"(boot_on_stack));
    __builtin_unreachable();
}
