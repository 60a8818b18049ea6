/*
 * Keeps QEMU 7.2 from running code that its guest has replaced.
 *
 * Linux patches its own code (jump labels, at boot and later): it writes INT3 over an instruction, then the
 * new instruction. Each write has QEMU drop what it has translated from there, notdirty_write() in
 * accel/tcg/cputlb.c: takes the page's lock, drops, lets go of it; the store comes behind. Meanwhile another
 * CPU's thread may be within tb_gen_code(): it has read the old bytes, and not yet entered its translation
 * where the write would find it. Then nothing ever drops that one. If the byte was INT3, each CPU that comes
 * by traps, finds no INT3 there, returns to it and traps again, for ever: seen as a Linux that stops while it
 * boots, with and without Braid, in one boot of some hundred. Writing the same byte once more through the
 * debugger sets it free. (QEMU 8.1 is said to hold the page's lock while it translates.)
 *
 * Protocol. Each thread says when it translates and when it writes, then looks at the others: who translates
 * steps back while anyone writes, who writes waits until nobody translates. Each says first and looks then,
 * all sequentially consistent, so that of two that meet at least one sees the other (Dekker). The two never
 * wait for each other: only the writer keeps its word up. Writers do not wait for writers, nor translators
 * for translators. Every word is good until a time, so that a thread that left by a long jump, or was not
 * run, holds nobody for longer; and who has waited LIMIT_NS, for one or for many, goes on as QEMU would have.
 *
 * A write ends with its store, behind which nothing calls us: it counts as done when its thread has run for
 * SETTLE_NS more, by its own CPU time, since a host with few cores may stop it in between.
 */
#define _GNU_SOURCE
#include "ci/qemu_repair.h"
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { THREADS = 64, LIMIT_NS = 100 * 1000 * 1000, SETTLING_NS = 10 * 1000 * 1000, SETTLE_NS = 20 * 1000 };

struct span {
    _Atomic uint64_t until;   /* monotonic ns; 0: not within */
    _Atomic uint64_t settled; /* its thread's CPU time at which it ends before; 0: not known yet */
};

struct thread {
    struct span translation, write;
    clockid_t clock;
};

static struct thread threads[THREADS]; /* those after the 64th go unmended */
static _Atomic unsigned numbered;
static _Thread_local struct thread *mine;

/* What stands behind these pointers is opaque here. */
static void *(*gen_code)(void *cpu, uint64_t pc, uint64_t base, uint32_t flags, int how);
static void *(*collection_lock)(uint64_t start, uint64_t end);
static void (*collection_unlock)(void *pages);
static void (*long_jump)(sigjmp_buf, int) __attribute__((noreturn));

static uint64_t ns(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time)) /* of a thread that has ended */
        return UINT64_MAX;
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static struct thread *self(void)
{
    static struct thread none;
    if (!mine) {
        unsigned number = atomic_fetch_add(&numbered, 1);
        mine = number < THREADS ? &threads[number] : &none;
        pthread_getcpuclockid(pthread_self(), &mine->clock);
    }
    return mine;
}

static void begin(struct span *span)
{
    atomic_store(&span->settled, 0);
    atomic_store(&span->until, ns(CLOCK_MONOTONIC) + LIMIT_NS);
}
static void end(struct span *span)
{
    atomic_store(&span->until, 0);
}

static bool within(const struct span *span, clockid_t clock)
{
    uint64_t until = atomic_load(&span->until);
    if (!until || until <= ns(CLOCK_MONOTONIC))
        return false;
    uint64_t settled = atomic_load(&span->settled);
    return !settled || ns(clock) < settled;
}

static struct thread *other_writer(const struct thread *me)
{
    for (unsigned i = 0; i < THREADS; i++)
        if (&threads[i] != me && within(&threads[i].write, threads[i].clock))
            return &threads[i];
    return NULL;
}

static void *translate(void *cpu, uint64_t pc, uint64_t base, uint32_t flags, int how)
{
    struct thread *me = self(), *writer;
    uint64_t give_up = ns(CLOCK_MONOTONIC) + LIMIT_NS;
    end(&me->write);
    begin(&me->translation);
    while ((writer = other_writer(me)) && ns(CLOCK_MONOTONIC) < give_up) {
        end(&me->translation);
        while (within(&writer->write, writer->clock) && ns(CLOCK_MONOTONIC) < give_up)
            sched_yield();
        begin(&me->translation);
    }
    void *block = gen_code(cpu, pc, base, flags, how);
    end(&me->translation);
    return block;
}

static void *lock(uint64_t start, uint64_t until)
{
    struct thread *me = self();
    uint64_t give_up = ns(CLOCK_MONOTONIC) + LIMIT_NS;
    end(&me->translation);
    begin(&me->write);
    for (unsigned i = 0; i < THREADS; i++)
        while (&threads[i] != me && within(&threads[i].translation, threads[i].clock) &&
               ns(CLOCK_MONOTONIC) < give_up)
            sched_yield();
    return collection_lock(start, until);
}

static void unlock(void *pages)
{
    struct span *write = &self()->write;
    collection_unlock(pages);
    atomic_store(&write->until, ns(CLOCK_MONOTONIC) + SETTLING_NS);
    atomic_store(&write->settled, ns(CLOCK_THREAD_CPUTIME_ID) + SETTLE_NS);
}

/* A guest's exception ends a translation and a write like this. Negative: tb_gen_code() begins once more. */
void siglongjmp(sigjmp_buf where, int value)
{
    if (value > 0 && mine) {
        end(&mine->translation);
        end(&mine->write);
    }
    long_jump(where, value);
}

static bool find(void *function, const char *name, void *where)
{
    *(void **)function = dlsym(where, name);
    return *(void **)function != NULL;
}

__attribute__((constructor(101))) static void find_long_jump(void)
{
    find(&long_jump, "siglongjmp", RTLD_NEXT);
}

bool repair_stale(void)
{
    return find(&gen_code, "tb_gen_code", RTLD_DEFAULT) &&
           find(&collection_lock, "page_collection_lock", RTLD_DEFAULT) &&
           find(&collection_unlock, "page_collection_unlock", RTLD_DEFAULT) &&
           repair_redirect("page_collection_unlock", (void (*)(void))unlock) &&
           repair_redirect("page_collection_lock", (void (*)(void))lock) &&
           repair_redirect("tb_gen_code", (void (*)(void))translate);
}
