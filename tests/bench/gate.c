/*
 * The gate's calibration by simulation: runs of useless, harmful and good patches on 2 000 dev samples.
 *
 *     bench_gate [RUNS] [RESAMPLES]      (default: 200 2000)
 *
 * A model is right on nine samples in ten. Each patch makes some right answers wrong and some wrong ones
 * right, four samples in a hundred in all, so that the expected gain is the one of the scenario; every look
 * is fw_compare() and fw_gate_decide() as in a run, and the loop's own rules say what becomes of the patch.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/rng.h"
#include "pipeline/loop/gate.h"

enum { N = 2000, ITERATIONS = 12 };
static const double accuracy = 0.9, churn = 0.04;

struct tally {
    int runs_published, looks, worse;
};

static size_t resamples = 2000;

static double right(const int *pred)
{
    int n = 0;
    for (int i = 0; i < N; i++)
        n += pred[i] == 0; /* the truth is class 0 throughout: only right or wrong matters */
    return (double)n / N;
}

/* Retrained on patched data: wrong → right with `up`, right → wrong with `down`. `skill` is the accuracy of
 * the model before on all samples there could be, not on these: a lucky model is likely to lose its luck. */
static void patch(struct fw_rng *rng, const int *from, int *to, double skill, double gain)
{
    double up = (churn + gain) / 2 / (1 - skill), down = (churn - gain) / 2 / skill;
    for (int i = 0; i < N; i++)
        to[i] = from[i] ? (fw_rng_double(rng) < up ? 0 : 1) : (fw_rng_double(rng) < down ? 1 : 0);
}

static int compare(const int *before, const int *after, uint64_t seed, struct fw_comparison *out)
{
    static const int zeros[N];
    struct fw_metric m = {.id = FW_ACCURACY, .klass = -1};
    struct fw_truth truth = {.n = N, .k = 2, .klass = zeros};
    const int *b[] = {before}, *a[] = {after};
    struct fw_scored x = {.seeds = 1, .pred = b}, y = {.seeds = 1, .pred = a};
    return fw_compare(&m, &truth, &x, &y, resamples, 0.95, seed, out, NULL);
}

static int one_run(const struct fw_gate_rules *rules, double gain, uint64_t seed, struct tally *t)
{
    static int champion[N], head[N], candidate[N];
    struct fw_rng rng;
    fw_rng_seed(&rng, seed);
    for (int i = 0; i < N; i++)
        champion[i] = fw_rng_double(&rng) >= accuracy;
    memcpy(head, champion, sizeof head);
    double champion_skill = accuracy, head_skill = accuracy;
    bool published = false;
    for (int k = 0; k < ITERATIONS; k++) {
        struct fw_comparison cmp;
        struct fw_gate_result r;
        patch(&rng, head, candidate, head_skill, gain);
        if (compare(champion, candidate, seed * 1000 + (uint64_t)k, &cmp) != FW_OK)
            return -1;
        fw_gate_decide(rules, false, &cmp, NULL, 0, &r);
        t->looks++;
        t->worse += r.verdict == FW_VERDICT_WORSE;
        if (r.verdict == FW_VERDICT_IMPROVED) {
            published = true;
            memcpy(champion, candidate, sizeof champion);
            champion_skill = head_skill + gain;
        }
        if (r.verdict != FW_VERDICT_WORSE) {
            memcpy(head, candidate, sizeof head);
            head_skill += gain;
        } else if (right(head) < right(champion)) {
            memcpy(head, champion, sizeof head);
            head_skill = champion_skill;
        }
    }
    t->runs_published += published;
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        double gain;
    } scenarios[] = {{"useless", 0}, {"harmful, -2 points", -0.02}, {"good, +0.4 points", 0.004}};
    static const struct {
        const char *name;
        enum fw_gate_rule rule;
    } rules[] = {{"spend", FW_RULE_SPEND}, {"ladder", FW_RULE_LADDER}};
    int runs = argc > 1 ? atoi(argv[1]) : 200;
    if (argc > 2)
        resamples = (size_t)atoi(argv[2]);
    printf("%d runs of %d iterations, %d dev samples, %zu resamples, confidence 0.95\n\n", runs,
           ITERATIONS, N, resamples);
    printf("%-8s %-20s %22s %22s\n", "rule", "patches", "runs that published",
           "patches rolled back");
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        for (size_t s = 0; s < sizeof scenarios / sizeof *scenarios; s++) {
            struct fw_gate_rules g = {.rule = rules[r].rule,
                                      .confidence = 0.95,
                                      .max_iterations = ITERATIONS,
                                      .ablate = true};
            struct tally t = {0};
            for (int i = 0; i < runs; i++)
                if (one_run(&g, scenarios[s].gain, (uint64_t)i + 1, &t) != 0)
                    return 1;
            printf("%-8s %-20s %20.1f %% %20.1f %%\n", rules[r].name, scenarios[s].name,
                   100.0 * t.runs_published / runs, 100.0 * t.worse / t.looks);
        }
    }
    puts("\ntargets for spend: useless published in at most 5 % of the runs, harmful rolled back "
         "in at\n"
         "least 80 % of the looks, good ones published in at least 80 % of the runs");
    return 0;
}
