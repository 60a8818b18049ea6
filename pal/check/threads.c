/*
 * PALs and several CPUs: two threads that call one PAL, a PAL on each CPU, registering here and unregistering
 * there, unregistering what runs, and a process killed in the middle. With one CPU the same is done by time
 * slices.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../programs/programs.h"
#include "check.h"

enum { CALLS = 300, PROCESSES = 8, KILLS = 20, LONG_SPIN = 3000000, SHORT_SPIN = 2000 };

/* Moves this thread to the n-th online CPU, counted round. */
static bool move_to_cpu(unsigned n)
{
    static cpu_set_t all;
    static bool known;
    cpu_set_t one;
    if (!known && sched_getaffinity(0, sizeof all, &all))
        return false;
    known = true;
    n %= (unsigned)CPU_COUNT(&all);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all) || n--)
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return !sched_setaffinity(0, sizeof one, &one);
}

struct caller {
    const struct tv_pal *pal;
    unsigned cpu;
    unsigned wrong;
    pthread_t thread;
};

static void *call_often(void *argument)
{
    struct caller *caller = argument;
    move_to_cpu(caller->cpu);
    for (uintptr_t i = 0; i < CALLS; i++) {
        uintptr_t buffer = i, old = work(caller->pal, WORK_SPIN, SHORT_SPIN, &buffer);
        caller->wrong += old != i || buffer != i + 1;
    }
    return NULL;
}

/* Two callers at once, of one PAL or of two. Every call returns the right thing; a call that must wait is
 * repeated unseen. */
static bool two_callers(const struct tv_pal *first, const struct tv_pal *second)
{
    struct caller callers[2] = {{.pal = first, .cpu = 0}, {.pal = second, .cpu = 1}};
    for (int i = 0; i < 2; i++)
        EXPECT(!pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), "cannot make a thread");
    for (int i = 0; i < 2; i++)
        pthread_join(callers[i].thread, NULL);
    for (int i = 0; i < 2; i++)
        EXPECT(!callers[i].wrong, "caller %d: %u of %d calls were wrong", i, callers[i].wrong, CALLS);
    return true;
}

static bool one_pal_two_threads(void)
{
    static struct tv_pal pal;
    if (!worker_register(&pal) || !two_callers(&pal, &pal))
        return false;
    EXPECT(tv_pal_unregister(&pal) == 0, "UNREG failed");
    return machine_goes_on();
}

static bool two_pals_two_threads(void)
{
    static struct tv_pal pals[2];
    if (!worker_register(&pals[0]) || !worker_register(&pals[1]) || !two_callers(&pals[0], &pals[1]))
        return false;
    for (int i = 0; i < 2; i++)
        EXPECT(tv_pal_unregister(&pals[i]) == 0, "UNREG failed");
    return machine_goes_on();
}

/* As many processes as there are CPUs or more, each registers, calls and unregisters over and over. */
static bool register_storm(void)
{
    for (unsigned i = 0; i < PROCESSES; i++)
        if (fork() == 0) {
            bool ok = move_to_cpu(i);
            for (int round = 0; ok && round < CALLS / 10; round++)
                ok = machine_goes_on();
            fflush(stdout);
            _exit(ok ? 0 : 1);
        }
    int status = 0, failed = 0;
    while (wait(&status) > 0)
        failed += status != 0;
    EXPECT(!failed, "%d of %d processes failed", failed, PROCESSES);
    return true;
}

static bool register_here_unregister_there(void)
{
    static struct tv_pal pal;
    for (unsigned i = 0; i < CALLS / 10; i++) {
        EXPECT(move_to_cpu(i), "cannot move: %s", strerror(errno));
        if (!worker_register(&pal))
            return false;
        EXPECT(move_to_cpu(i + 1), "cannot move: %s", strerror(errno));
        if (!worker_works(&pal))
            return false;
        EXPECT(move_to_cpu(i + 2), "cannot move: %s", strerror(errno));
        EXPECT(tv_pal_unregister(&pal) == 0, "UNREG on another CPU failed");
        EXPECT(is_scrubbed(&pal), "this CPU sees stale pages"); /* or a stale translation */
        tv_pal_destroy(&pal);
    }
    return true;
}

static atomic_int inside_soon;

static void *spin_inside(void *argument)
{
    struct caller *caller = argument;
    uintptr_t buffer = 7;
    move_to_cpu(caller->cpu);
    atomic_store(&inside_soon, 1);
    uintptr_t old = work(caller->pal, WORK_SPIN, LONG_SPIN, &buffer);
    caller->wrong = old != 7 || buffer != 8;
    atomic_store(&inside_soon, 2);
    return NULL;
}

/* UNREG while the PAL runs on another CPU: refused each time, and the call ends well. */
static bool unregister_running(void)
{
    static struct tv_pal pal;
    struct caller caller = {.pal = &pal, .cpu = 1};
    if (!worker_register(&pal))
        return false;
    EXPECT(move_to_cpu(0) && !pthread_create(&caller.thread, NULL, spin_inside, &caller),
           "cannot make a thread");
    while (!atomic_load(&inside_soon))
        sched_yield();
    usleep(20000); /* on its way inside; with one CPU it has long returned, and UNREG is right to work */
    uintptr_t result = tv_pal_unregister(&pal);
    bool ran = atomic_load(&inside_soon) == 1;
    pthread_join(caller.thread, NULL);
    printf("    UNREG %s = %#zx\n", ran ? "while it ran" : "(it had returned already)", (size_t)result);
    EXPECT(!caller.wrong, "the call was disturbed");
    if (ran)
        EXPECT(result != 0 && tv_pal_unregister(&pal) == 0, "a running PAL was unregistered");
    else
        EXPECT(result == 0, "UNREG failed");
    return machine_goes_on();
}

/* A process that is killed while its PAL runs, many times, at varying moments. */
static bool killed_inside(void)
{
    for (unsigned i = 0; i < KILLS; i++) {
        static struct tv_pal pal;
        int status = 0, ready[2];
        char byte;
        EXPECT(!pipe(ready), "pipe: %s", strerror(errno));
        pid_t child = fork();
        if (child == 0) {
            bool ok = move_to_cpu(1) && worker_register(&pal);
            if (!ok || write(ready[1], "", 1) != 1)
                _exit(1);
            for (;;)
                work(&pal, WORK_SPIN, SHORT_SPIN, NULL);
        }
        close(ready[1]);
        EXPECT(read(ready[0], &byte, 1) == 1, "the process could not register its PAL");
        close(ready[0]);
        usleep(500 * i);
        EXPECT(!kill(child, SIGKILL) && waitpid(child, &status, 0) == child, "kill: %s", strerror(errno));
        EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it ended otherwise: status %#x",
               (unsigned)status);
    }
    return machine_goes_on();
}

static const struct check checks[] = {
    CASE(one_pal_two_threads), CASE(two_pals_two_threads),
    CASE(register_storm),      CASE(register_here_unregister_there),
    CASE(unregister_running),  CASE(killed_inside),
};

int threads_program(int argc, char **argv)
{
    return check_main(argc, argv, checks, sizeof checks / sizeof checks[0]);
}
