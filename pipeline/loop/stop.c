#include "pipeline/loop/stop.h"

#include <math.h>
#include <stdio.h>

enum { STABLE_LOOKS = 3 }; /* Bloodgood and Vijay-Shanker 2009: three models in a row */

const char *fw_stop_name(enum fw_stop s)
{
    static const char *const names[] = {"none",         "target", "patience",      "stable",
                                        "nothing-left", "budget", "max-iterations"};
    return names[s];
}

static bool stable(const struct fw_plan *plan, const struct fw_loop_state *s)
{
    if (!plan->loop.stability_pool || s->n_kappa < STABLE_LOOKS)
        return false;
    for (size_t i = s->n_kappa - STABLE_LOOKS; i < s->n_kappa; i++)
        if (!(s->kappa[i] >= plan->loop.stability_kappa))
            return false;
    return true;
}

static bool spent(const struct fw_plan *plan, const struct fw_loop_state *s, char *text,
                  size_t size)
{
    if (!isnan(plan->loop.budget_labels) && s->labels >= plan->loop.budget_labels)
        snprintf(text, size, "the budget of %.0f labels is spent", plan->loop.budget_labels);
    else if (!isnan(plan->loop.budget_money) && s->money >= plan->loop.budget_money)
        snprintf(text, size, "the budget of %g (money) is spent", plan->loop.budget_money);
    else if (plan->loop.budget_wall_ms && s->wall_ms >= (double)plan->loop.budget_wall_ms)
        snprintf(text, size, "the wall-time budget of %.0f s is spent",
                 (double)plan->loop.budget_wall_ms / 1000);
    else if (plan->loop.budget_stage_ms && s->stage_ms >= (double)plan->loop.budget_stage_ms)
        snprintf(text, size, "the stage-time budget of %.0f s is spent",
                 (double)plan->loop.budget_stage_ms / 1000);
    else
        return false;
    return true;
}

enum fw_stop fw_stop_check(const struct fw_plan *plan, const struct fw_loop_state *s, char *text,
                           size_t size)
{
    text[0] = '\0';
    if (plan->metric.has_target &&
        (s->higher_is_better ? s->score >= plan->metric.target : s->score <= plan->metric.target)) {
        snprintf(text, size, "the target of %g is reached", plan->metric.target);
        return FW_STOP_TARGET;
    }
    if (s->since_improved >= plan->loop.patience) {
        snprintf(text, size, "no improvement for %d iteration%s", s->since_improved,
                 s->since_improved == 1 ? "" : "s");
        return FW_STOP_PATIENCE;
    }
    if (stable(plan, s)) {
        snprintf(text, size,
                 "predictions on the unlabelled pool no longer change (kappa ≥ %g three times)",
                 plan->loop.stability_kappa);
        return FW_STOP_STABLE;
    }
    if (s->nothing_left) {
        snprintf(text, size, "no stage has a fix left to propose");
        return FW_STOP_NOTHING_LEFT;
    }
    if (spent(plan, s, text, size))
        return FW_STOP_BUDGET;
    if (s->iteration >= plan->loop.max_iterations) {
        snprintf(text, size, "max_iterations (%d) reached", plan->loop.max_iterations);
        return FW_STOP_MAX_ITERATIONS;
    }
    return FW_STOP_NONE;
}
