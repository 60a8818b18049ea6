/*
 * stall WHERE [panic]: has the hypervisor stop a CPU for good at that place, then stops the machine from
 * another CPU, or has it panic there, to see the hypervisor name the one that stands. The last CPU stalls; CPU 1
 * stops the machine; CPU 0 and the others make the hypervisor log a line now and then. Needs three CPUs, and the
 * boot option test=on.
 *
 * pause: the CPU only works on; a debugger is to stop it within PAUSE_MS of READY, and to let it go later.
 *
 * Where the CPU that stalls is awaited, this never returns: the machine stands. Elsewhere it ends with 0 when
 * the machine has been stopped and released.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../programs/programs.h"
#include "check.h"

enum where {
    GUEST = 1,
    EXIT,
    LOG,
    NMI,
    PARKED,
    DOORBELL,
    SIPI,
    SIPI_TAKEN,
    /* as in core/stall.h */ PAL,
    PAUSE
};
static const char *const names[] = {"",         "guest", "exit",       "log", "nmi",  "parked",
                                    "doorbell", "sipi",  "sipi-taken", "pal", "pause"};
enum { INVALID_OPCODE = 2 }; /* core/selftest.h */
enum { QUIESCER = 1, TALK_MS = 200, SETTLE_MS = 400, SIPI_MS = 1500, PAUSE_MS = 3000, TALKS_AFTER = 15 };

static unsigned last_cpu;
static bool panics;

static void pause_ms(unsigned ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000l};
    nanosleep(&time, NULL);
}

static int pin(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

static void talk(unsigned cpu)
{
    if (pin(cpu))
        _exit(STATUS_FAIL);
    for (unsigned i = 0;; i++) {
        tv_call(TV_CALL_TEST, i, 0, 0, 0);
        pause_ms(TALK_MS);
    }
}

static int set_online(const char *value)
{
    char path[64];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/online", last_cpu);
    int file = open(path, O_WRONLY);
    return file < 0 || write(file, value, 1) != 1 ? -errno : 0;
}

static size_t stall(enum where where, unsigned cpu)
{
    return tv_call(BRAID_CALL_STALL, where, cpu, 0, 0);
}

/* On the CPU that is to stand. */
static void stand(enum where where)
{
    struct tv_pal pal;
    if (where == PAUSE)
        for (;;)
            ;
    if (where == PAL) {
        if (worker_register(&pal))
            work(&pal, WORK_STALL, GUEST, NULL);
    } else if (stall(where, last_cpu) == 0) {
        if (where == GUEST)
            for (;;)
                ;
        if (where == DOORBELL)
            tv_call(BRAID_CALL_QUIESCE, 1, 0, 0, 0);
    }
}

static void in_child(void (*run)(unsigned), unsigned cpu)
{
    if (fork() == 0) {
        run(cpu);
        _exit(STATUS_PASS);
    }
}

static enum where chosen;
static void stand_on(unsigned cpu)
{
    if (!pin(cpu))
        stand(chosen);
}
/* It comes back here only if the kernel gives the CPU up. */
static void bring_online(unsigned cpu)
{
    if (!pin(cpu))
        set_online("1");
}

static int prepare_sipi(void)
{
    int error = set_online("0");
    if (error) {
        fprintf(stderr, "cpu%u cannot be taken offline: %s\n", last_cpu, strerror(-error));
        return STATUS_FAIL;
    }
    if (stall(chosen, last_cpu)) {
        fprintf(stderr, "the hypervisor does not answer its test calls: boot it with the option test=on\n");
        return STATUS_FAIL;
    }
    return STATUS_PASS;
}

static int run(void)
{
    bool by_sipi = chosen == SIPI || chosen == SIPI_TAKEN;
    if (by_sipi && prepare_sipi())
        return STATUS_FAIL;
    for (unsigned cpu = 0; cpu < last_cpu; cpu++)
        in_child(talk, cpu);
    if (by_sipi)
        in_child(bring_online, 0);
    else
        in_child(stand_on, last_cpu);
    if (pin(QUIESCER))
        return STATUS_FAIL;
    if (chosen == PAUSE)
        printf("READY\n");
    pause_ms(by_sipi ? SIPI_MS : chosen == PAUSE ? PAUSE_MS : SETTLE_MS);
    printf("STALLED %s, cpu%u stops the machine\n", names[chosen], QUIESCER);
    if (panics)
        tv_call(BRAID_CALL_BREAK, INVALID_OPCODE, 0, 0, 0);
    size_t done = tv_call(BRAID_CALL_QUIESCE, 1, 0, 0, 0);
    if (chosen == PARKED) { /* it stands from the first stop on */
        pause_ms(SETTLE_MS);
        done = tv_call(BRAID_CALL_QUIESCE, 1, 0, 0, 0);
    }
    printf("QUIESCED %zu\n", done);
    pause_ms(TALKS_AFTER * TALK_MS);
    return done == 1 ? STATUS_PASS : STATUS_FAIL;
}

int stall_program(int argc, char **argv)
{
    panics = argc == 3 && !strcmp(argv[2], "panic");
    for (unsigned i = 1; argc == 2 + panics && i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(argv[1], names[i]))
            chosen = i;
    if (!chosen) {
        fprintf(stderr, "usage: %s guest|exit|log|nmi|parked|doorbell|sipi|sipi-taken|pal|pause [panic]\n",
                argv[0]);
        return STATUS_USAGE;
    }
    if (tv_require())
        return STATUS_FAIL;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (cpus < 3) {
        fprintf(stderr, "%s takes three CPUs; this machine has %ld\n", argv[0], cpus);
        return STATUS_FAIL;
    }
    last_cpu = (unsigned)cpus - 1;
    return run();
}
