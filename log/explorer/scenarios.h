/* The log's scenarios, and how deep each is searched. */
#ifndef LOG_EXPLORER_SCENARIOS_H
#define LOG_EXPLORER_SCENARIOS_H

#include "log/explorer/explorer.h"

struct log_scenario {
    struct explorer_scenario scenario;
    unsigned preemptions;
    unsigned long random_runs;
};
extern const struct log_scenario log_scenarios[];
extern const unsigned log_scenario_count;

#endif
