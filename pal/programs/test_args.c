/*
 * test_args KIND ITERATIONS SEED: do parameters of every shape reach a PAL and come back?
 *
 * Each iteration draws arguments, calls the same function once as it is and once as a PAL, on two equal sets
 * of buffers, and compares what came of it: the result, every word of every buffer, and the guard words
 * around each.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "../lib/tv.h"
#include "programs.h"

typedef uintptr_t word;
typedef word args_function(word, word, word, word, word, word, word, word, word, word);
#define TEN_ARGS word a0, word a1, word a2, word a3, word a4, word a5, word a6, word a7, word a8, word a9
#define ARGS     10

/* Kind 1. Each argument weighs differently, so that two that changed places are noticed. */
TV_PAL_CODE(args) static word integers(TEN_ARGS)
{
    return a0 + 3 * a1 + 5 * a2 + 7 * a3 + 11 * a4 + 13 * a5 + 17 * a6 + 19 * a7 + 23 * a8 + 29 * a9;
}

TV_PAL_CODE(args) static word mix(word *buffer, word count, word sum)
{
    for (word i = 0; i < count; i++) {
        sum = sum * 31 + buffer[i];
        buffer[i] = buffer[i] * 5 + sum;
    }
    return sum;
}

/* Kind 2. */
TV_PAL_CODE(args) static word single_words(TEN_ARGS)
{
    word sum = 0;
    word a[ARGS] = {a0, a1, a2, a3, a4, a5, a6, a7, a8, a9};
    for (int i = 0; i < ARGS; i++)
        sum = mix((word *)a[i], 1, sum);
    return sum;
}

/* Kind 3. The first word of each buffer says how many follow. */
TV_PAL_CODE(args) static word counted_words(TEN_ARGS)
{
    word sum = 0;
    word a[ARGS] = {a0, a1, a2, a3, a4, a5, a6, a7, a8, a9};
    for (int i = 0; i < ARGS; i++)
        sum = mix((word *)a[i] + 1, *(word *)a[i], sum);
    return sum;
}

/* Kind 4. A count, then a buffer of so many words, five times. */
TV_PAL_CODE(args) static word pairs(TEN_ARGS)
{
    word sum = 0;
    word a[ARGS] = {a0, a1, a2, a3, a4, a5, a6, a7, a8, a9};
    for (int i = 0; i < ARGS; i += 2)
        sum = mix((word *)a[i + 1], a[i], sum);
    return sum;
}
TV_PAL_IMAGE(args);

enum shape { INTEGERS, POINTERS, PAIRS };
static const struct kind {
    const char *what;
    args_function *function;
    enum shape shape;
    unsigned min_words, max_words;
    bool counted, register_each;
} kinds[] = {
    {"10 integers", integers, INTEGERS, 0, 0, false, false},
    {"10 pointers to a word", single_words, POINTERS, 1, 1, false, false},
    {"10 pointers to 1 to 40 words", counted_words, POINTERS, 1, 40, true, false},
    {"5 pairs of a count and a pointer to 0 to 99 words", pairs, PAIRS, 0, 99, false, true},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], GUARD = 2, MAX_WORDS = 99 };
#define GUARD_WORD ((word)0x9a2d9a2d)

/* One set of arguments, and for pointers what is behind them. */
struct set {
    word value[ARGS];
    unsigned words[ARGS];
    word buffer[ARGS][GUARD + MAX_WORDS + GUARD];
};

static uint64_t random_state;
static word draw(void) /* xorshift: the same arguments for the same seed, everywhere */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (word)(random_state >> 11);
}

static bool is_pointer(const struct kind *kind, int i)
{
    return kind->shape == POINTERS || (kind->shape == PAIRS && i % 2);
}

static void draw_set(const struct kind *kind, struct set *set, bool keep_sizes)
{
    for (int i = 0; i < ARGS; i++) {
        if (!keep_sizes)
            set->words[i] = kind->min_words + draw() % (kind->max_words - kind->min_words + 1);
        for (unsigned j = 0; j < GUARD + MAX_WORDS + GUARD; j++)
            set->buffer[i][j] = j >= GUARD && j < GUARD + set->words[i] ? draw() : GUARD_WORD;
        if (kind->counted)
            set->buffer[i][GUARD] = set->words[i] - 1;
        set->value[i] = draw();
    }
    if (kind->shape == PAIRS)
        for (int i = 0; i < ARGS; i += 2)
            set->value[i] = set->words[i + 1];
}

static word call(const struct kind *kind, args_function *function, struct set *set)
{
    word a[ARGS];
    for (int i = 0; i < ARGS; i++)
        a[i] = is_pointer(kind, i) ? (word)&set->buffer[i][GUARD] : set->value[i];
    return function(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9]);
}

static bool register_pal(const struct kind *kind, struct tv_pal *pal, const struct set *set)
{
    pal->params.num_params = 0;
    for (int i = 0; i < ARGS; i++)
        tv_pal_param(pal, is_pointer(kind, i) ? TV_PARAM_POINTER : TV_PARAM_INTEGER, set->words[i]);
    word result = tv_pal_register(pal);
    if (result)
        fprintf(stderr, "REG = %#zx: refused; the hypervisor's log says why\n", (size_t)result);
    return !result;
}

static bool unregister_pal(const struct tv_pal *pal)
{
    word result = tv_pal_unregister(pal);
    if (result)
        fprintf(stderr, "UNREG = %#zx: the PAL is not known any more\n", (size_t)result);
    return !result;
}

/* Calls both and compares. Says what differs first. */
static bool same(const struct kind *kind, const struct tv_pal *pal, struct set *inside,
                 unsigned long long iteration)
{
    static struct set outside;
    outside = *inside;
    word want = call(kind, kind->function, &outside);
    word got = call(kind, (args_function *)pal->entry, inside);
    if (got != want) {
        printf("iteration %llu: the PAL returned %#zx, not %#zx\n", iteration, (size_t)got, (size_t)want);
        return false;
    }
    for (int i = 0; i < ARGS; i++)
        for (int j = 0; j < GUARD + MAX_WORDS + GUARD; j++)
            if (inside->buffer[i][j] != outside.buffer[i][j]) {
                printf("iteration %llu: argument %d of %u words, word %d: %#zx, not %#zx\n", iteration, i,
                       inside->words[i], j - GUARD, (size_t)inside->buffer[i][j],
                       (size_t)outside.buffer[i][j]);
                return false;
            }
    return true;
}

static bool run(const struct kind *kind, unsigned long long iterations)
{
    static struct set set;
    struct tv_pal pal;
    struct tv_image image = TV_PAL(args, kind->function);
    int error = tv_pal_create(&pal, image,
                              (struct tv_pages){.stack = 1, .param = 2}); /* kind 4 can take 4224 bytes */
    if (error) {
        fprintf(stderr, "cannot prepare the PAL's pages: %s\n", strerror(-error));
        return false;
    }
    bool ok = true;
    for (unsigned long long i = 0; ok && i < iterations; i++) {
        bool fresh = i == 0 || kind->register_each;
        if (i > 0 && fresh)
            ok = unregister_pal(&pal);
        draw_set(kind, &set, !fresh);
        ok = ok && (!fresh || register_pal(kind, &pal, &set)) && same(kind, &pal, &set, i);
    }
    if (ok && iterations)
        ok = unregister_pal(&pal);
    return ok;
}

int test_args_program(int argc, char **argv)
{
    unsigned long long kind, iterations, seed;
    if (argc != 4) {
        fprintf(stderr, "usage: %s KIND ITERATIONS SEED: draws arguments, calls a PAL with them, compares\n",
                argv[0]);
        for (int i = 0; i < KINDS; i++)
            fprintf(stderr, "  KIND %d: %s, %s\n", i + 1, kinds[i].what,
                    kinds[i].register_each ? "registered anew for each call" : "registered once");
        return STATUS_USAGE;
    }
    if (parse_number(argv[1], "KIND", &kind) || parse_number(argv[2], "ITERATIONS", &iterations) ||
        parse_number(argv[3], "SEED", &seed))
        return STATUS_USAGE;
    if (kind < 1 || kind > KINDS || iterations < 1) {
        fprintf(stderr, "KIND is 1 to %d, ITERATIONS at least 1\n", KINDS);
        return STATUS_USAGE;
    }
    if (tv_require())
        return STATUS_FAIL;
    random_state = seed * 2 + 1;
    bool ok = run(&kinds[kind - 1], iterations);
    printf("test_args %llu: %llu calls with %s: %s\n", kind, iterations, kinds[kind - 1].what,
           ok ? "PASS" : "FAIL");
    return ok ? STATUS_PASS : STATUS_FAIL;
}
