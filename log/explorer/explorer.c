/*
 * The search. See explorer.h.
 *
 * A context is a coroutine with a stack of its own. At a decision it goes back to run_once(), which says who
 * goes on. `decision` holds the path of this run: the first `fixed` entries are repeated from the run before,
 * where the last of them was changed; behind them nobody is preempted. backtrack() changes the deepest entry
 * that has another choice left within the bound: depth first, each schedule once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log/explorer/explorer.h"
#include "log/explorer/places.h"

enum { STACK = 128 << 10, DECISIONS = 1 << 16, SHOWN = 24 };

enum state { READY, WAITS, ENDED, STOPPED };

struct coroutine {
    uint8_t *stack;
    void *sp;
    enum state state;
    bool begun;
    unsigned long steps;
    unsigned long places; /* decisions that it came to */
};

struct decision {
    uint8_t chosen;
    uint8_t others; /* contexts that could be chosen instead, and were not yet */
    bool free;      /* the one that ran cannot go on: choosing costs no preemption */
    uint32_t preemptions;
};

static const struct explorer_scenario *scenario;
static struct coroutine coroutine[EXPLORER_CONTEXTS];
static int running = -1;
static void *home; /* stack pointer of run_once() */
static bool moved; /* something has changed that one who waits may be waiting for */
static bool failed;
static const char *why;
static int to_stop;           /* context to stop, or -1 ... */
static unsigned long stop_at; /* ... at this place of its own */
static bool was_stopped;      /* in a run of this search */

static struct decision decision[DECISIONS];
static unsigned long fixed, made;
static unsigned bound;
static uint64_t dice; /* 0: no random */

/* Saves what the ABI wants kept, and goes on at the other stack pointer. */
void explorer_swap(void **from, void *to);
__asm__(".globl explorer_swap\n"
        "explorer_swap:\n"
        "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp, (%rdi)\n"
        "mov %rsi, %rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\n"
        "ret\n");

int explorer_self(void)
{
    return running;
}

static void go_home(enum state state)
{
    coroutine[running].state = state;
    explorer_swap(&coroutine[running].sp, home);
}

static void entry(void)
{
    scenario->context[running].run();
    go_home(ENDED);
    abort(); /* nobody goes on with one that has ended */
}

static void begin(struct coroutine *c)
{
    void **top;

    if (c->stack == NULL)
        c->stack = aligned_alloc(4096, STACK);
    if (c->stack == NULL)
        abort();
    top = (void **)(c->stack + STACK) - 1; /* rsp is 16n + 8 on entry, as after a call */
    *--top = (void *)entry;
    c->sp = top - 6;
    memset(c->sp, 0, 6 * sizeof(*top));
}

void explorer_fail(const char *what)
{
    if (!failed)
        why = what;
    failed = true;
    if (running >= 0)
        go_home(STOPPED);
}

static void step(void)
{
    if (++coroutine[running].steps > scenario->steps_max)
        explorer_fail("a context takes more steps than it may");
}

void explorer_point(bool moves)
{
    if (running < 0)
        return;
    step();
    go_home(coroutine[running].places++ == stop_at && running == to_stop ? STOPPED : READY);
    moved |= moves; /* what follows is not interrupted until the next place */
}

void explorer_wait(void)
{
    if (running < 0)
        return;
    step();
    go_home(WAITS);
}

void explorer_access(const void *address, size_t size, bool write)
{
    if (running < 0)
        return;
    if ((const uint8_t *)address - coroutine[running].stack < STACK &&
        (const uint8_t *)address >= coroutine[running].stack)
        return; /* its own stack */
    if (places_shared(address, size, write, (unsigned)running))
        explorer_point(write);
    else
        step();
}

/* Nobody is on top of it, and it can go on. An interrupt finds its context begun or not, ended or not. */
static bool can_run(unsigned i)
{
    if (coroutine[i].state != READY)
        return false;
    for (unsigned j = 0; j < scenario->count; j++)
        if (scenario->context[j].on == (int)i && coroutine[j].begun && coroutine[j].state != ENDED)
            return false;
    /* No interrupt comes on a CPU that is stopped. */
    return coroutine[i].begun || scenario->context[i].on < 0 ||
           coroutine[scenario->context[i].on].state != STOPPED;
}

/* An interrupt that has not come: it may, but need not for others to move. */
static bool to_come(unsigned i)
{
    return scenario->context[i].on >= 0 && !coroutine[i].begun;
}

/* Those that can run; where nobody does without an interrupt, those that wait are waked, and time passes. 0:
 * all is over. */
static unsigned choices(bool *stuck)
{
    for (unsigned turns = 0;; turns++) {
        unsigned mask = 0, moving = 0;
        bool waiting = false;

        for (unsigned i = 0; i < scenario->count; i++) {
            if (can_run(i)) {
                mask |= 1u << i;
                moving |= (unsigned)!to_come(i) << i;
            }
            waiting |= coroutine[i].state == WAITS;
        }
        if (!waiting)
            return mask;
        if (moving != 0)
            return moving;
        for (unsigned i = 0; i < scenario->count; i++)
            if (coroutine[i].state == WAITS)
                coroutine[i].state = READY;
        if (turns > 0 || scenario->idle == NULL || !scenario->idle()) {
            *stuck = true;
            return 0;
        }
    }
}

static uint64_t roll(void)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return dice;
}

/* The first of `mask` after `last`, in turn. */
static unsigned next_in_turn(unsigned mask, int last)
{
    const unsigned later = last < 0 ? mask : mask & ~((2u << last) - 1);

    return (unsigned)__builtin_ctz(later != 0 ? later : mask);
}

/* Who goes on. `last` ran before; -1 at the start. One that waits gives way to the next in turn. */
static unsigned decide(unsigned mask, int last)
{
    struct decision *d = &decision[made];
    const bool can_go_on = last >= 0 && (mask >> last & 1);
    const bool waits = last >= 0 && coroutine[last].state == WAITS;
    unsigned chosen = can_go_on ? (unsigned)last : next_in_turn(mask, last);

    if (dice != 0) {
        const unsigned wanted = (unsigned)(roll() >> 20) % scenario->count;

        if ((mask >> wanted & 1) && (!can_go_on || roll() % 6 == 0))
            chosen = wanted;
        *d = (struct decision){.chosen = (uint8_t)chosen};
    } else if (made >= fixed) {
        *d = (struct decision){.chosen = (uint8_t)chosen, .free = !can_go_on};
        d->others = waits ? 0 : (uint8_t)(mask & ~(1u << chosen));
        d->preemptions = made == 0 ? 0 : decision[made - 1].preemptions;
    } else if (!(mask >> d->chosen & 1)) {
        fprintf(stderr,
                "explorer: %s: the same schedule went another way: reset() leaves something as it was\n",
                scenario->name);
        abort();
    }
    if (++made == DECISIONS) {
        made--;
        explorer_fail("more decisions than the explorer can hold");
    }
    return d->chosen;
}

/* One schedule, from reset to verdict. */
static void run_once(struct explorer_result *result)
{
    bool stuck = false;
    int last = -1;
    unsigned mask;

    failed = false;
    made = 0;
    scenario->reset();
    for (unsigned i = 0; i < scenario->count; i++) {
        struct coroutine *c = &coroutine[i];

        *c = (struct coroutine){.stack = c->stack};
        begin(c);
    }
    while (!failed && (mask = choices(&stuck)) != 0) {
        running = (int)decide(mask, last);
        coroutine[running].begun = true;
        last = running;
        explorer_swap(&home, coroutine[running].sp);
        running = -1;
        for (unsigned i = 0; moved && i < scenario->count; i++)
            if (coroutine[i].state == WAITS)
                coroutine[i].state = READY;
        moved = false;
    }
    running = -1;
    result->runs++;
    was_stopped |= to_stop >= 0 && coroutine[to_stop].state == STOPPED;
    if (made > result->points)
        result->points = made;
    for (unsigned i = 0; i < scenario->count; i++)
        if (coroutine[i].steps > result->steps)
            result->steps = coroutine[i].steps;
    if (!failed && stuck)
        explorer_fail("all wait for ever");
    if (!failed) {
        const bool stopped = to_stop >= 0 && coroutine[to_stop].state == STOPPED;
        const char *wrong = scenario->verdict(stopped ? to_stop : -1);

        if (wrong != NULL)
            explorer_fail(wrong);
    }
}

/* The next schedule: false if there is none. */
static bool backtrack(void)
{
    while (made > 0) {
        struct decision *d = &decision[made - 1];
        const unsigned before = made == 1 ? 0 : decision[made - 2].preemptions;

        if (d->others != 0 && (d->free || before < bound)) {
            d->chosen = (uint8_t)__builtin_ctz(d->others);
            d->others &= (uint8_t)(d->others - 1);
            d->preemptions = before + !d->free;
            fixed = made;
            return true;
        }
        made--;
    }
    return false;
}

/* What is wrong, and who ran how far: "CPU 0 x12, NMI x3, ...". */
static void tell(struct explorer_result *result)
{
    size_t used = (size_t)snprintf(result->failure, sizeof(result->failure), "%s; schedule:", why);
    unsigned shown = 0;

    for (unsigned long i = 0; i < made && used < sizeof(result->failure); shown++) {
        const unsigned who = decision[i].chosen;
        unsigned long turns = 0;

        while (i < made && decision[i].chosen == who) {
            turns++;
            i++;
        }
        used += (size_t)snprintf(result->failure + used, sizeof(result->failure) - used,
                                 shown < SHOWN    ? " %s x%lu"
                                 : shown == SHOWN ? " ..."
                                                  : "",
                                 scenario->context[who].name, turns);
    }
}

/* All schedules of one search; starts again while it learns of more shared places. */
static void search(struct explorer_result *result)
{
    do {
        places_learnt();
        fixed = 0;
        do {
            run_once(result);
            if (failed) {
                tell(result);
                return;
            }
        } while (!places_grew() && backtrack());
    } while (places_grew());
}

struct explorer_result explore_bounded(const struct explorer_scenario *given, unsigned preemptions, int stop)
{
    struct explorer_result result = {0};

    scenario = given;
    bound = preemptions;
    dice = 0;
    places_forget();
    to_stop = stop;
    for (stop_at = 0;; stop_at++) {
        was_stopped = false;
        search(&result);
        if (result.failure[0] != '\0' || !was_stopped) /* no schedule has so many places */
            return result;
    }
}

struct explorer_result explore_random(const struct explorer_scenario *given, unsigned long runs)
{
    struct explorer_result result = {0};

    scenario = given;
    to_stop = -1;
    places_forget();
    dice = 0x9e3779b97f4a7c15;
    for (unsigned long i = 0; i < runs && result.failure[0] == '\0'; i++) {
        run_once(&result);
        if (failed)
            tell(&result);
    }
    dice = 0;
    return result;
}
