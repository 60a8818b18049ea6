/* Setting the log up, its levels, its pump, its totals. See log.h. */
#include "log/log.h"
#include "log/area.h"
#include "log/banner.h"
#include "log/owner.h"
#include "log/send.h"
#include "log/uart.h"
#include "log/writer.h"
#include "log_env.h"

enum { SETTLE_DIVISOR = 50, EXIT_DIVISOR = 100 /* of the patience with the UART: 2 ms, 1 ms */ };
enum { EXIT_RECORDS = 8 };

struct log_state log_state;

int log_init(void *memory, size_t size, unsigned max_cpus)
{
    struct log_area *area;

    if (max_cpus == 0 || max_cpus > LOG_MAX_CPUS)
        return LOG_ERR_CPUS;
    area = log_area_init(memory, size, max_cpus);
    if (area == NULL)
        return LOG_ERR_MEMORY;
    log_owner_reset();
    log_uart.name = NULL;
    __builtin_memset(&log_state, 0, sizeof(log_state));
    log_state.area = area;
    log_state.max_cpus = max_cpus;
    for (unsigned cpu = 0; cpu < max_cpus; cpu++) {
        log_state.lane[cpu].apic_id = cpu;
        for (unsigned c = 0; c < LOG_CONTEXTS; c++) {
            struct log_writer *writer = &log_state.lane[cpu].writer[c];

            writer->ring.slots = log_area_slots(area, cpu, c);
            writer->ring.mask = log_area_slot_count(c) - 1;
            writer->cpu = (uint8_t)cpu;
            writer->context = (uint8_t)c;
        }
    }
    log_set_levels(LOG_INFO, LOG_TRACE);
    return LOG_OK;
}

void log_set_levels(enum log_level wire, enum log_level ring)
{
    log_set(log_state.route, (uint16_t)(wire | (log_get(log_state.route) & LOG_AT_ONCE)));
    log_set(log_finest, (int)(wire > ring ? wire : ring));
}

/* The tags' width, and a unit of time between 5 and 10 microseconds: a byte takes 87 on the wire, and a finer
 * unit would cost it more of them. */
static void set_geometry(const struct log_config *config)
{
    log_state.cpus = config->cpus;
    log_state.tag_bits = 0;
    while (1u << log_state.tag_bits < config->cpus)
        log_state.tag_bits++;
    log_state.shift = 0;
    while (config->tsc_khz >> (log_state.shift + 1) >= 100)
        log_state.shift++;
}

static void describe_boot(const struct log_config *config)
{
    struct log_bank *bank = &log_state.area->bank[log_state.area->current];

    bank->tsc_khz = config->tsc_khz;
    bank->cpus = config->cpus;
    bank->build_id_size = config->build_id_size < LOG_BUILD_ID_MAX ? config->build_id_size : LOG_BUILD_ID_MAX;
    for (unsigned i = 0; i < bank->build_id_size; i++)
        bank->build_id[i] = config->build_id[i];
    log_area_seal(log_state.area);
}

int log_open_wire(const struct log_config *config)
{
    const uint16_t port = config->port == 0 ? LOG_PORT_COM1 : config->port;
    struct log_writer *self = log_self();

    if (config->cpus == 0 || config->cpus > log_state.max_cpus || self == NULL)
        return LOG_ERR_CPUS;
    if (config->tsc_khz == 0)
        return LOG_ERR_CLOCK;
    set_geometry(config);
    describe_boot(config);
    log_set_levels(config->wire_level, config->ring_level);
    if (!log_uart_open(port, config->cpus, config->tsc_khz, config->test_fifo))
        return LOG_ERR_UART;
    if (log_uart.depth == 1)
        log_owner_require();
    log_banner(config);
    log_set(log_state.open, true);
    log_send_lane(self, UINT32_MAX);
    if (config->mode == LOG_SYNC)
        log_set(log_state.route, log_get(log_state.route) | LOG_AT_ONCE);
    log_send_lane(self, UINT32_MAX); /* what came between the two */
    return LOG_OK;
}

void log_cpu_online(unsigned cpu, uint32_t apic_id)
{
    if (cpu < log_state.max_cpus)
        log_state.lane[cpu].apic_id = apic_id;
}

struct log_writer *log_writer(unsigned cpu, enum log_context context)
{
    return cpu < log_state.max_cpus ? &log_state.lane[cpu].writer[context] : NULL;
}

/* Written out, since every exit asks. */
bool log_waits(unsigned cpu)
{
    const struct log_writer *writer = log_state.lane[cpu].writer;

    _Static_assert(LOG_CONTEXTS == 4, "all of them");
    return log_waiting(&writer[LOG_NORMAL]) || log_waiting(&writer[LOG_NMI]) ||
           log_waiting(&writer[LOG_MCE]) || log_waiting(&writer[LOG_PANIC]);
}

bool log_pump(unsigned cpu, unsigned max_records)
{
    if (cpu < log_state.cpus && log_get(log_state.open))
        log_send_lane(&log_state.lane[cpu].writer[LOG_NORMAL], max_records);
    return log_backlog(cpu);
}

void log_push(void)
{
    struct log_writer *self = log_self();

    if (self != NULL && log_get(log_state.open))
        log_send_own(self);
}

bool log_pump_at_exit(unsigned cpu, unsigned max_records)
{
    struct log_lane *lane;
    uint32_t count = 0;

    if (cpu >= log_state.cpus)
        return false;
    lane = &log_state.lane[cpu];
    for (unsigned c = 0; c < LOG_CONTEXTS; c++)
        count += log_waiting(&lane->writer[c]);
    if (count == 0) {
        lane->found_waiting = 0;
        return false;
    }
    if (lane->found_waiting == 0)
        lane->found_waiting = log_clock();
    if (count < EXIT_RECORDS && log_clock() - lane->found_waiting < log_uart.patience / EXIT_DIVISOR)
        return log_backlog(cpu);
    lane->found_waiting = 0;
    return log_pump(cpu, max_records);
}

bool log_backlog(unsigned cpu)
{
    return cpu < log_state.cpus && log_get(log_state.open) && !log_get(log_uart.stuck) && log_waits(cpu);
}

void log_flush_panic(void)
{
    struct log_writer *self = log_self();
    const uint64_t start = log_clock();
    struct log_right right = {.held = false};

    if (self == NULL || !log_get(log_state.open))
        return;
    log_owner_require();
    (void)log_owner_wait(self, &right);
    while (log_clock() - start <
           log_uart.patience / SETTLE_DIVISOR) /* bytes of CPUs past their look land now */
        log_relax();
    for (unsigned cpu = 0; cpu < log_state.cpus; cpu++) {
        for (unsigned c = 0; c < LOG_CONTEXTS; c++) {
            struct log_writer *writer = &log_state.lane[cpu].writer[c];

            /* A frame takes a record at least, so this bounds us even if that CPU still logs. */
            for (uint64_t n = 0; n <= writer->ring.mask && log_waiting(writer); n++)
                if (log_send_frame(self, writer, UINT32_MAX) == 0)
                    break;
        }
    }
    log_owner_release(self, &right);
}

void log_drain(void)
{
    struct log_writer *self = log_self();

    if (self != NULL && self->context == LOG_NORMAL && log_get(log_state.open))
        log_send_lane(self, UINT32_MAX);
    if (log_uart.name != NULL)
        log_uart_drain();
}

struct log_totals log_totals(void)
{
    struct log_totals sum = {.homeless = log_get(log_state.homeless), .given_up = log_get(log_uart.given_up)};

    for (unsigned cpu = 0; cpu < log_state.max_cpus; cpu++) {
        for (unsigned c = 0; c < LOG_CONTEXTS; c++) {
            const struct log_writer *writer = &log_state.lane[cpu].writer[c];

            sum.frames += log_get(writer->frames);
            sum.records += log_get(writer->records);
            sum.wire_bytes += log_get(writer->wire_bytes);
            sum.dropped += log_get(writer->dropped);
        }
    }
    return sum;
}

void log_puts_early(const char *text)
{
    if (log_get(log_state.open)) {
        log_text(LOG_ERROR, text);
        return;
    }
    if (log_uart.name != NULL || log_uart_open(LOG_PORT_COM1, 1, 0, LOG_FIFO_PROBED))
        (void)log_uart_puts(text);
}
