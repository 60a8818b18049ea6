/* The log's surroundings in the explorer. See world.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log/explorer/world.h"
#include "log/test/decode.h"
#include "log/send.h"
#include "log/writer.h"
#include "log_env.h"

enum { DATA, IER, FCR_IIR, LCR, MCR, LSR, MSR, SCRATCH, ROOM = 1 << 14, KHZ = 1000 };
enum { IDLE_TICKS = 50000 }; /* half of the patience with the UART passes when all wait */

unsigned world_overruns;
uint64_t world_tick;

static const struct world_writer *writers;
static unsigned depth, occupied;
static uint8_t sent[ROOM], scratch, lcr;
static size_t sent_size;
static uint64_t clock_now;
static unsigned made[WORLD_CPUS][LOG_CONTEXTS];

/* Who runs; outside of runs, `outside`. */
static unsigned outside;

static const struct world_writer *self(void)
{
    return &writers[explorer_self() < 0 ? outside : (unsigned)explorer_self()];
}

struct log_writer *log_host_self(void)
{
    return log_writer(self()->cpu, self()->context);
}

uint64_t log_host_clock(void)
{
    return clock_now += world_tick;
}

void world_pass(uint64_t ticks)
{
    clock_now += ticks;
}

bool world_idle(void)
{
    occupied = 0;
    clock_now += IDLE_TICKS;
    return true;
}

/* Outside of runs nobody else would make the UART send. */
void log_host_relax(void)
{
    if (explorer_self() < 0)
        world_idle();
    explorer_wait();
}

uint8_t log_host_inb(uint16_t port)
{
    explorer_point(false);
    switch (port & 7) {
    case FCR_IIR:
        return depth > 1 ? 0xc1 : 0x01;
    case LSR:
        return occupied > 0 ? 0 : 0x60;
    case SCRATCH:
        return scratch;
    default:
        return depth > 0 ? 0 : 0xff;
    }
}

void log_host_outb(uint16_t port, uint8_t value)
{
    explorer_point(true);
    switch (port & 7) {
    case LCR:
        lcr = value;
        break;
    case SCRATCH:
        scratch = value;
        break;
    case DATA:
        if (lcr & 0x80)
            break;
        if (occupied == depth) {
            world_overruns++;
        } else if (sent_size < ROOM) {
            occupied++;
            sent[sent_size++] = value;
        }
        break;
    default:
        break;
    }
}

void world_reset(const struct world_writer *given, enum log_mode mode, unsigned uart_depth, unsigned slots)
{
    static const uint8_t build_id[20];
    static void *memory;
    const struct log_config config = {
        .cpus = WORLD_CPUS,
        .tsc_khz = KHZ,
        .mode = mode,
        .wire_level = LOG_INFO,
        .ring_level = LOG_TRACE,
        .build_id = build_id,
        .build_id_size = sizeof(build_id),
    };
    const size_t size = (log_memory_size(WORLD_CPUS) + 4095) / 4096 * 4096;

    writers = given;
    depth = uart_depth;
    occupied = 0;
    world_overruns = 0;
    world_tick = 1;
    clock_now = 1000000;
    memset(made, 0, sizeof(made));
    if (memory == NULL)
        memory = aligned_alloc(4096, size);
    if (memory != NULL)
        memset(memory, 0, 4096); /* no boot before: each run has its rings at the same place */
    if (memory == NULL || log_init(memory, size, WORLD_CPUS) != LOG_OK)
        abort();
    for (unsigned cpu = 0; cpu < WORLD_CPUS; cpu++)
        for (unsigned c = 0; c < LOG_CONTEXTS; c++)
            log_state.lane[cpu].writer[c].ring.mask = slots - 1;
    if (depth != 0 && log_open_wire(&config) != LOG_OK)
        abort();
    sent_size = 0; /* forget the banner */
    world_idle();
}

void world_say(void)
{
    const unsigned n = ++made[self()->cpu][self()->context];

    log_info("record %u, %u", n, n * 1000 + self()->cpu * 10 + self()->context);
}

void world_say_before(unsigned who)
{
    outside = who;
    world_say();
    outside = 0;
}

static bool is_record(const uint8_t *payload, uint64_t n, unsigned cpu, unsigned context)
{
    return decode_varint(&payload) == n && decode_varint(&payload) == n * 1000 + cpu * 10 + context;
}

const char *world_judge_slot(const struct log_slot *slot, uint64_t n, unsigned who)
{
    if (slot->serial != n)
        return "a torn record was accepted: its serial is another's";
    if (!is_record(slot->payload, n, writers[who].cpu, writers[who].context))
        return "a torn record was accepted: its arguments are another's";
    return NULL;
}

/* The next record of its context that is right, after some that were dropped. */
static const char *judge_record(const struct decoded_frame *frame, const uint8_t *at,
                                unsigned next[WORLD_CPUS][LOG_CONTEXTS], unsigned *missing, bool twice)
{
    const uint64_t n = decode_varint(&(const uint8_t *){at});
    unsigned *expected = &next[frame->lane][frame->context];

    if (n > made[frame->lane][frame->context] || !is_record(at, n, frame->lane, frame->context))
        return "a wrong record came over the wire";
    if (n <= *expected && twice)
        return NULL;
    if (n <= *expected)
        return "a record came twice, or too late";
    *missing += (unsigned)n - *expected - 1;
    *expected = (unsigned)n;
    return NULL;
}

const char *world_judge_wire(unsigned cut, bool twice)
{
    unsigned next[WORLD_CPUS][LOG_CONTEXTS] = {0}, missing = 0;
    const char *wrong = NULL;
    struct decoded got;

    for (unsigned cpu = 0; cpu < WORLD_CPUS; cpu++)
        log_send_lane(log_writer(cpu, LOG_NORMAL), UINT32_MAX);
    got = decode(sent, sent_size, log_state.tag_bits);
    for (size_t i = 0; i < got.count && wrong == NULL; i++) {
        const struct decoded_frame *frame = &got.frames[i];
        const uint8_t *at = frame->body, *end = at + frame->size;

        if (frame->kind == LOG_KIND_RECORD) {
            decode_varint(&at); /* id */
            decode_varint(&at); /* time */
            wrong = judge_record(frame, at, next, &missing, twice);
        }
        while (frame->kind == LOG_KIND_BATCH && at < end && wrong == NULL) {
            const size_t size = decode_batch_head(&at);

            wrong = judge_record(frame, at, next, &missing, twice);
            at += size;
        }
    }
    for (unsigned cpu = 0; cpu < WORLD_CPUS; cpu++)
        for (unsigned c = 0; c < LOG_CONTEXTS; c++)
            missing += (unsigned)log_get(log_writer(cpu, c)->ring.head) - next[cpu][c];
    if (wrong == NULL && world_overruns > 0 && cut == 0)
        wrong = "the UART lost a byte";
    if (wrong == NULL && got.lost > cut)
        wrong = "a frame was spoilt";
    if (wrong == NULL && cut == 0 && got.stray > 0)
        wrong = "a byte came outside of any frame";
    /* A spoilt frame shows as a gap in the sequence, so what it held is counted, too. */
    if (wrong == NULL && (missing < log_totals().dropped || missing - log_totals().dropped > got.lost))
        wrong = "a record is missing and was not counted";
    decode_free(&got);
    return wrong;
}
