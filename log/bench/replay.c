/*
 * Replays records through the shipped encoder, and says what they take on the wire.
 *
 *     replay CPUS KHZ sync|async [CAPTURE BUILD] <records     prints {"lines": N, "bytes": N}
 *
 * A record a line, numbers apart by blanks: CPU, context, time in ticks, id, then its arguments: a number as the call
 * site passes it (signed ones in zigzag), or s and a string's bytes in hexadecimal. Id 0 is a text: its only argument
 * is a string. In async mode a CPU's backlog leaves when it has grown to BACKLOG records, and at the end. CAPTURE: a file
 * for what the wire carries, said to be of the ELF with this build-id.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log/area.h"
#include "log/log.h"
#include "log/site.h"
#include "log_env.h"

enum { BACKLOG = 16, LINE = 4096 };
enum { DATA, IIR = 2, LCR, LSR = 5, SCRATCH = 7, LCR_DIVISOR = 0x80 };

static uint64_t now;
static unsigned cpu;
static enum log_context context;

struct log_writer *log_host_self(void)
{
    return log_writer(cpu, context);
}
uint64_t log_host_clock(void)
{
    return now;
}
void log_host_relax(void) {}

/* A 16550A that has always just sent everything. */
static uint8_t scratch, lcr;
static FILE *capture;

uint8_t log_host_inb(uint16_t port)
{
    switch (port & 7) {
    case IIR:
        return 0xc1;
    case LSR:
        return 0x60;
    case SCRATCH:
        return scratch;
    default:
        return 0;
    }
}
void log_host_outb(uint16_t port, uint8_t value)
{
    if ((port & 7) == SCRATCH)
        scratch = value;
    else if ((port & 7) == LCR)
        lcr = value;
    else if ((port & 7) == DATA && !(lcr & LCR_DIVISOR) && capture != NULL)
        putc(value, capture);
}

/* The bytes of a string in hexadecimal, at `text`; its end. */
static char *unhex(char *from, char *text)
{
    unsigned byte;
    int used;

    while (sscanf(from, "%2x%n", &byte, &used) == 1 && used == 2) {
        *text++ = (char)byte;
        from += 2;
    }
    *text = '\0';
    return from;
}

/* Makes the record that `line` tells. False if it tells none. */
static bool make(char *line)
{
    static char texts[LOG_MAX_ARGS][LINE];
    uint64_t args[LOG_MAX_ARGS];
    unsigned count = 0, strings = 0, id;
    uintptr_t site;
    char *at;

    cpu = (unsigned)strtoul(line, &at, 10);
    context = (enum log_context)strtoul(at, &at, 10);
    now = strtoull(at, &at, 10);
    id = (unsigned)strtoul(at, &at, 10);
    if (cpu >= LOG_MAX_CPUS || context >= LOG_CONTEXTS || id > UINT16_MAX)
        return false;
    while (*at == ' ' && count < LOG_MAX_ARGS) {
        if (at[1] == 's') {
            at = unhex(at + 2, texts[count]);
            args[count] = (uintptr_t)texts[count];
            strings |= 1u << count++;
        } else {
            args[count++] = strtoull(at, &at, 10);
        }
    }
    if (*at != '\n')
        return false;
    site = id * (uintptr_t)LOG_SITE_SIZE + LOG_INFO;
    if (id == 0 && count == 1 && strings == 1)
        log_text(LOG_INFO, texts[0]);
    else if (strings != 0)
        log_record_strings(site, count, args, strings);
    else
        log_record_n(site, count, args);
    return true;
}

int main(int argc, char **argv)
{
    static char line[LINE];
    static unsigned waiting[LOG_MAX_CPUS];
    static uint8_t build_id[LOG_BUILD_ID_MAX];
    struct log_config config = {.wire_level = LOG_INFO,
                                .ring_level = LOG_TRACE,
                                .build_id = build_id,
                                .build_id_size = sizeof(build_id)};
    unsigned long lines = 0;
    void *memory;

    if (argc != 4 && argc != 6) {
        fprintf(stderr, "usage: replay CPUS KHZ sync|async [CAPTURE BUILD] <records\n");
        return 2;
    }
    for (size_t i = 0;
         argc == 6 && i < sizeof(build_id) && sscanf(argv[5] + 2 * i, "%2hhx", &build_id[i]) == 1; i++)
        ;
    config.cpus = (unsigned)atoi(argv[1]);
    config.tsc_khz = strtoull(argv[2], NULL, 10);
    config.mode = strcmp(argv[3], "sync") == 0 ? LOG_SYNC : LOG_ASYNC;
    if (argc == 6 && (capture = fopen(argv[4], "wb")) == NULL) {
        perror(argv[4]);
        return 1;
    }
    memory = aligned_alloc(4096, (log_memory_size(config.cpus) + 4095) / 4096 * 4096);
    if (memory == NULL)
        return 1;
    memset(memory, 0, 4096);
    if (log_init(memory, log_memory_size(config.cpus), config.cpus) != LOG_OK ||
        log_open_wire(&config) != LOG_OK) {
        fprintf(stderr, "replay: bad CPUS or KHZ\n");
        return 2;
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (!make(line)) {
            fprintf(stderr, "replay: line %lu is no record\n", lines + 1);
            return 1;
        }
        lines++;
        if (config.mode == LOG_ASYNC && ++waiting[cpu] == BACKLOG) {
            log_pump(cpu, BACKLOG);
            waiting[cpu] = 0;
        }
    }
    for (cpu = 0; cpu < config.cpus; cpu++)
        log_pump(cpu, UINT32_MAX);
    if (log_totals().dropped != 0) {
        fprintf(stderr, "replay: records were dropped\n");
        return 1;
    }
    printf("{\"lines\": %lu, \"bytes\": %llu}\n", lines, (unsigned long long)log_totals().wire_bytes);
    free(memory);
    if (capture != NULL && fclose(capture) != 0) {
        perror(argv[4]);
        return 1;
    }
    return 0;
}
