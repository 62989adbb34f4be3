/*
 * Is the candidate better than the champion, worse, or is it luck? Both predict the same N samples,
 * each with S seeds. Pure, reproducible from the seed; the same result for any number of threads.
 */
#ifndef FW_STAGES_COMPARE_H
#define FW_STAGES_COMPARE_H

#include <stddef.h>
#include <stdint.h>

#include "stages/evaluate/metrics.h"

struct fw_scored { /* one model's predictions on the N samples, aligned with `truth` */
    size_t seeds;
    const int *const *pred;     /* S arrays of N; NULL for regression */
    const float *const *probs;  /* S arrays of N × K, or NULL */
    const double *const *value; /* S arrays of N for regression, or NULL */
};

struct fw_truth {
    size_t n, k;
    const int *klass;     /* N; classification */
    const double *value;  /* N; regression */
    const double *weight; /* N, finite, not negative; NULL = 1 each */
};

struct fw_comparison {
    double before, after; /* mean over seeds */
    double gain;          /* after − before, signed so that positive is better for the metric */
    double low, high;     /* interval of the gain at `level` (two-sided, percentile bootstrap) */
    double sd;            /* standard deviation of the resampled gain */
    double p_improved;    /* one-sided: share of resamples with gain ≤ 0, (c + 1) / (B + 1);
                             accuracy: at least the sign test's p, see fw_compare() */
    double p_worse;       /* one-sided: share of resamples with gain ≥ 0; likewise */
    double mcnemar_p;     /* fw_mcnemar(), two-sided, on majority vote over seeds, whatever the
                             weights; NaN for regression */
    size_t discordant;    /* samples of that test: below FW_MCNEMAR_EXACT it was exact */
};

enum { FW_MCNEMAR_EXACT = 25 };

/* Paired bootstrap (Efron and Tibshirani 1993, ch. 16), resampling samples, stratified by true
 * class; seeds may differ in number between the two. level e.g. 0.95. FW_EINVAL when there is
 * nothing to compare, the predictions lack what the metric needs, or the metric is not defined on
 * these samples (ROC AUC of one class only); FW_ENOMEM.
 *
 * When few predictions differ, the bootstrap is too sure of itself: with 5 samples right after that
 * were wrong before, and none the other way, it finds no gain in e^-5 = 0.7 % of the resamples,
 * where luck alone does it in 1/32 = 3.1 %. For accuracy there is an exact answer, so there
 * p_improved and p_worse are never below the one-sided exact conditional test on the samples whose
 * majority vote over seeds went from wrong to right or back (McNemar 1947; given how many changed,
 * the number that got better is Bin(n, 1/2) when nothing changed in truth). Other metrics, and accuracy
 * with weights, do not count each change alike and are left to the bootstrap. */
int fw_compare(const struct fw_metric *m, const struct fw_truth *truth,
               const struct fw_scored *before, const struct fw_scored *after, size_t resamples,
               double level, uint64_t seed, struct fw_comparison *out, struct fw_err *err);

/* Interval of one model's metric by the same bootstrap. All three are NaN when the metric is not defined
 * on these samples. */
int fw_score_interval(const struct fw_metric *m, const struct fw_truth *truth,
                      const struct fw_scored *model, size_t resamples, double level, uint64_t seed,
                      double *value, double *low, double *high, struct fw_err *err);

/* Exact two-sided McNemar p-value from the discordant counts (binomial, p = 1/2). */
double fw_mcnemar_exact(size_t b, size_t c);
/* McNemar's test (McNemar 1947) of the discordant counts, two-sided: exact below FW_MCNEMAR_EXACT of them,
 * else chi-squared with one degree of freedom and the continuity correction of Edwards 1948. */
struct fw_mcnemar {
    double p, statistic; /* statistic: (|b − c| − 1)² / (b + c), or min(b, c) when exact */
    bool exact;
};
struct fw_mcnemar fw_mcnemar(size_t b, size_t c);
/* One-sided exact sign test: P(Bin(wins + losses, 1/2) ≥ wins). 1 when there are none. */
double fw_sign_test(size_t wins, size_t losses);
/* Wilson score interval for k of n at two-sided level (Wilson 1927). */
void fw_wilson(double k, double n, double level, double *low, double *high);
/* The standard normal quantile (Wichura 1988, algorithm AS 241): about 16 digits. */
double fw_normal_quantile(double p);
/* Cohen's kappa (Cohen 1960) of two labelings of n items over k classes; NaN when undefined. Items
 * that one of the two left out (index < 0) are not counted. */
double fw_cohen_kappa(const int *a, const int *b, size_t n, size_t k);

#endif
