/*
 * Explores interleavings of the shipped stop protocol: quiesce.c, doorbell.c, vcpu.c, guest/start.c,
 * x86/trap.c, and of svm/ and vmx/ the backend itself, event.c and exit.c, on the machine of machine.h. All
 * scenarios, or those named. A line each; the last is `N passed, N failed`.
 *
 * A scenario passes if no schedule with at most so many preemptions fails, and no random one.
 */
#include "core/quiesce.h"
#include "core/test/stop/guest.h"
#include "core/test/stop/machine.h"
#include "log/explorer/explorer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 4, STEPS_MAX = 200000 };

static const struct scenario {
    const char *name;
    unsigned cpus, buttons;
    struct guest_step steps[3][STEPS]; /* of each CPU's guest */
    bool vmx, ap_waits, ring_again;
    unsigned preemptions, deep; /* in the short form, and in the long one */
} scenarios[] = {
    {"two-initiators", 2, 0, {{{QUIESCE, 0}, {QUIESCE, 0}}, {{QUIESCE, 0}}}, .preemptions = 2, .deep = 3},
    {"turns",
     2,
     0,
     {{{QUIESCE, 0}, {QUIESCE, 0}, {QUIESCE, 0}}, {{QUIESCE, 0}}},
     .preemptions = 2,
     .deep = 2},
    {"guest-nmi",
     2,
     0,
     {{{QUIESCE, 0}, {SEND_NMI, 1}}, {{SEND_NMI, 1}, {SEND_NMI, 0}}},
     .preemptions = 2,
     .deep = 3},
    {"button", 2, 2, {{{QUIESCE, 0}}, {{SEND_NMI, 0}}}, .preemptions = 2, .deep = 3},
    {"ring-again", 2, 1, {{{QUIESCE, 0}}, {{DONE, 0}}}, .ring_again = true, .preemptions = 2, .deep = 3},
    {"sipi", 2, 0, {{{SEND_INIT, 1}, {SEND_SIPI, 1}}, {{QUIESCE, 0}}}, .preemptions = 2, .deep = 3},
    {"sipi-waits",
     2,
     0,
     {{{SEND_INIT, 1}, {SEND_SIPI, 1}, {QUIESCE, 0}}},
     .ap_waits = true,
     .preemptions = 2,
     .deep = 3},
    {"shadow", 2, 1, {{{STI, 0}, {QUIESCE, 0}}, {{STI, 0}, {SEND_NMI, 0}}}, .preemptions = 1, .deep = 2},
    {"fault",
     2,
     1,
     {{{FAULT, 0}, {QUIESCE, 0}}, {{FAULT, 0}, {SEND_NMI, 0}, {SEND_NMI, 1}}},
     .preemptions = 1,
     .deep = 2},
    {"three", 3, 0, {{{QUIESCE, 0}}, {{QUIESCE, 0}}, {{QUIESCE, 0}}}, .preemptions = 1, .deep = 2},
    {"three-nmi", 3, 1, {{{QUIESCE, 0}}, {{SEND_NMI, 2}}, {{QUIESCE, 0}}}, .preemptions = 1, .deep = 2},
    {"three-sipi",
     3,
     0,
     {{{QUIESCE, 0}}, {{SEND_INIT, 2}, {SEND_SIPI, 2}}, {{QUIESCE, 0}}},
     .preemptions = 1,
     .deep = 2},
    {"vmx",
     2,
     1,
     {{{QUIESCE, 0}, {SEND_NMI, 1}}, {{QUIESCE, 0}, {SEND_NMI, 1}}},
     .vmx = true,
     .preemptions = 2,
     .deep = 3},
    {"vmx-sipi",
     2,
     0,
     {{{SEND_INIT, 1}, {SEND_SIPI, 1}}, {{QUIESCE, 0}}},
     .vmx = true,
     .preemptions = 2,
     .deep = 3},
    {"vmx-shadow",
     2,
     1,
     {{{STI, 0}, {QUIESCE, 0}}, {{STI, 0}, {SEND_NMI, 0}}},
     .vmx = true,
     .preemptions = 1,
     .deep = 2},
    {"vmx-fault",
     2,
     1,
     {{{FAULT, 0}, {QUIESCE, 0}}, {{FAULT, 0}, {SEND_NMI, 0}, {SEND_NMI, 1}}},
     .vmx = true,
     .preemptions = 1,
     .deep = 2},
};

static const struct scenario *now;

static void reset(void)
{
    machine_reset(now->cpus, now->vmx);
    quiesce_deadline_ms = now->ring_again ? 0 : NO_DEADLINE_MS;
    if (now->ap_waits)
        cpus[now->cpus - 1].state = CPU_WAIT_SIPI;
}

static void run_cpu(void)
{
    unsigned cpu = (unsigned)explorer_self();
    guest_run(cpu, now->steps[cpu]);
}

static void press(void)
{
    for (unsigned i = 0; i < now->buttons; i++) {
        unsigned cpu = i % now->cpus;
        explorer_point(true);
        hardware[cpu].owed++;
        machine_nmi(cpu);
    }
}

static bool tell(const char *how, const struct explorer_result *result)
{
    bool good = !result->failure[0];
    printf("%s %s, %s: %lu schedules, at most %lu decisions%s%s\n", good ? "ok  " : "FAIL", now->name, how,
           result->runs, result->points, good ? "" : ": ", result->failure);
    fflush(stdout);
    return good;
}

static bool explore(bool deep)
{
    static const char *const names[] = {"CPU 0", "CPU 1", "CPU 2"};
    struct explorer_scenario scenario = {.name = now->name,
                                         .count = now->cpus,
                                         .steps_max = STEPS_MAX,
                                         .reset = reset,
                                         .idle = guest_idle,
                                         .verdict = guest_judge};
    for (unsigned i = 0; i < now->cpus; i++)
        scenario.context[i] = (struct explorer_context){names[i], run_cpu, -1, false};
    if (now->buttons)
        scenario.context[scenario.count++] = (struct explorer_context){"button", press, -1, false};
    unsigned preemptions = deep ? now->deep : now->preemptions;
    char how[40];
    snprintf(how, sizeof how, "up to %u preemptions", preemptions);
    struct explorer_result bounded = explore_bounded(&scenario, preemptions, -1);
    if (!tell(how, &bounded))
        return false;
    struct explorer_result random = explore_random(&scenario, deep ? 1000000 : 15000);
    return tell("random", &random);
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    bool deep = argc > 1 && !strcmp(argv[1], "--deep"), all = argc == 1 + deep;
    for (unsigned i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        bool wanted = all;
        now = &scenarios[i];
        for (int a = 1; a < argc; a++)
            wanted |= !strcmp(argv[a], now->name);
        if (wanted)
            *(explore(deep) ? &passed : &failed) += 1;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed || !passed;
}
