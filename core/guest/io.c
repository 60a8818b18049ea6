/*
 * Ports that exit, and why:
 *
 *   the log's UART      is not there for the guest: reads give 0xFF, writes go nowhere (its 8250 driver probes);
 *                       or it is the guest's console (console.h)
 *   ACPI power control  S5 drains the log first; sleep states are refused, since the firmware would wake the
 *                       guest without the hypervisor
 *   0x92, 0x60, 0x64    the A20 gate stays open: closed, it would mask the hypervisor's addresses as well
 *                       (VM_CR.DIS_A20M prevents that; QEMU has no such bit)
 *   0xCF9 and the three above
 *                       what resets the machine goes the way of a triple fault (shutdown.h): memory outlives
 *                       it, and neither the hypapp's nor the log's part of it may be left as it is
 *
 * 0xCF9 lies in the middle of the PCI configuration address, a dword at 0xCF8, and an access of several bytes
 * exits if any of its ports is trapped (SDM vol. 3, 26.1.3; APM vol. 2, 15.10.1). That dword is passed on as
 * it is; a boot of Debian's kernel on QEMU's machine has some 350 of them, a tenth of all its exits.
 */
#include "core/cpu.h"
#include "core/guest/console.h"
#include "core/guest/policy.h"
#include "core/guest/shutdown.h"
#include "core/limit.h"
#include "core/memory.h"
#include "core/quiesce.h"
#include "core/x86/asm.h"

enum {
    UART_PORTS = 8,
    PM1_PORTS = 2,
    SYSTEM_CONTROL_A = 0x92,
    FAST_RESET = 1 << 0,
    A20_OPEN = 1 << 1,
    KEYBOARD_DATA = 0x60,
    KEYBOARD_COMMAND = 0x64,
    KEYBOARD_WRITE_OUTPUT = 0xD1,
    KEYBOARD_CLOSE_A20 = 0xDD,
    KEYBOARD_PULSE = 0xF0, /* and 15 more: pulls down the output port's low bits that the command has 0 */
    OUTPUT_RUN = 1 << 0,   /* 0: reset; of the output port, and of the pulse */
    PCI_ADDRESS = 0xCF8,
    RESET_CONTROL = 0xCF9,
    RESET_CPU = 1 << 2,
};

static struct policy_ports ports;
static _Atomic bool output_port_next; /* the next byte for the keyboard's data port goes to its output port */

void policy_set_ports(const struct policy_ports *given)
{
    ports = *given;
}

static bool in_range(uint16_t port, uint16_t first, unsigned count)
{
    return first && port >= first && port < first + count;
}
static bool is_uart(uint16_t port)
{
    return in_range(port, ports.uart, UART_PORTS);
}
static bool is_power(uint16_t port)
{
    return in_range(port, ports.pm1a_control, PM1_PORTS) || in_range(port, ports.pm1b_control, PM1_PORTS);
}

bool policy_port_trapped(uint16_t port)
{
    return is_uart(port) || is_power(port) || port == SYSTEM_CONTROL_A || port == KEYBOARD_DATA ||
           port == KEYBOARD_COMMAND || port == RESET_CONTROL;
}

static uint32_t port_in(uint16_t port, unsigned size)
{
    return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static void port_out(uint16_t port, unsigned size, uint32_t value)
{
    if (size == 1)
        outb(port, (uint8_t)value);
    else if (size == 2)
        outw(port, (uint16_t)value);
    else
        outl(port, value);
}

/* Does this byte reset the machine? */
static bool resets(uint16_t port, uint8_t value)
{
    switch (port) {
    case RESET_CONTROL:
        return value & RESET_CPU;
    case SYSTEM_CONTROL_A:
        return value & FAST_RESET;
    case KEYBOARD_COMMAND:
        return (value & (KEYBOARD_PULSE | OUTPUT_RUN)) == KEYBOARD_PULSE;
    case KEYBOARD_DATA:
        return atomic_load(&output_port_next) && !(value & OUTPUT_RUN);
    default:
        return false;
    }
}

/* False: drop the write. `high` is the register's upper byte, where SLP_TYP and SLP_EN are. */
static bool power_write(uint8_t high)
{
    enum { SLEEP_ENABLE = 1 << 5, SLEEP_TYPE_SHIFT = 2 };
    if (!(high & SLEEP_ENABLE))
        return true;
    if ((high >> SLEEP_TYPE_SHIFT & 7) != ports.s5_type) {
        guest_warn("guest asks for sleep type %u: refused, only power-off (%u) is offered",
                   high >> SLEEP_TYPE_SHIFT & 7, ports.s5_type);
        return false;
    }
    struct log_totals t = log_totals();
    console_flush();
    log_info("guest powers off: %lu exits, %lu quiesces, %u KiB of memory used at most", exits_total(),
             quiesce_rounds(), memory_most_kib());
    log_info("log: %lu frames, %lu records, %lu bytes, %lu dropped, %lu times given up", t.frames, t.records,
             t.wire_bytes, t.dropped, t.given_up);
    log_drain();
    return true;
}

/* One byte of a write. False: drop it. */
static bool filter_byte(uint16_t port, uint8_t *value)
{
    if (is_uart(port)) {
        if (console_on)
            console_write(port - ports.uart, *value);
        return false;
    }
    if (port == SYSTEM_CONTROL_A)
        *value = (uint8_t)(*value | A20_OPEN);
    if (port == KEYBOARD_COMMAND) {
        atomic_store(&output_port_next, *value == KEYBOARD_WRITE_OUTPUT);
        return *value != KEYBOARD_CLOSE_A20;
    }
    if (port == KEYBOARD_DATA && atomic_exchange(&output_port_next, false))
        *value |= A20_OPEN;
    if (is_power(port) && port != ports.pm1a_control && port != ports.pm1b_control)
        return power_write(*value);
    return true;
}

/* An access of several bytes may begin below a trapped port and reach it: then each byte is judged, and one
 * that is dropped drops it all. */
static bool filter(uint16_t port, unsigned size, uint32_t *value)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(*value >> 8 * i);
        if (!filter_byte((uint16_t)(port + i), &byte))
            return false;
        *value = (*value & ~(0xFFu << 8 * i)) | (uint32_t)byte << 8 * i;
    }
    return true;
}

/* The port of the first byte that resets the machine, 0: none. */
static uint16_t reset_port(uint16_t port, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size; i++)
        if (resets((uint16_t)(port + i), (uint8_t)(value >> 8 * i)))
            return (uint16_t)(port + i);
    return 0;
}

static uint32_t read(uint16_t port, unsigned size)
{
    if (console_on && size == 1 && is_uart(port))
        return console_read(port - ports.uart);
    for (unsigned i = 0; i < size; i++)
        if (is_uart((uint16_t)(port + i)))
            return 0xFFFFFFFF;
    return port_in(port, size);
}

void policy_io(struct vcpu *vcpu, const struct exit *exit)
{
    unsigned size = exit->io.size;
    uint64_t *rax = &vcpu->gpr[REG_RAX];
    if (exit->io.string) { /* no driver does this on these ports */
        guest_warn("string I/O on port 0x%x at rip 0x%lx: #GP", exit->io.port, vcpu->rip);
        vcpu_inject_gp(vcpu);
        return;
    }
    if (exit->io.in) {
        uint64_t value = read(exit->io.port, size);
        uint64_t mask =
            size == 4 ? ~0ull : (1ull << 8 * size) - 1; /* a 32-bit write clears the upper half of RAX */
        *rax = (*rax & ~mask) | (value & mask);
    } else {
        uint32_t value = (uint32_t)*rax;
        bool pci = exit->io.port == PCI_ADDRESS && size == 4;
        uint16_t reset = pci ? 0 : reset_port(exit->io.port, size, value);
        if (reset) {
            log_info("guest resets the machine by port 0x%x", reset);
            shutdown_reset(vcpu);
            return;
        }
        if (pci || filter(exit->io.port, size, &value))
            port_out(exit->io.port, size, value);
    }
    vcpu_skip(vcpu, exit);
}
