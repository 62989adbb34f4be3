#include "pipeline/loop/gate.h"

#include <math.h>
#include <stdio.h>

static const double second_look_share = 0.2;

const char *fw_verdict_name(enum fw_verdict v)
{
    static const char *const names[] = {"improved", "undecided", "worse"};
    return names[v];
}

bool fw_guard_broken(const struct fw_guard *guard)
{
    /* The slack is far below any step a metric on real counts can make. */
    return guard->before - guard->after > guard->allowance + 1e-12;
}

double fw_gate_alpha(const struct fw_gate_rules *rules, bool second)
{
    if (rules->rule != FW_RULE_SPEND)
        return NAN;
    double part = (1 - rules->confidence) / (rules->max_iterations > 0 ? rules->max_iterations : 1);
    if (!rules->ablate)
        return part;
    return second ? part * second_look_share : part * (1 - second_look_share);
}

size_t fw_gate_resamples(const struct fw_gate_rules *rules)
{
    const double usual = 1e4, most = 1e6; /* the smallest p-value is 1 / (resamples + 1) */
    double alpha = fw_gate_alpha(rules, rules->ablate);
    double wanted = alpha > 0 ? 20 / alpha : usual;
    return (size_t)(wanted < usual ? usual : wanted > most ? most : wanted);
}

static enum fw_verdict by_rule(const struct fw_gate_rules *rules, double alpha,
                               const struct fw_comparison *cmp, char *reason, size_t size)
{
    double points = 100 * cmp->gain;
    switch (rules->rule) {
    case FW_RULE_LADDER:
        if (fabs(cmp->gain) <= cmp->sd) {
            snprintf(reason, size, "%+.2f points is within the step of %.2f points (s/√n)", points,
                     100 * cmp->sd);
            return FW_VERDICT_UNDECIDED;
        }
        snprintf(reason, size, "%+.2f points is more than the step of %.2f points (s/√n)", points,
                 100 * cmp->sd);
        return cmp->gain > 0 ? FW_VERDICT_IMPROVED : FW_VERDICT_WORSE;
    case FW_RULE_THRESHOLD:
        snprintf(reason, size, "%+.2f points against a threshold of %.2f points", points,
                 100 * rules->min_gain);
        if (cmp->gain >= rules->min_gain && cmp->gain > 0)
            return FW_VERDICT_IMPROVED;
        if (cmp->gain <= -rules->min_gain && cmp->gain < 0)
            return FW_VERDICT_WORSE;
        return FW_VERDICT_UNDECIDED;
    case FW_RULE_SPEND:
    default:
        break;
    }
    if (cmp->gain > 0 && cmp->p_improved <= alpha) {
        snprintf(reason, size, "%+.2f points, p = %.3g, at most the %.3g this look may spend",
                 points, cmp->p_improved, alpha);
        return FW_VERDICT_IMPROVED;
    }
    double worse = 1 - rules->confidence;
    if (cmp->gain < 0 && cmp->p_worse <= worse) {
        snprintf(reason, size, "%+.2f points, p = %.3g for a loss by luck, at most %.3g", points,
                 cmp->p_worse, worse);
        return FW_VERDICT_WORSE;
    }
    snprintf(reason, size, "%+.2f points could be luck (p = %.3g; this look needs %.3g)", points,
             cmp->p_improved, alpha);
    return FW_VERDICT_UNDECIDED;
}

void fw_gate_decide(const struct fw_gate_rules *rules, bool second, const struct fw_comparison *cmp,
                    const struct fw_guard *guards, size_t n_guards, struct fw_gate_result *out)
{
    out->alpha = fw_gate_alpha(rules, second);
    for (size_t i = 0; i < n_guards; i++) {
        if (!fw_guard_broken(&guards[i]))
            continue;
        out->verdict = FW_VERDICT_WORSE;
        if (guards[i].required) {
            snprintf(out->reason, sizeof out->reason,
                     "the audit is broken: '%s' is missed by %.4g (by the champion: %.4g)",
                     guards[i].name, -guards[i].after, fabs(guards[i].before));
            return;
        }
        snprintf(out->reason, sizeof out->reason,
                 "guard rail '%s' broken: %s fell by %.2f points, %.2f are allowed", guards[i].name,
                 guards[i].metric, 100 * (guards[i].before - guards[i].after),
                 100 * guards[i].allowance);
        return;
    }
    out->verdict = by_rule(rules, out->alpha, cmp, out->reason, sizeof out->reason);
}
