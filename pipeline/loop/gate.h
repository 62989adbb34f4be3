/*
 * The gate: is the candidate better than the champion, worse, or is it luck? Pure: a comparison and
 * the rules go in, a verdict and its reason come out.
 *
 * Rules (loop.gate.rule):
 *   - spend: the dev set is looked at once per iteration, so the level α = 1 − confidence is spent
 *     over max_iterations in equal parts (a linear α-spending function, Lan and DeMets 1983; valid
 *     under any dependence between looks by Bonferroni's inequality). Improved when the one-sided
 *     bootstrap p-value is at most the look's part. When ablation is on, a fifth of each part is
 *     kept for the second look of an iteration, at what an ablation kept.
 *   - ladder: the parameter-free Ladder (Blum and Hardt 2015, arXiv:1502.04585). Improved when the
 *     gain exceeds s/√n, the standard error of the paired difference.
 *   - threshold: improved when the gain is at least min_gain (and above 0), whatever the noise.
 *
 * Worse:
 *   - spend: one-sided p at most α at this look (a wrong rollback costs a fix, not a wrong claim, so
 *     it is not spread over the run);
 *   - ladder: a loss above s/√n;
 *   - threshold: a loss of min_gain or more;
 *   - a broken guard rail, under every rule.
 */
#ifndef FW_LOOP_GATE_H
#define FW_LOOP_GATE_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/config/plan.h"
#include "stages/evaluate/compare.h"

enum fw_verdict { FW_VERDICT_IMPROVED, FW_VERDICT_UNDECIDED, FW_VERDICT_WORSE };

const char *fw_verdict_name(enum fw_verdict v); /* "improved", ... */

struct fw_gate_rules {
    enum fw_gate_rule rule;
    double confidence;
    double min_gain;
    int max_iterations;
    bool ablate; /* part of the level is kept for second looks */
};

struct fw_guard {
    const char *name;                /* as written in the plan */
    const char *metric;              /* "f1:pitted", "accuracy where shift == 'night'" */
    double before, after, allowance; /* before and after signed so that higher is better */
    bool required;                   /* of the audit: before and after are minus the shortfall */
};

struct fw_gate_result {
    enum fw_verdict verdict;
    double alpha; /* the level this look could spend; NaN for rules without one */
    char reason[400];
};

bool fw_guard_broken(const struct fw_guard *guard);
/* The level of one look. second: the look at what an ablation kept. */
double fw_gate_alpha(const struct fw_gate_rules *rules, bool second);
/* How many resamples a look needs, so that its p-value can be well below its level: at least 10 000. */
size_t fw_gate_resamples(const struct fw_gate_rules *rules);
void fw_gate_decide(const struct fw_gate_rules *rules, bool second, const struct fw_comparison *cmp,
                    const struct fw_guard *guards, size_t n_guards, struct fw_gate_result *out);

#endif
