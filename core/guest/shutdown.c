/* See shutdown.h. Reset: port 0xCF9 (the chipset's), then 0xFE to the keyboard controller. */
#include "core/guest/shutdown.h"
#include "core/cpu.h"
#include "core/guest/console.h"
#include "core/guest/start.h"
#include "core/quiesce.h"
#include "core/x86/asm.h"
#include "core/x86/clock.h"

enum {
    RESET_CONTROL = 0xCF9,
    RESET_HARD = 0x06,
    KEYBOARD_COMMAND = 0x64,
    KEYBOARD_PULSE_RESET = 0xFE,
    SETTLE_US = 50000
};

void shutdown_reset(struct vcpu *vcpu)
{
    quiesce_begin_insisting(vcpu);
    for (unsigned i = 0; i < cpu_count; i++)
        if (cpus[i].vcpu.app && hypapp.cpu_reset)
            hypapp.cpu_reset(&cpus[i].vcpu);
    if (hypapp.machine_reset)
        hypapp.machine_reset();
    console_flush();
    log_drain();
    outb(RESET_CONTROL, RESET_HARD);
    clock_delay_us(SETTLE_US);
    outb(KEYBOARD_COMMAND, KEYBOARD_PULSE_RESET);
    clock_delay_us(SETTLE_US);
    log_error("no reset works here: this CPU of the guest stays shut down");
    quiesce_end(vcpu);
    start_init(vcpu->cpu); /* it waits for a SIPI, as after INIT */
}
