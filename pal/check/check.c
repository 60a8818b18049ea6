/* Runs cases in processes of their own, and catches signals; see check.h. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../programs/programs.h"
#include "check.h"

sigjmp_buf caught_jump;
volatile sig_atomic_t catching;
gregset_t caught_registers;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)info;
    if (!catching) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    memcpy(caught_registers, ((ucontext_t *)context)->uc_mcontext.gregs, sizeof caught_registers);
    siglongjmp(caught_jump, number);
}

static void catch_signals(void)
{
    static char stack[32768]; /* the interrupted stack pointer may be anything */
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};

    sigaltstack(&alternative, NULL);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
}

static int run_one(const struct check *check)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(CHECK_SECONDS);
        catch_signals();
        bool ok = check->run();
        fflush(stdout);
        _exit(ok ? 0 : 1);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("    cannot run the case");
        return 1;
    }
    if (WIFSIGNALED(status))
        printf("    %s (%s)\n", WTERMSIG(status) == SIGALRM ? "hung" : "ended by a signal",
               strsignal(WTERMSIG(status)));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int check_main(int argc, char **argv, const struct check *checks, size_t count)
{
    size_t passed = 0, failed = 0, skipped = 0;

    if (argc > 2) {
        fprintf(stderr, "usage: %s [CASE]: runs all cases, or one of:", argv[0]);
        for (size_t i = 0; i < count; i++)
            fprintf(stderr, " %s", checks[i].name);
        fputc('\n', stderr);
        return STATUS_USAGE;
    }
    if (tv_require())
        return STATUS_FAIL;
    for (size_t i = 0; i < count; i++) {
        if (argc == 2 && strcmp(argv[1], checks[i].name))
            continue;
        int status = run_one(&checks[i]);
        printf("%s %s\n", status == CHECK_SKIPPED ? "SKIP" : status ? "FAIL" : "PASS", checks[i].name);
        *(status == CHECK_SKIPPED ? &skipped : status ? &failed : &passed) += 1;
    }
    if (passed + failed + skipped == 0) {
        fprintf(stderr, "%s: there is no case %s\n", argv[0], argv[1]);
        return STATUS_USAGE;
    }
    printf("%zu passed, %zu failed, %zu skipped\n", passed, failed, skipped);
    return failed ? STATUS_FAIL : STATUS_PASS;
}
