/* What leaves the UART: sync, async, nesting, SYNC frames, losses. */
#include <string.h>
#include "log/send.h"
#include "log/test/check.h"
#include "log/test/decode.h"
#include "log/test/machine.h"
#include "log/test/tests.h"
#include "log/uart.h"
#include "log/writer.h"

static struct decoded received(void)
{
    machine_settle();
    return decode(machine.sent, machine.sent_size, log_state.tag_bits);
}

static unsigned of_kind(const struct decoded *got, unsigned kind)
{
    unsigned count = 0;

    for (size_t i = 0; i < got->count; i++)
        count += got->frames[i].kind == kind;
    return count;
}

void test_wire_sync_mode_sends_before_it_returns(void)
{
    struct decoded got;

    machine_start_open(4, LOG_SYNC);
    log_info("one %d", 1);
    CHECK(!log_backlog(0), "nothing waits");
    log_debug("for the ring only");
    got = received();
    CHECK_EQ(got.count, 2u);
    CHECK(got.frames[0].kind == LOG_KIND_SYNC && got.frames[1].kind == LOG_KIND_RECORD,
          "SYNC, then the record");
    CHECK_EQ(got.lost + got.stray, 0u);
    CHECK_EQ(log_totals().records, 1u);
    CHECK_EQ(log_totals().frames, 2u);
    CHECK_EQ(log_totals().wire_bytes, machine.sent_size);
    decode_free(&got);
}

void test_wire_async_mode_waits_for_the_pump(void)
{
    struct decoded got;

    machine_start_open(4, LOG_ASYNC);
    for (int i = 0; i < 100; i++)
        log_info("number %d", i);
    CHECK_EQ(machine.sent_size, 0u);
    CHECK(log_backlog(0), "a backlog");
    CHECK(log_pump(0, 10), "ten of a hundred leave a backlog");
    CHECK_EQ(log_totals().records, 10u);
    CHECK(!log_pump(0, 1000), "then none");
    got = received();
    CHECK(of_kind(&got, LOG_KIND_BATCH) >= 3 && of_kind(&got, LOG_KIND_BATCH) <= 5,
          "100 records in %u batches", of_kind(&got, LOG_KIND_BATCH));
    CHECK_EQ(log_totals().records, 100u);
    decode_free(&got);
}

/* In an NMI inside the normal context, say: its own records, and nobody else's. */
void test_wire_async_mode_pushes_its_own(void)
{
    struct decoded got;

    machine_start_open(4, LOG_ASYNC);
    log_info("stays");
    machine_context = LOG_NMI;
    log_info("asked where it is");
    log_push();
    machine_context = LOG_NORMAL;
    CHECK_EQ(log_totals().records, 1u);
    CHECK(log_backlog(0), "the normal context's waits for its pump");
    got = received();
    CHECK(of_kind(&got, LOG_KIND_RECORD) == 1 && got.frames[got.count - 1].context == LOG_NMI,
          "the NMI's record");
    decode_free(&got);
}

/* At exits a small backlog waits for company, but not for long. */
void test_wire_async_mode_at_exits(void)
{
    machine_start_open(4, LOG_ASYNC);
    CHECK(!log_pump_at_exit(0, 16), "nothing there");
    log_info("first");
    CHECK(log_pump_at_exit(0, 16), "it waits");
    CHECK_EQ(log_totals().records, 0u);
    for (int i = 0; i < 7; i++)
        log_info("number %d", i);
    CHECK(!log_pump_at_exit(0, 16), "eight go");
    CHECK_EQ(log_totals().records, 8u);
    log_info("alone");
    CHECK(log_pump_at_exit(0, 16), "it waits");
    machine.clock += log_uart.patience / 100;
    CHECK(!log_pump_at_exit(0, 16), "a millisecond later it goes alone");
    CHECK_EQ(log_totals().records, 9u);
    CHECK(!log_pump_at_exit(7, 16), "no such CPU");
}

/* A machine that is switched off says its last words. */
void test_wire_async_mode_drains(void)
{
    machine_start_open(4, LOG_ASYNC);
    log_info("the last words");
    log_drain();
    CHECK_EQ(log_totals().records, 1u);
    CHECK(!log_backlog(0), "nothing is left");
}

/* Records made before the wire is open go out first. */
void test_wire_opens_with_what_waited(void)
{
    const struct log_config config = machine_config(4, LOG_SYNC);
    struct log_totals totals;

    machine_start(4);
    log_info("early");
    machine_context = LOG_NMI;
    log_info("early, from an NMI");
    machine_context = LOG_NORMAL;
    CHECK_EQ(log_open_wire(&config), LOG_OK);
    totals = log_totals();
    CHECK_EQ(totals.records, 2u);
    CHECK_EQ(totals.dropped, 0u);
}

static void nmi(void)
{
    const enum log_context was = machine_context;

    machine_context = LOG_NMI;
    log_info("from an NMI");
    machine_context = was;
}

/* An NMI at each single byte of a frame: both frames arrive whole, in its own context each. */
void test_wire_nmi_at_every_byte(void)
{
    for (unsigned at = 0; at < 10; at++) { /* the shortest frame is longer */
        struct decoded got;

        machine_start_open(4, LOG_SYNC);
        log_info("settle %u", at);
        machine_context = LOG_NMI;
        log_info("settle");
        machine_context = LOG_NORMAL;
        machine_forget();
        machine.interrupt_after = at;
        machine.interrupt = nmi;
        log_info("interrupted %u", at);
        got = received();
        CHECK_EQ(got.count, 2u);
        CHECK(got.count == 2 && got.frames[0].context == LOG_NMI && got.frames[1].context == LOG_NORMAL,
              "nested");
        CHECK(machine.interrupt == NULL, "byte %u was reached", at);
        CHECK_EQ(got.lost + got.stray + machine.overruns, 0u);
        decode_free(&got);
    }
}

void test_wire_sync_frames_when_due(void)
{
    struct decoded got;

    machine_start_open(4, LOG_SYNC);
    machine.tick = 1;
    for (int i = 0; i < 600; i++)
        log_info("busy %d", i);
    got = received();
    CHECK_EQ(of_kind(&got, LOG_KIND_SYNC), 3u); /* the first, and one in 256 frames */
    decode_free(&got);
    machine_forget();
    machine.clock += (uint64_t)(LOG_IDENTITY_UNITS / 2) << log_state.shift;
    log_info("a silence");
    got = received();
    CHECK_EQ(got.count, 1u);
    decode_free(&got);
    machine_forget();
    machine.clock += (uint64_t)LOG_IDENTITY_UNITS << log_state.shift;
    log_info("long after");
    got = received();
    CHECK(got.count == 2 && got.frames[0].body[0] & LOG_SYNC_IDENTITY, "a SYNC with identity");
    decode_free(&got);
}

/* The ring laps the pump: what is lost is counted exactly, and told in a SYNC before the next record. */
void test_wire_counts_what_it_drops(void)
{
    struct decoded got;
    const uint8_t *at;

    machine_start_open(4, LOG_ASYNC);
    log_info("first");
    log_pump(0, 10);
    machine_forget();
    for (int i = 0; i < 700; i++) {
        log_info("for the wire %d", i);
        log_debug("for the ring only");
    }
    CHECK(!log_pump(0, 10000), "all sent that was left");
    got = received();
    CHECK_EQ(log_totals().dropped, 700u - 256u); /* 512 slots, half of them for the wire */
    CHECK_EQ(log_totals().records, 1u + 256u);
    at = got.frames[0].body + 1;
    CHECK(got.frames[0].kind == LOG_KIND_SYNC, "a SYNC first");
    decode_varint(&at);
    decode_varint(&at);
    CHECK_EQ(decode_varint(&at), 444u);
    decode_free(&got);
}

/* All records for the wire are overwritten by ring-only ones: dropped, and no backlog for ever. */
void test_wire_drops_all(void)
{
    machine_start_open(4, LOG_ASYNC);
    log_info("for the wire");
    for (int i = 0; i < 512; i++)
        log_debug("for the ring only");
    CHECK(log_backlog(0), "seems to wait");
    CHECK(!log_pump(0, 10), "does not");
    CHECK_EQ(log_totals().dropped, 1u);
}

/* The UART stops for a while in sync mode: the caller goes on, and everything comes later. */
void test_wire_survives_a_dead_uart(void)
{
    struct decoded got;
    uint64_t before;
    unsigned accesses;

    machine_start_open(4, LOG_SYNC);
    machine.busy_for_good = true;
    log_info("into the FIFO");
    before = machine.clock;
    log_info("waits once");
    log_info("not again");
    CHECK(machine.clock - before < 2 * 2445000ULL * 100, "gave up after 100 ms and a little");
    CHECK_EQ(log_totals().given_up, 1u);
    accesses = machine.accesses;
    log_info("still not");
    CHECK(machine.accesses - accesses <= 2, "%u port accesses for a record to a dead UART",
          machine.accesses - accesses);
    CHECK(log_waiting(log_writer(0, LOG_NORMAL)), "they wait");
    CHECK(!log_backlog(0), "but nobody is to stay awake for them");
    machine.busy_for_good = false;
    machine_settle();
    CHECK(log_totals().frames <= 5, "%u frames begun: those that could not be are not counted",
          (unsigned)log_totals().frames);
    log_info("back");
    CHECK(!log_backlog(0), "all sent");
    CHECK_EQ(log_totals().records, 5u);
    CHECK_EQ(log_totals().dropped, 0u);
    got = received();
    CHECK(got.lost >= 1 && got.stray == 0, "%u frames cut, %u stray bytes", got.lost, got.stray);
    decode_free(&got);
}

/* The normal context sends an NMI's backlog; an NMI that comes meanwhile leaves its record to it. */
void test_wire_nmi_while_its_backlog_is_pumped(void)
{
    struct decoded got;

    machine_start_open(4, LOG_SYNC);
    machine.busy_for_good = true;
    nmi();
    nmi();
    machine.busy_for_good = false;
    machine_settle();
    machine.interrupt = nmi;
    CHECK(!log_pump(0, 100), "nothing left");
    got = received();
    CHECK_EQ(log_totals().records, 3u);
    CHECK_EQ(got.stray, 0u);
    decode_free(&got);
}

/* CPU 1 hangs in the middle of a frame; CPU 0 panics: everything is there, CPU 1's cut frame as lost. */
static void hang(void)
{
    log_state.lane[1].writer[LOG_NORMAL].credit = 0;
    machine.busy_for_good = true;
}

void test_wire_panic_flushes_all(void)
{
    struct decoded got;
    unsigned of_cpu1 = 0;

    machine_start_open(4, LOG_ASYNC);
    machine_cpu = 1;
    for (int i = 0; i < 20; i++)
        log_info("CPU 1 %d", i);
    machine.interrupt = hang;
    log_pump(1, 20);
    machine.busy_for_good = false;
    machine_settle();
    CHECK(log_waiting(log_writer(1, LOG_NORMAL)), "CPU 1 did not get far");
    machine_cpu = 0;
    log_info("CPU 0");
    machine_context = LOG_PANIC;
    log_error("the end");
    log_flush_panic();
    got = received();
    for (size_t i = 0; i < got.count; i++)
        of_cpu1 += got.frames[i].lane == 1;
    CHECK(of_cpu1 >= 2, "CPU 1's records came by CPU 0");
    CHECK_EQ(log_totals().records, 22u);
    CHECK_EQ(got.stray, 0u);
    CHECK_EQ(got.lost, 1u);
    decode_free(&got);
}

/* On average, over kinds of lines that are typical, SYNC frames included. */
void test_wire_cost_of_a_line(void)
{
    machine_start_open(4, LOG_SYNC);
    for (unsigned i = 0; i < 100; i++) {
        log_info("CPU %d: hypercall %d", machine_cpu, 5);
        log_info("section %u of %u: type %u, %u pages at %#x", i % 4, 4, 3, 16, 0x8049000u);
        log_info("scrubbed in %u us", 740 + i);
        log_info("PAL entered");
    }
    machine_settle();
    CHECK(log_totals().wire_bytes <= 400 * 16, "%u bytes for 400 lines", (unsigned)log_totals().wire_bytes);
    CHECK_EQ(log_totals().wire_bytes, machine.sent_size);
}
