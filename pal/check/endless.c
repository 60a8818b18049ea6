/* PALs that do not return: each is ended in time, its caller gets a signal, and the others go on meanwhile. */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../programs/programs.h"
#include "check.h"

enum { SOON = 2, ROUNDS = 5 }; /* seconds that are too early for the limit, whose default is 5 */

TV_PAL_IMAGE(endless);
TV_PAL_CODE(endless) static uintptr_t stay(uintptr_t nothing)
{
    while (nothing == 0)
        __asm__ volatile("pause");
    return nothing;
}

static struct tv_pal pal;

static bool prepare(void)
{
    EXPECT(!tv_pal_create(&pal, TV_PAL(endless, stay), (struct tv_pages){.stack = 1, .param = 1}),
           "no pages");
    tv_pal_param(&pal, TV_PARAM_INTEGER, 0);
    EXPECT(tv_pal_register(&pal) == 0, "REG was refused");
    return true;
}

/* A CPU without a timer of its own for this needs another one that notices (core/watchdog.h). */
static void skip_where_nobody_looks(void)
{
    if (tv_cpuid(0, 0).ecx == 0x6c65746e /* Intel's */ || sysconf(_SC_NPROCESSORS_ONLN) > 1)
        return;
    printf("    one CPU, without a timer for this: nobody would end it\n");
    fflush(stdout);
    _exit(CHECK_SKIPPED);
}

static bool pin(int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0;
}

/* This process on the first CPU, and one on the second, if there is one, that has it take interrupts. It ends
 * with this one. */
static void keep_another_awake(void)
{
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2 || !pin(0))
        return;
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(1);
        for (;;)
            usleep(10000);
    }
}

static bool ended(void)
{
    skip_where_nobody_looks();
    keep_another_awake();
    if (!prepare())
        return false;
    time_t start = time(NULL);
    int signal = CAUGHT({ TV_PAL_CALL(&pal, stay)(0); });
    long took = (long)(time(NULL) - start);
    EXPECT(signal, "it returned");
    printf("    %s after %ld s\n", strsignal(signal), took);
    EXPECT(took >= SOON, "that is no limit, but another fault");
    EXPECT(tv_pal_unregister(&pal) != 0, "the PAL is still registered after its death");
    EXPECT(is_scrubbed(&pal), "what the PAL could write was not zeroed");
    return machine_goes_on();
}

static bool others_go_on(void)
{
    int status = 0;
    skip_where_nobody_looks();
    pid_t child = fork();
    if (child == 0) {
        alarm(0);
        signal(SIGSEGV, SIG_DFL);
        if (prepare())
            TV_PAL_CALL(&pal, stay)(0);
        _exit(1);
    }
    for (int i = 0; i < ROUNDS; i++)
        if (!machine_goes_on())
            return false;
    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV,
           "the caller ended otherwise: status %#x", (unsigned)status);
    return machine_goes_on();
}

static const struct check checks[] = {CASE(ended), CASE(others_go_on)};

int endless_program(int argc, char **argv)
{
    return check_main(argc, argv, checks, sizeof checks / sizeof checks[0]);
}
