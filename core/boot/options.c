/* Boot options: one table, which `help` prints. */
#include "core/boot/boot.h"
#include "core/guest/console.h"
#include "core/hosttest.h"
#include "core/quiesce.h"
#include "core/selftest.h"
#include "core/string.h"
#include "core/watchdog.h"

enum { MAX_UNKNOWN = 8, WORD_MAX = 48 };

struct options options = {.log_mode = LOG_SYNC, .wire_level = LOG_INFO, .ring_level = LOG_DEBUG};

static bool help_wanted;
static char unknown[MAX_UNKNOWN][WORD_MAX];
static unsigned unknown_count;

static bool set_level(enum log_level *level, const char *value)
{
    static const char *const names[] = {"error", "warn", "info", "debug", "trace"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (!strcmp(value, names[i])) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static bool set_log(const char *value)
{
    options.log_mode = !strcmp(value, "async") ? LOG_ASYNC : LOG_SYNC;
    return !strcmp(value, "async") || !strcmp(value, "sync");
}
static bool set_wire_level(const char *value)
{
    return set_level(&options.wire_level, value);
}
static bool set_ring_level(const char *value)
{
    return set_level(&options.ring_level, value);
}

static bool set_fifo(const char *value)
{
    options.fifo = !strcmp(value, "none")  ? LOG_FIFO_NONE
                   : !strcmp(value, "off") ? LOG_FIFO_OFF
                                           : LOG_FIFO_PROBED;
    return options.fifo != LOG_FIFO_PROBED;
}

static bool set_test(const char *value)
{
    static const char *const host_tests[] = {[HOSTTEST_UART] = "uart",
                                             [HOSTTEST_UART_NMI] = "uart-nmi",
                                             [HOSTTEST_STEP] = "step",
                                             [HOSTTEST_HOLD] = "hold",
                                             [HOSTTEST_STOPPED] = "stopped"};
    for (unsigned i = HOSTTEST_UART; i <= HOSTTEST_STOPPED; i++) {
        if (!strcmp(value, host_tests[i])) {
            hosttest = (enum hosttest)i;
            return true;
        }
    }
    selftest_on = !strcmp(value, "on");
    return selftest_on;
}

static bool set_ms(uint64_t *ms, const char *value, uint64_t least)
{
    uint64_t number = 0;
    for (; *value >= '0' && *value <= '9' && number < 10000000; value++)
        number = number * 10 + (uint64_t)(*value - '0');
    if (*value || number < least)
        return false;
    *ms = number;
    return true;
}
static bool set_deadline(const char *value)
{
    return set_ms(&quiesce_deadline_ms, value, 1000);
}
static bool set_isolated(const char *value)
{
    return set_ms(&watchdog_ms, value, 10);
}

static bool set_console(const char *value)
{
    console_on = !strcmp(value, "log");
    return console_on;
}

static bool set_help(const char *value)
{
    help_wanted = true;
    return !*value;
}

static const struct {
    const char *name, *help;
    bool (*set)(const char *value);
} table[] = {
    {"log",
     "log=sync|async: a record is on the wire before the call returns | it waits for an exit, idle or parked "
     "CPU (sync)",
     set_log},
    {"log.level", "log.level=error|warn|info|debug|trace: the finest level on the wire (info)",
     set_wire_level},
    {"log.ring", "log.ring=LEVEL: the finest level in the rings (debug)", set_ring_level},
    {"log.fifo",
     "log.fifo=none|off: for tests: as on a UART without a FIFO | off behind the driver's back, which loses "
     "bytes",
     set_fifo},
    {"deadline", "deadline=MS: when a quiesce reports whom it waits for, at least 1000 (2000)", set_deadline},
    {"isolated", "isolated=MS: how long a PAL may run before it is killed, at least 10 (5000)", set_isolated},
    {"test",
     "test=on|uart|uart-nmi|step|hold|stopped: for tests: hypercalls that stop and break the machine | the "
     "log from "
     "all CPUs, "
     "without a guest "
     "(core/hosttest.h)",
     set_test},
    {"console", "console=log: the guest has a UART at COM1, whose output is part of the log", set_console},
    {"help", "help: lists these options", set_help},
};

static bool apply(char *word)
{
    char *value = word + strlen(word);
    for (char *c = word; *c; c++) {
        if (*c == '=') {
            *c = 0;
            value = c + 1;
            break;
        }
    }
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(word, table[i].name))
            return table[i].set(value);
    return false;
}

static void take(const char *start, size_t length)
{
    char word[WORD_MAX];
    if (length >= WORD_MAX)
        length = WORD_MAX - 1;
    memcpy(word, start, length);
    word[length] = 0;
    if (!apply(word) && unknown_count < MAX_UNKNOWN) {
        memcpy(unknown[unknown_count], start, length);
        unknown[unknown_count++][length] = 0;
    }
}

void options_parse(const char *cmdline)
{
    while (*cmdline) {
        size_t length = 0;
        while (cmdline[length] && cmdline[length] != ' ')
            length++;
        if (length && cmdline[0] != '/') /* GRUB may pass the file's own name first */
            take(cmdline, length);
        cmdline += length + (cmdline[length] == ' ');
    }
}

void options_report(void)
{
    for (unsigned i = 0; i < unknown_count; i++)
        log_warn("boot option '%s' is not known, or its value is not: ignored; 'help' lists them",
                 unknown[i]);
    for (unsigned i = 0; help_wanted && i < sizeof table / sizeof *table; i++)
        log_text(LOG_INFO, table[i].help);
}
