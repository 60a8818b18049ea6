/* See selftest.h. */
#include "core/selftest.h"
#include "core/cpu.h"
#include "core/doorbell.h"
#include "core/memory.h"
#include "core/quiesce.h"
#include "core/stall.h"
#include "core/x86/asm.h"
#include "core/x86/clock.h"
#include "core/x86/trap.h"

enum call { CALL_QUIESCE = 0x42520001, CALL_COUNTER, CALL_PARK, CALL_BREAK = 0x42520010, CALL_STALL };
enum { MAX_QUIESCES = 1000, HOLD_MS = 5000, MAX_HOLD = 1000000 /* ticks */ };

bool selftest_on;

bool selftest_is_ours(uint32_t number)
{
    return (number >= CALL_QUIESCE && number <= CALL_PARK) || number == CALL_BREAK || number == CALL_STALL;
}

static void hold(uint64_t ticks)
{
    for (uint64_t start = rdtsc(); ticks && rdtsc() - start < ticks;)
        cpu_relax();
}

static uint64_t quiesce_often(struct vcpu *vcpu, uint32_t count, uint32_t ticks)
{
    uint32_t done = 0;
    while (done < count && done < MAX_QUIESCES && !quiesce_begin(vcpu)) {
        hold(ticks < MAX_HOLD ? ticks : MAX_HOLD);
        quiesce_end(vcpu);
        done++;
    }
    return done;
}

static uint64_t counter(uint32_t which)
{
    uint64_t sum = 0;
    if (which == 0)
        return quiesce_rounds();
    if (which == 1)
        return exits_total();
    if (which == 5)
        return log_totals().frames;
    if (which == 6)
        return log_totals().records;
    if (which == 7)
        return pages_free();
    for (unsigned i = 0; i < cpu_count; i++) {
        const struct vcpu *v = &cpus[i].vcpu;
        sum += which == 2 ? v->nmis_sent : which == 3 ? v->nmis_injected : which == 4 ? v->nmis_unknown : 0;
    }
    return sum;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static __attribute__((noinline)) uint64_t overflow(uint64_t depth)
{
    volatile uint64_t block[16] = {depth};
    return overflow(depth + 1) + block[depth % 16];
}
#pragma GCC diagnostic pop

/* vector << 8 | CPU: where the next trap's handler overflows its stack; 0: nowhere */
static _Atomic uint32_t overflow_at;
enum { NMI_WAIT_US = 1000000 };
#define NOT_CANONICAL 0x8000000000000000ull

void selftest_trap(uint64_t vector)
{
    uint32_t expected = (uint32_t)vector << 8 | this_cpu()->index;
    uint32_t armed = atomic_load_explicit(&overflow_at, memory_order_relaxed);
    if (!armed || armed != expected)
        return;
    atomic_store(&overflow_at, 0);
    overflow(0);
}

static void overflow_in(unsigned vector)
{
    atomic_store(&overflow_at, vector << 8 | this_cpu()->index);
}

static void break_something(struct vcpu *vcpu, uint32_t way)
{
    struct cpu *cpu = vcpu->cpu;
    log_warn("test: breaking the hypervisor, way %u", way);
    switch ((enum way)way) {
    case WAY_DF_STACK:
        overflow_in(VEC_DF);
        overflow(0);
        break;
    case WAY_STACK:
        overflow(0);
        break;
    case WAY_GUARD_PAGE:
        *(volatile uint64_t *)(cpu->stack_top[STACK_NORMAL] - stack_size(STACK_NORMAL) - 8) = 1;
        break;
    case WAY_UD:
        __asm__ volatile("ud2");
        break;
    case WAY_BUSY:
        for (uint64_t end = rdtsc() + clock_ms(HOLD_MS); rdtsc() < end;)
            cpu_relax();
        break;
    case WAY_GP:
        *(volatile uint64_t *)NOT_CANONICAL = 1;
        break;
    case WAY_MC_STACK:
        overflow_in(VEC_MC);
        __asm__ volatile("int $18");
        break;
    case WAY_MC:
        __asm__ volatile("int $18");
        break;
    case WAY_ENTRY:
        vcpu_set(vcpu, REG_CR0, (vcpu_get(vcpu, REG_CR0) | CR0_NW) & ~(uint64_t)CR0_CD); /* SVM */
        vcpu->rflags &= ~(uint64_t)RFLAGS_FIXED;                                         /* VMX */
        break;
    case WAY_NMI_STACK:
        overflow_in(VEC_NMI);
        doorbell_ring_again(cpu);
        clock_delay_us(NMI_WAIT_US);
        break;
    case WAY_CODE:
        *(volatile uint8_t *)(uint64_t)selftest_hypercall = 0;
        break;
    }
}

enum hypapp_result selftest_hypercall(struct vcpu *vcpu)
{
    uint32_t argument = (uint32_t)vcpu->gpr[REG_RCX];
    switch ((uint32_t)vcpu->gpr[REG_RAX]) {
    case CALL_QUIESCE: {
        uint64_t done = quiesce_often(vcpu, argument, (uint32_t)vcpu->gpr[REG_RDX]);
        if (!done && argument)
            return HYPAPP_RETRY;
        vcpu->gpr[REG_RAX] = done;
        return HYPAPP_DONE;
    }
    case CALL_COUNTER:
        vcpu->gpr[REG_RAX] = counter(argument);
        return HYPAPP_DONE;
    case CALL_PARK:
        quiesce_parks_spin = argument;
        vcpu->gpr[REG_RAX] = 0;
        return HYPAPP_DONE;
    case CALL_BREAK:
        break_something(vcpu, argument);
        vcpu->gpr[REG_RAX] = 0;
        return HYPAPP_DONE;
    case CALL_STALL:
        vcpu->gpr[REG_RAX] = !stall_begin(vcpu, argument, (uint32_t)vcpu->gpr[REG_RDX]);
        return HYPAPP_DONE;
    }
    return HYPAPP_PASS;
}
