/*
 * devmem [ADDRESS]: reads and writes the hypervisor's memory through /dev/mem. Each attempt must end in a
 * signal, and the machine goes on.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../programs/programs.h"
#include "check.h"

enum access { READ, WRITE, EXECUTE };
static const char *const verb[] = {"read", "write", "execute"};

/* Touches the page in a child of its own; true if that died of the access. */
static bool is_refused(unsigned long long address, enum access access)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(CHECK_SECONDS);
        volatile unsigned char *page = map_physical(address & -(unsigned long long)TV_PAGE);
        if (!page)
            _exit(2);
        page += address % TV_PAGE;
        if (access == READ) {
            unsigned value = *page;
            printf("    it holds %#x\n", value);
        } else if (access == WRITE) {
            *page = 0x5a;
        } else {
            ((void (*)(void))(uintptr_t)page)();
        }
        fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("cannot try");
        return false;
    }
    bool refused = WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
    printf("%s %s %#llx: %s\n", refused ? "PASS" : "FAIL", verb[access], address,
           WIFSIGNALED(status)   ? strsignal(WTERMSIG(status))
           : WEXITSTATUS(status) ? "could not be tried"
                                 : "nothing stopped it");
    return refused;
}

int devmem_program(int argc, char **argv)
{
    unsigned long long start, end;
    if (argc > 2) {
        fprintf(stderr, "usage: %s [ADDRESS]: tries to read, write and execute the hypervisor's memory\n",
                argv[0]);
        return STATUS_USAGE;
    }
    if (argc == 2) {
        if (parse_number(argv[1], "ADDRESS", &start))
            return STATUS_USAGE;
        end = start;
    } else if (hypervisor_range(&start, &end)) {
        fprintf(stderr, "no Reserved memory above 16 MiB in /proc/iomem: not under Braid, or not root\n");
        return STATUS_FAIL;
    }
    if (tv_require()) /* on a bare machine a stray write would hurt */
        return STATUS_FAIL;

    unsigned long long places[] = {start, start + (end - start) / 2, end};
    int failed = 0, passed = 0;
    for (int i = 0; i < (start == end ? 1 : 3); i++)
        for (enum access access = READ; access <= EXECUTE; access++)
            *(is_refused(places[i], access) ? &passed : &failed) += 1;
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? STATUS_FAIL : STATUS_PASS;
}
