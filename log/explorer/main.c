/*
 * Explores the log's scenarios, all or those named. A line each; the last is `N passed, N failed`.
 *
 * A scenario passes if no bounded and no random schedule fails, and none does in which a context that may
 * stop stops for good, at each of its places in turn (with one preemption: what it left is then what others
 * meet at each place of theirs).
 */
#include <stdio.h>
#include <string.h>
#include "log/explorer/scenarios.h"

static bool tell(const char *name, const char *how, const struct explorer_result *result)
{
    const bool good = result->failure[0] == '\0';

    printf("%s %s, %s: %lu schedules, at most %lu decisions and %lu steps a context%s%s\n",
           good ? "ok  " : "FAIL", name, how, result->runs, result->points, result->steps, good ? "" : ": ",
           result->failure);
    fflush(stdout);
    return good;
}

static bool explore(const struct log_scenario *at)
{
    const struct explorer_scenario *scenario = &at->scenario;
    struct explorer_result result = explore_bounded(scenario, at->preemptions, -1);
    char how[64];
    bool good;

    snprintf(how, sizeof(how), "up to %u preemptions", at->preemptions);
    good = tell(scenario->name, how, &result);
    if (at->random_runs != 0) {
        result = explore_random(scenario, at->random_runs);
        good &= tell(scenario->name, "random", &result);
    }
    for (unsigned i = 0; i < scenario->count; i++) {
        if (!scenario->context[i].may_stop)
            continue;
        result = explore_bounded(scenario, 1, (int)i);
        snprintf(how, sizeof(how), "%s stops anywhere", scenario->context[i].name);
        good &= tell(scenario->name, how, &result);
    }
    return good;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;

    for (unsigned i = 0; i < log_scenario_count; i++) {
        bool wanted = argc == 1;

        for (int a = 1; a < argc; a++)
            wanted |= strcmp(argv[a], log_scenarios[i].scenario.name) == 0;
        if (wanted)
            *(explore(&log_scenarios[i]) ? &passed : &failed) += 1;
    }
    if (passed + failed == 0)
        fprintf(stderr, "explore: no scenario has such a name\n");
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0 || passed == 0;
}
