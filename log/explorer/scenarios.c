/* The log's scenarios. Contexts of CPU 0 come first; an NMI is a context on top of another. */
#include <stdio.h>
#include <string.h>
#include "log/explorer/scenarios.h"
#include "log/explorer/world.h"
#include "log/uart.h"
#include "log/writer.h"

enum { STEPS = 20000, PATIENCE = 100000 /* ticks: world.c's clock has 1000 a millisecond */ };

/* The lanes' identity has gone out before: less to explore, nothing else. */
static void skip_identity(void)
{
    for (unsigned cpu = 0; cpu < WORLD_CPUS; cpu++) {
        log_set(log_state.lane[cpu].identified, true);
        log_set(log_state.lane[cpu].identity_time, 1000000);
    }
}

/* Three records go through two slots while a reader on another CPU looks for each of them. */

static const struct world_writer ring_writers[] = {{0, LOG_NORMAL}, {1, LOG_NORMAL}, {0, LOG_NMI}};

static void ring_reset(void)
{
    world_reset(ring_writers, LOG_ASYNC, 0, WORLD_SLOTS);
}

static void say_two(void)
{
    world_say();
    world_say();
}

static void say_three(void)
{
    for (unsigned i = 0; i < 3; i++)
        world_say();
}

static void read_ring(unsigned who)
{
    const struct log_ring *ring = &log_writer(0, ring_writers[who].context)->ring;

    for (uint64_t n = 1; n <= 3; n++) {
        struct log_slot slot;
        const char *wrong = log_ring_read(ring, n, &slot) ? world_judge_slot(&slot, n, who) : NULL;

        if (wrong != NULL)
            explorer_fail(wrong);
    }
}

static void read_normal(void)
{
    read_ring(0);
}

static void read_both(void)
{
    read_ring(2);
    read_ring(0);
}

/* What a reader finds when all is still: the newest records, whole. */
static const char *ring_verdict(int stopped)
{
    for (unsigned who = 0; who < 3; who += 2) {
        const struct log_ring *ring = &log_writer(0, ring_writers[who].context)->ring;
        const uint64_t head = log_get(ring->head);

        for (uint64_t n = head > 1 ? head - 1 : 1; n <= head; n++) {
            struct log_slot slot;
            const char *wrong;

            if (!log_ring_read(ring, n, &slot)) {
                if (stopped < 0 || n == head)
                    return "a published record cannot be read";
                continue; /* it was being overwritten when its writer stopped */
            }
            wrong = world_judge_slot(&slot, n, who);
            if (wrong != NULL)
                return wrong;
        }
    }
    return NULL;
}

/* Normal context and NMI log more than their rings hold; the normal context pumps both. */

static const struct world_writer pump_writers[] = {{0, LOG_NORMAL}, {0, LOG_NMI}};

static void pump_reset(void)
{
    world_reset(pump_writers, LOG_ASYNC, 16, WORLD_SLOTS);
}

static void say_and_pump(void)
{
    say_three();
    log_pump(0, 10);
    world_say();
    log_pump(0, 10);
}

/* In sync mode each sends its own, unless the normal context is just sending what an NMI left before. */
static void pump_sync_reset(void)
{
    pump_reset();
    world_say_before(1);
    log_set(log_state.route, LOG_INFO | LOG_AT_ONCE);
}

static void pump_and_say(void)
{
    log_pump(0, 10);
    world_say();
}

static const char *wire_verdict(int stopped)
{
    /* An NMI that stops leaves its own frame open, and the one below. */
    const unsigned cut = stopped < 0 ? 0 : stopped < WORLD_CPUS ? 1 : 2;

    return world_judge_wire(cut, false);
}

/* Two CPUs and their NMIs send at the same time. */

static const struct world_writer uart_writers[] = {
    {0, LOG_NORMAL}, {1, LOG_NORMAL}, {0, LOG_NMI}, {1, LOG_NMI}};

static void uart_reset(void)
{
    world_reset(uart_writers, LOG_SYNC, 16, 16);
}
static void uart_short_reset(void)
{
    uart_reset();
    skip_identity();
}

/* No FIFO: one sends at a time. */
static void owner_reset(void)
{
    world_reset(uart_writers, LOG_SYNC, 1, 16);
    skip_identity();
}

/* Says on while the other may have stopped with the right to the wire: then takes it over. */
static void say_for_long(void)
{
    for (unsigned i = 0; i < 3; i++) {
        world_say();
        world_pass(3 * PATIENCE);
    }
}

/* All of the CPU that went on has left. */
static const char *takeover_verdict(int stopped)
{
    if (stopped == 0 &&
        log_get(log_writer(1, LOG_NORMAL)->serial) != log_get(log_writer(1, LOG_NORMAL)->taken))
        return "a stopped owner kept another CPU's records in the ring";
    return world_judge_wire(2, false); /* the stopped one's, and one that its last byte may meet */
}

/* CPU 1 panics while CPU 0 logs, or has stopped inside the log. */

static const struct world_writer panic_writers[] = {{0, LOG_NORMAL}, {1, LOG_PANIC}};

static void panic_reset(void)
{
    world_reset(panic_writers, LOG_SYNC, 16, 16);
    skip_identity();
    world_tick = PATIENCE / 100;
}

static void panic(void)
{
    world_say();
    log_flush_panic();
}

static const char *panic_verdict(int stopped)
{
    for (unsigned cpu = 0; stopped == 0 && cpu < WORLD_CPUS; cpu++) {
        const struct log_writer *writer = log_writer(cpu, panic_writers[cpu].context);

        if (log_get(writer->ring.head) != log_get(writer->sent))
            return "a panic left a published record in a ring";
    }
    /* One that runs on into a panic may cut its own frame, send what the panic sends, too, and then stop. */
    return stopped == 0 ? world_judge_wire(2, true) : NULL;
}

const struct log_scenario log_scenarios[] = {
    {{.name = "ring",
      .count = 2,
      .steps_max = STEPS,
      .reset = ring_reset,
      .verdict = ring_verdict,
      .context = {{"writer", say_three, -1, true}, {"reader", read_normal, -1, true}}},
     4,
     2000},
    {{.name = "ring-nmi",
      .count = 3,
      .steps_max = STEPS,
      .reset = ring_reset,
      .verdict = ring_verdict,
      .context = {{"writer", say_three, -1, true},
                  {"reader", read_both, -1, true},
                  {"NMI", say_three, 0, true}}},
     2,
     2000},
    {{.name = "pump",
      .count = 2,
      .steps_max = STEPS,
      .reset = pump_reset,
      .verdict = wire_verdict,
      .idle = world_idle,
      .context = {{"CPU0", say_and_pump, -1, false}, {"NMI", say_three, 0, false}}},
     3,
     2000},
    {{.name = "pump-sync",
      .count = 2,
      .steps_max = STEPS,
      .reset = pump_sync_reset,
      .verdict = wire_verdict,
      .idle = world_idle,
      .context = {{"CPU0", pump_and_say, -1, false}, {"NMI", say_two, 0, false}}},
     3,
     2000},
    {{.name = "uart",
      .count = 2,
      .steps_max = STEPS,
      .reset = uart_reset,
      .verdict = wire_verdict,
      .idle = world_idle,
      .context = {{"CPU0", world_say, -1, true}, {"CPU1", world_say, -1, false}}},
     2,
     2000},
    {{.name = "uart-nmi",
      .count = 4,
      .steps_max = STEPS,
      .reset = uart_short_reset,
      .verdict = wire_verdict,
      .idle = world_idle,
      .context = {{"CPU0", world_say, -1, false},
                  {"CPU1", world_say, -1, false},
                  {"NMI0", world_say, 0, true},
                  {"NMI1", world_say, 1, false}}},
     1,
     10000},
    {{.name = "owner",
      .count = 2,
      .steps_max = STEPS,
      .reset = owner_reset,
      .verdict = wire_verdict,
      .idle = world_idle,
      .context = {{"CPU0", say_three, -1, false}, {"CPU1", say_three, -1, false}}},
     2,
     2000},
    {{.name = "owner-nmi",
      .count = 3,
      .steps_max = STEPS,
      .reset = owner_reset,
      .verdict = wire_verdict,
      .idle = world_idle,
      .context = {{"CPU0", world_say, -1, false},
                  {"CPU1", world_say, -1, false},
                  {"NMI0", world_say, 0, false}}},
     2,
     2000},
    {{.name = "takeover",
      .count = 2,
      .steps_max = STEPS,
      .reset = owner_reset,
      .verdict = takeover_verdict,
      .idle = world_idle,
      .context = {{"CPU0", world_say, -1, true}, {"CPU1", say_for_long, -1, false}}},
     1,
     0},
    {{.name = "panic",
      .count = 2,
      .steps_max = STEPS,
      .reset = panic_reset,
      .verdict = panic_verdict,
      .idle = world_idle,
      .context = {{"CPU0", say_two, -1, true}, {"panic", panic, -1, false}}},
     1,
     2000},
};
const unsigned log_scenario_count = sizeof(log_scenarios) / sizeof(log_scenarios[0]);
