/*
 * Storms: threads as CPUs, signals as NMIs that log on the CPU they interrupt, and a strict UART under them.
 * Each record names its CPU, context and number, so that the far end can tell a record that is wrong from one
 * that is missing.
 *
 * Built with the thread sanitizer, and without: the sanitizer delivers signals at calls only, plain code
 * anywhere. Usage: storm RECORDS, the least that each CPU makes.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "log/site.h"
#include "log/test/check.h"
#include "log/test/decode.h"
#include "log/test/machine.h"
#include "log/writer.h"

enum { MAX_CPUS = 8, NMIS = 40 };

unsigned check_passed, check_failed;
bool check_ok;

struct storm {
    const char *name;
    unsigned cpus;
    enum log_mode mode;
    enum uart_kind kind;
    bool fifo_off; /* behind the driver's back: the negative control */
    bool panic;    /* CPU 0 panics half-way, and takes the wire */
};

static const struct storm storms[] = {
    {.name = "4 CPUs, sync", .cpus = 4, .mode = LOG_SYNC},
    {.name = "8 CPUs, sync", .cpus = 8, .mode = LOG_SYNC},
    {.name = "8 CPUs, async", .cpus = 8, .mode = LOG_ASYNC},
    {.name = "4 CPUs, no FIFO and the driver knows it", .cpus = 4, .mode = LOG_SYNC, .kind = UART_16450},
    {.name = "4 CPUs, FIFO off behind the driver's back", .cpus = 4, .mode = LOG_SYNC, .fifo_off = true},
    {.name = "4 CPUs, a panic takes the wire", .cpus = 4, .mode = LOG_SYNC, .panic = true},
};

static const struct storm *storm;
static unsigned records;
static uint32_t made[MAX_CPUS][LOG_CONTEXTS];
static pthread_t threads[MAX_CPUS];
static pthread_barrier_t start;
static _Atomic bool over;
static _Atomic unsigned running, nmis;

static void say(void)
{
    log_info("storm %u %u %u", machine_cpu, machine_context, made[machine_cpu][machine_context]++);
}

static void nmi(int signal)
{
    const enum log_context was = machine_context;
    const int error = errno;

    (void)signal;
    machine_context = LOG_NMI;
    say();
    atomic_fetch_add(&nmis, 1);
    machine_context = was;
    errno = error;
}

static void *cpu(void *arg)
{
    machine_cpu = (unsigned)(uintptr_t)arg;
    machine_context = LOG_NORMAL;
    pthread_barrier_wait(&start); /* no NMI comes before this CPU knows who it is */
    for (unsigned i = 0; i < records || (atomic_load(&nmis) < NMIS && i < 100 * records); i++) {
        say();
        for (unsigned tries = 0; i % 50 == 49 && tries < 1000 && log_pump(machine_cpu, 10); tries++)
            ;
        if (storm->panic && machine_cpu == 0 && i == records / 2) {
            machine_context = LOG_PANIC;
            say();
            log_flush_panic();
            break;
        }
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void *shake(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&start);
    for (unsigned i = 0; !atomic_load(&over); i++) {
        pthread_kill(threads[i % storm->cpus], SIGUSR1);
        usleep(300);
    }
    return NULL;
}

static void run(void)
{
    struct log_config config = machine_config(storm->cpus, storm->mode);
    const struct sigaction action = {.sa_handler = nmi};
    pthread_t shaker;

    machine_start(storm->cpus);
    machine.kind = storm->kind;
    machine.real_clock = true;
    memset(made, 0, sizeof(made));
    config.tsc_khz =
        10000000; /* ten times the truth: a patience of a second, since the host is slow and shared */
    config.test_fifo = storm->fifo_off ? LOG_FIFO_OFF : LOG_FIFO_PROBED;
    CHECK_EQ(log_open_wire(&config), LOG_OK);
    machine_forget();
    sigaction(SIGUSR1, &action, NULL);
    atomic_store(&over, false);
    atomic_store(&running, storm->cpus);
    atomic_store(&nmis, 0);
    pthread_barrier_init(&start, NULL, storm->cpus + 1);
    for (unsigned i = 0; i < storm->cpus; i++)
        pthread_create(&threads[i], NULL, cpu, (void *)(uintptr_t)i);
    pthread_create(&shaker, NULL, shake, NULL);
    while (atomic_load(&running) != 0)
        usleep(1000);
    atomic_store(&over, true); /* a thread must not be signalled once it is joined */
    pthread_join(shaker, NULL);
    for (unsigned i = 0; i < storm->cpus; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    for (unsigned i = 0; i < storm->cpus; i++) { /* what is left, each CPU for itself */
        machine_cpu = i;
        machine_context = LOG_NORMAL;
        log_pump(i, 100000);
    }
    machine_cpu = 0;
    machine_settle();
}

struct verdict {
    uint32_t next[MAX_CPUS][LOG_CONTEXTS]; /* number of the record that should come next */
    unsigned wrong, again, missing;
};

/* One record at the far end, by its arguments: it must be what its lane and context made, and newer than the
 * last one. */
static void judge_record(const struct decoded_frame *frame, const uint8_t *at, struct verdict *verdict)
{
    unsigned lane, context, number;

    lane = (unsigned)decode_varint(&at);
    context = (unsigned)decode_varint(&at);
    number = (unsigned)decode_varint(&at);
    if (lane != frame->lane || context != frame->context || number >= made[lane][context]) {
        verdict->wrong++;
    } else if (number < verdict->next[lane][context]) {
        verdict->again++;
    } else {
        verdict->missing += number - verdict->next[lane][context];
        verdict->next[lane][context] = number + 1;
    }
}

static void judge(void)
{
    struct verdict verdict = {0};
    struct decoded got = decode(machine.sent, machine.sent_size, log_state.tag_bits);
    const struct log_totals totals = log_totals();

    for (size_t i = 0; i < got.count; i++) {
        const struct decoded_frame *frame = &got.frames[i];
        const uint8_t *at = frame->body, *end = at + frame->size;

        if (frame->kind == LOG_KIND_RECORD) {
            decode_varint(&at); /* id */
            decode_varint(&at); /* time */
            judge_record(frame, at, &verdict);
        }
        while (frame->kind == LOG_KIND_BATCH && at < end) {
            const size_t size = decode_batch_head(&at);

            judge_record(frame, at, &verdict);
            at += size;
        }
    }
    for (unsigned c = 0; c < storm->cpus; c++) {
        for (unsigned x = 0; x < LOG_CONTEXTS; x++)
            verdict.missing += made[c][x] - verdict.next[c][x];
    }
    printf("     %zu frames, %zu bytes, %u NMIs, %u overruns, %u frames lost, %u stray bytes, %u records "
           "missing, "
           "%llu dropped\n",
           got.count, machine.sent_size, atomic_load(&nmis), machine.overruns, got.lost, got.stray,
           verdict.missing, (unsigned long long)totals.dropped);
    CHECK(atomic_load(&nmis) >= NMIS, "%u NMIs came", atomic_load(&nmis));
    CHECK_EQ(verdict.wrong, 0u);
    if (storm->fifo_off) {
        CHECK(machine.overruns > 100 && verdict.missing > 100, "the negative control loses and sees it");
    } else {
        CHECK_EQ(machine.overruns, 0u);
        /* A CPU that runs on into another's panic may spoil a frame or send one twice; nothing else may
         * happen. */
        CHECK(verdict.missing == totals.dropped || (storm->panic && got.lost > 0), "all is there or counted");
        CHECK(verdict.again == 0 || storm->panic, "%u came twice", verdict.again);
        if (!storm->panic && storm->kind == UART_16550A)
            CHECK_EQ(got.lost + got.stray + verdict.missing, 0u);
    }
    decode_free(&got);
}

int main(int argc, char **argv)
{
    records = argc == 2 ? (unsigned)atoi(argv[1]) : 0;
    if (records == 0) {
        fprintf(stderr, "usage: storm RECORDS\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof(storms) / sizeof(storms[0]); i++) {
        storm = &storms[i];
        check_ok = true;
        run();
        judge();
        printf("%s storm: %s\n", check_ok ? "ok  " : "FAIL", storm->name);
        if (check_ok)
            check_passed++;
        else
            check_failed++;
    }
    printf("%u passed, %u failed\n", check_passed, check_failed);
    return check_failed != 0;
}
