/* Ports that exit. The log's UART is not there for the guest: reads give 0xFF, writes go nowhere (its 8250 driver probes). The power control register
   works as ever, but the log is drained first. */
#include "core/cpu.h"
#include "core/guest/policy.h"
#include "core/quiesce.h"
#include "core/x86/asm.h"

enum { UART_PORTS = 8, PM1_SLEEP_ENABLE = 1 << 13, STRING_CHUNK = 256 };

static uint16_t uart_port, pm1a_port;

void policy_set_ports(uint16_t uart, uint16_t pm1a_control)
{
    uart_port = uart;
    pm1a_port = pm1a_control;
}

static bool is_uart(uint16_t port) { return port >= uart_port && port < uart_port + UART_PORTS; }

bool policy_port_trapped(uint16_t port) { return is_uart(port) || (pm1a_port && port == pm1a_port); }

/* An access of several bytes may begin below a trapped port and reach it: those bytes, too, are absent. */
static bool touches_uart(uint16_t port, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        if (is_uart((uint16_t)(port + i)))
            return true;
    return false;
}

static uint32_t port_in(uint16_t port, unsigned size)
{
    if (touches_uart(port, size))
        return 0xFFFFFFFF;
    return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static void port_out(uint16_t port, unsigned size, uint32_t value)
{
    if (touches_uart(port, size))
        return;
    if (port == pm1a_port && value & PM1_SLEEP_ENABLE) {
        struct log_totals t = log_totals();
        log_info("guest powers off: %lu exits, %lu quiesces", exits_total(), quiesce_rounds());
        log_info("log: %lu frames, %lu records, %lu bytes, %lu dropped, %lu times given up", t.frames, t.records, t.wire_bytes, t.dropped, t.given_up);
        log_drain();
    }
    if (size == 1)
        outb(port, (uint8_t)value);
    else if (size == 2)
        outw(port, (uint16_t)value);
    else
        outl(port, value);
}

/* INS and OUTS: one chunk an exit, RIP stays until RCX is 0. Memory is reached as CPL 3 would, which a probing kernel does not need to exceed:
   where it cannot be, the guest gets #GP. */
static bool string_io(struct vcpu *vcpu, const struct exit *exit)
{
    struct guest_space space;
    guest_space_of(vcpu, &space);
    enum reg index = exit->io.in ? REG_RDI : REG_RSI;
    struct segment es;
    vcpu_get_segment(vcpu, exit->io.in ? SEG_ES : SEG_DS, &es);
    uint64_t count = exit->io.rep ? vcpu->gpr[REG_RCX] : 1;
    int64_t step = vcpu->rflags & 1 << 10 ? -(int64_t)exit->io.size : exit->io.size;
    for (unsigned i = 0; count && i < STRING_CHUNK; i++, count--) {
        uint32_t value = exit->io.in ? port_in(exit->io.port, exit->io.size) : 0;
        uint64_t address = es.base + vcpu->gpr[index];
        if (exit->io.in ? guest_copy_out(&space, address, &value, exit->io.size) : guest_copy_in(&space, &value, address, exit->io.size)) {
            vcpu_inject_gp(vcpu);
            return false;
        }
        if (!exit->io.in)
            port_out(exit->io.port, exit->io.size, value);
        vcpu->gpr[index] += (uint64_t)step;
        if (exit->io.rep)
            vcpu->gpr[REG_RCX]--;
    }
    return count == 0;
}

void policy_io(struct vcpu *vcpu, const struct exit *exit)
{
    unsigned size = exit->io.size;
    uint64_t *rax = &vcpu->gpr[REG_RAX];
    if (exit->io.string) {
        if (!string_io(vcpu, exit))
            return;
    } else if (exit->io.in) {
        uint64_t value = port_in(exit->io.port, size);
        uint64_t mask = size == 4 ? ~0ull : (1ull << 8 * size) - 1; /* a 32-bit write clears the upper half of RAX */
        *rax = (*rax & ~mask) | (size == 4 ? value : value & mask);
    } else {
        port_out(exit->io.port, size, (uint32_t)*rax);
    }
    vcpu_skip(vcpu, exit);
}
