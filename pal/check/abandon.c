/*
 * abandon [COUNT [MIB]]: processes that register a PAL and end without unregistering it. Their page frames
 * are then used by others (MIB of memory are written and read back after each), and the machine goes on; so
 * does registering.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../programs/programs.h"
#include "check.h"

enum { DEFAULT_COUNT = 20, DEFAULT_MIB = 16 };

/* Runs `act` in a child and returns its exit status, or -1 if a signal ended it. */
static int in_child(bool (*act)(size_t bytes), size_t bytes)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(CHECK_SECONDS);
        bool ok = act(bytes);
        fflush(stdout);
        _exit(ok ? 0 : 1);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static bool register_and_leave(size_t bytes)
{
    static struct tv_pal pal;
    (void)bytes;
    return worker_register(&pal) && work(&pal, WORK_STORE, 0x5ec2e7, NULL) == 0;
}

/* Writes and reads back so much fresh memory; all of it comes zeroed from the kernel. */
static bool use_frames(size_t bytes)
{
    unsigned char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(memory != MAP_FAILED, "mmap: %s", strerror(errno));
    for (size_t i = 0; i < bytes; i += TV_PAGE) {
        EXPECT(!memory[i], "a fresh page is not zero");
        memory[i] = (unsigned char)(i / TV_PAGE);
    }
    for (size_t i = 0; i < bytes; i += TV_PAGE)
        EXPECT(memory[i] == (unsigned char)(i / TV_PAGE), "a page did not keep what was written");
    return true;
}

static bool still_good(size_t bytes)
{
    (void)bytes;
    return machine_goes_on();
}

int abandon_program(int argc, char **argv)
{
    unsigned long long count = DEFAULT_COUNT, mib = DEFAULT_MIB;
    if (argc > 3) {
        fprintf(stderr,
                "usage: %s [COUNT [MIB]]: leaves COUNT PALs registered and uses their frames for something "
                "else\n",
                argv[0]);
        return STATUS_USAGE;
    }
    if ((argc > 1 && parse_number(argv[1], "COUNT", &count)) ||
        (argc > 2 && parse_number(argv[2], "MIB", &mib)))
        return STATUS_USAGE;
    if (count < 1 || mib < 1 || mib > 2048) {
        fprintf(stderr, "COUNT is at least 1, MIB 1 to 2048\n");
        return STATUS_USAGE;
    }
    if (tv_require())
        return STATUS_FAIL;
    for (unsigned long long i = 0; i < count; i++) {
        int left = in_child(register_and_leave, 0), used = in_child(use_frames, (size_t)mib << 20);
        if (left || used) {
            printf("FAIL after %llu of %llu: %s\n", i, count,
                   left ? "no PAL could be registered" : "their frames are unusable");
            return STATUS_FAIL;
        }
    }
    bool ok = in_child(still_good, 0) == 0;
    printf("%s: %llu PALs abandoned, their frames used again\n", ok ? "PASS" : "FAIL", count);
    return ok ? STATUS_PASS : STATUS_FAIL;
}
