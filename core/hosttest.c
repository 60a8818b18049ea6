/* See hosttest.h. */
#include "core/hosttest.h"
#include "core/panic.h"
#include "core/x86/apic.h"
#include "core/x86/asm.h"
#include "core/x86/clock.h"

enum {
    UART_RECORDS = 1400, /* of a CPU, 15 to 20 bytes each; with more than 4 CPUs they share these: */
    UART_RECORDS_SHARED = 2800,
    RECORDS_AN_NMI = 4,
    DEADLINE_MS = 120000,
    STEP_MS = 10000, /* of one step, which takes 0.1 s, or 0.2 s on a host at load 10; hosts pause, too */
    HOLD_RECORDS = 1000,
    PUMP_RECORDS = 16,
    BOCHS_PORT = 0x8900
};

enum hosttest hosttest;

static _Atomic uint32_t cpus_done;
static _Atomic bool over;       /* CPU 0 is through, or held for good */
static _Atomic uint64_t logged; /* records by the CPUs that only log */
static uint32_t steps_left;     /* CPU 0 only: traps until the NMI or the hold */
static bool fired, for_good;
static uint32_t in_vain; /* CPU 0 only: waits of a step that ended by their deadline */

static uint32_t nmis; /* CPU 0 only, logged by its handler */

static bool nmi_logs(void)
{
    return hosttest == HOSTTEST_UART_NMI || (hosttest == HOSTTEST_STEP && this_cpu()->index == 0);
}

void hosttest_nmi(void)
{
    if (nmi_logs())
        log_info("NMI in the middle, %u", ++nmis);
}

/* Bounded: a test that fails does so by its counts, not by a hang. */
static void wait_for_others(void)
{
    uint64_t until = atomic_load(&logged) + HOLD_RECORDS, start = rdtsc();
    while (atomic_load(&logged) < until) {
        if (rdtsc() - start > clock_ms(STEP_MS)) {
            in_vain++;
            return;
        }
        cpu_relax();
    }
}

static void take_an_nmi(void)
{
    struct cpu *cpu = this_cpu();
    uint32_t seen = atomic_load(&cpu->nmi_seen);
    uint64_t start = rdtsc();
    apic_send(cpu->apic_id, APIC_NMI << ICR_DELIVERY_SHIFT | ICR_ASSERT, 0);
    while (atomic_load(&cpu->nmi_seen) == seen) {
        if (rdtsc() - start > clock_ms(STEP_MS)) {
            in_vain++;
            return;
        }
        cpu_relax();
    }
}

bool hosttest_step(struct trap_frame *frame)
{
    if (hosttest < HOSTTEST_STEP)
        return false;
    if (--steps_left)
        return true;
    frame->rflags &= ~(uint64_t)RFLAGS_TF;
    fired = true;
    if (hosttest == HOSTTEST_STEP) {
        take_an_nmi();
    } else {
        if (hosttest == HOSTTEST_HOLD)
            wait_for_others();
        if (for_good) {
            atomic_store(&over, true);
            for (;;)
                cpu_relax();
        }
    }
    return true;
}

/* In async mode a record leaves here; in sync mode it has left. */
static bool pump(void)
{
    return log_pump(this_cpu()->index, PUMP_RECORDS);
}

/* One record, with a trap behind its n-th instruction. False: it had fewer. */
static bool log_stepped(uint32_t n)
{
    steps_left = n;
    fired = false;
    __asm__ volatile("pushfq; orl %0, (%%rsp); popfq" ::"i"(RFLAGS_TF) : "memory", "cc");
    log_info("step %u, cpu%u", n, 0u);
    pump();
    __asm__ volatile("pushfq; andl %0, (%%rsp); popfq" ::"i"(~RFLAGS_TF) : "memory", "cc");
    return fired;
}

static void run_steps(void)
{
    uint32_t n = 1;
    while (log_stepped(n))
        n++;
    log_info("%u instructions stepped through, %u NMIs, %u waits in vain", n - 1, nmis, in_vain);
    if (hosttest == HOSTTEST_HOLD) {
        for_good = true;
        log_stepped(n - n / 4); /* the wire is what it does last: with its frame begun and not ended */
    }
}

/* A record whose instructions are counted, and one that is held for good in the middle of its frame. */
static void stop_in_a_frame(void)
{
    log_info("cpu0 stops in the next but one"); /* and here is the SYNC that is due */
    log_drain();
    log_stepped(UINT32_MAX);
    uint32_t count = UINT32_MAX - steps_left;
    log_drain();
    for_good = true;
    log_stepped(count - count / 3);
}

static void wait_until_over(void)
{
    uint64_t start = rdtsc();
    while (!atomic_load(&over) && rdtsc() - start < clock_ms(DEADLINE_MS))
        cpu_relax();
}

static void log_until_over(void)
{
    for (uint32_t i = 1; !atomic_load(&over); i++) {
        log_info("meanwhile cpu%u, %u", this_cpu()->index, i);
        pump();
        atomic_fetch_add(&logged, 1);
    }
}

static void write_records(uint32_t me)
{
    const struct cpu *next = &cpus[(me + 1) % cpu_count];
    uint32_t count = cpu_count > 4 ? UART_RECORDS_SHARED / cpu_count : UART_RECORDS;
    for (uint32_t i = 0; i < count; i++) {
        log_info("uart test: record %u of %s", i, "lane");
        if (hosttest == HOSTTEST_UART_NMI && i % RECORDS_AN_NMI == 0)
            apic_send(next->apic_id, APIC_NMI << ICR_DELIVERY_SHIFT | ICR_ASSERT, 0);
    }
}

static _Noreturn void finish(const struct acpi_info *acpi)
{
    uint64_t start = rdtsc();
    uint32_t expected = cpu_count - (hosttest >= HOSTTEST_HOLD);
    while (atomic_load(&cpus_done) < expected && rdtsc() - start < clock_ms(DEADLINE_MS))
        cpu_relax();
    log_info("host test over: %u of %u CPUs done", atomic_load(&cpus_done), cpu_count);
    pump();
    log_drain();
    outb(BOCHS_PORT, 'D'); /* Bochs: into its debugger, which ends it well */
    acpi_power_off(acpi);
    for (;;)
        __asm__ volatile("hlt");
}

_Noreturn void hosttest_run(const struct acpi_info *acpi)
{
    uint32_t me = this_cpu()->index;
    if (hosttest == HOSTTEST_UART || hosttest == HOSTTEST_UART_NMI) {
        write_records(me);
    } else if (me == 0 && hosttest == HOSTTEST_STOPPED) {
        stop_in_a_frame();
    } else if (hosttest == HOSTTEST_STOPPED) {
        wait_until_over();
        write_records(me);
    } else if (me == 0) {
        run_steps();
        atomic_store(&over, true);
    } else {
        log_until_over();
    }
    for (uint64_t start = rdtsc(); pump() && rdtsc() - start < clock_ms(DEADLINE_MS);)
        cpu_relax();
    atomic_fetch_add(&cpus_done, 1);
    /* The CPU that was held for good says nothing any more: the last one switches the machine off. */
    if (me == (hosttest >= HOSTTEST_HOLD ? cpu_count - 1 : 0))
        finish(acpi);
    for (;;)
        __asm__ volatile("hlt");
}
