/*
 * The stop rule: pure. The loop asks before each iteration; the first reason that holds wins, in
 * the order of the enum.
 */
#ifndef FW_LOOP_STOP_H
#define FW_LOOP_STOP_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/config/plan.h"

enum fw_stop {
    FW_STOP_NONE,
    FW_STOP_TARGET,
    FW_STOP_PATIENCE,
    FW_STOP_STABLE,
    FW_STOP_NOTHING_LEFT,
    FW_STOP_BUDGET,
    FW_STOP_MAX_ITERATIONS
};

const char *fw_stop_name(enum fw_stop s); /* "target", "nothing-left", ... */

struct fw_loop_state {
    int iteration; /* iterations finished; 0 after the baseline */
    double score;  /* the champion's */
    bool higher_is_better;
    int since_improved; /* iterations since the last improvement (or the baseline) */
    bool nothing_left;  /* the last proposals had no fix that changes anything */
    size_t n_kappa;     /* kappas between successive models on the pool, oldest first */
    const double *kappa;
    double labels, money; /* spent */
    double wall_ms, stage_ms;
};

/* text: a plain sentence for the report. */
enum fw_stop fw_stop_check(const struct fw_plan *plan, const struct fw_loop_state *state,
                           char *text, size_t size);

#endif
