/*
 * pin SECRET GUESS...: a PAL of one's own. It keeps a number, tells whether a guess is right, and after three
 * wrong ones never again; neither the program around it nor the kernel can read the number or reset the
 * count. README.md walks through this file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/tv.h"

enum request { SET, GUESS };
enum answer { RIGHT, WRONG, LOCKED };
enum { TRIES = 3 };

/* What the PAL keeps in its DATA section, which begins as zeroes. */
struct state {
    uintptr_t set, secret, wrong;
};

TV_PAL_CODE(pin) static int is_locked(const struct state *state)
{
    return state->wrong >= TRIES;
}

/* The entry: all a caller can do is call this. `left` is where it learns how many tries are left. */
TV_PAL_CODE(pin) static uintptr_t pin(uintptr_t request, uintptr_t number, uintptr_t *left)
{
    struct state *state = TV_PAL_DATA(pin);
    uintptr_t answer = WRONG;

    if (request == SET && !state->set) {
        state->set = 1;
        state->secret = number;
        answer = RIGHT;
    } else if (is_locked(state)) {
        answer = LOCKED;
    } else if (request == GUESS && number == state->secret) {
        answer = RIGHT;
    } else {
        state->wrong++;
    }
    *left = TRIES - state->wrong;
    return answer;
}
TV_PAL_IMAGE(pin);

int main(int argc, char **argv)
{
    static const char *const words[] = {"right", "wrong", "locked"};
    struct tv_pal pal;
    uintptr_t left = 0;

    if (argc < 3) {
        fprintf(stderr, "usage: %s SECRET GUESS...\n", argv[0]);
        return 2;
    }
    if (tv_require())
        return 1;
    int error = tv_pal_create(&pal, TV_PAL(pin, pin), (struct tv_pages){.data = 1, .stack = 1, .param = 1});
    if (error) {
        fprintf(stderr, "cannot prepare the PAL's pages: %s\n", strerror(-error));
        return 1;
    }
    tv_pal_param(&pal, TV_PARAM_INTEGER, 0);
    tv_pal_param(&pal, TV_PARAM_INTEGER, 0);
    tv_pal_param(&pal, TV_PARAM_POINTER, 1); /* one word, copied in and back */
    if (tv_pal_register(&pal)) {
        fprintf(stderr, "TrustVisor refused the PAL; its log says why\n");
        return 1;
    }
    TV_PAL_CALL(&pal, pin)(SET, strtoul(argv[1], NULL, 0), &left);
    uintptr_t answer = WRONG;
    for (int i = 2; i < argc; i++) {
        answer = TV_PAL_CALL(&pal, pin)(GUESS, strtoul(argv[i], NULL, 0), &left);
        printf("%s: %s, %zu left\n", argv[i], words[answer], (size_t)left);
    }
    if (tv_pal_unregister(&pal)) {
        fprintf(stderr, "TrustVisor does not know the PAL any more\n");
        return 1;
    }
    tv_pal_destroy(&pal);
    return answer == RIGHT ? 0 : 1;
}
