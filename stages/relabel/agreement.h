/*
 * How well labellers agree beyond chance. Pure; the same result for any number of threads.
 *
 * Two kinds of counts carry everything:
 *   - the coincidence matrix o (K × K, Krippendorff 2011, step 2): o_ck is the number of pairs of
 *     answers (c, k) to one task, both orders, each task's pairs divided by its number of answers
 *     less one. Its row sums n_c count the answers of tasks with at least two, n is their total.
 *   - for Fleiss' kappa the mean over tasks of the share of agreeing pairs.
 * Tasks with one answer tell nothing about agreement and are left out; missing answers are no
 * problem. Weights of answers play no role. A value is NaN where it is undefined: nothing to
 * compare, or one class only (all agree, and chance would too).
 */
#ifndef FW_STAGES_AGREEMENT_H
#define FW_STAGES_AGREEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"
#include "stages/relabel/annotations.h"

enum { FW_AGREEMENT_PAIRS = 1000 }; /* so many pairs of classes, the first, have intervals */

enum fw_scale { FW_NOMINAL, FW_ORDINAL, FW_INTERVAL };

struct fw_interval {
    double value, low, high;
};

struct fw_class_agreement { /* one class against the rest */
    struct fw_interval alpha;
    double answers;  /* n_c */
    double disagree; /* n_c − o_cc: answers of this class that others contradict */
    size_t tasks;    /* tasks with at least two answers, one of them this class */
};

struct fw_pair_agreement { /* two classes, among the answers that are one of them */
    size_t a, b;           /* a < b */
    double disagree;       /* o_ab */
    double share;          /* of all disagreement */
    struct fw_interval alpha;
    double excess; /* disagreeing answers to remove until alpha is fw_agreement.target; ≤ 0: none */
    size_t tasks; /* tasks with both classes among their answers */
};

struct fw_agreement {
    enum fw_scale scale;
    size_t tasks;   /* with at least two answers */
    size_t answers; /* to these */
    double level, target;
    size_t resamples;
    struct fw_interval percent; /* mean over tasks of the share of agreeing pairs */
    struct fw_interval fleiss;  /* Fleiss 1971; tasks may differ in the number of answers */
    struct fw_interval alpha;   /* Krippendorff's, on `scale` */
    size_t n_classes;
    struct fw_class_agreement *classes; /* K, nominal */
    size_t n_pairs;
    struct fw_pair_agreement *pairs; /* those with a disagreement, largest excess first */
};

struct fw_agreement_options {
    enum fw_scale scale; /* interval needs class names that are numbers */
    double level;        /* of the intervals, e.g. 0.95 */
    double target; /* alpha below which a pair of classes is worth work; Krippendorff 2004, ch. 11,
                            asks for 0.8 */
    size_t resamples; /* of the bootstrap; 0: no intervals (they are NaN) */
    uint64_t seed;
};

/* Everything above. Intervals: percentile bootstrap over tasks (Efron and Tibshirani 1993, ch. 13).
 * Tasks with the same answers are drawn together, so a resample costs one binomial number for each
 * *kind* of task; with very many kinds there are fewer resamples (at least 200). FW_EINVAL:
 * interval scale without numbers; FW_ENOMEM. */
int fw_agreement(const struct fw_annotations *a, const struct fw_agreement_options *options,
                 struct fw_agreement *out, struct fw_err *err);
void fw_agreement_release(struct fw_agreement *g);

/* Krippendorff's alpha of a coincidence matrix (K × K, row-major). values: K numbers, for the
 * interval scale. Differences (Krippendorff 2011, section D): nominal 1 for unlike classes; ordinal
 * (Σ_{g=c..k} n_g − (n_c + n_k)/2)²; interval (v_c − v_k)². */
double fw_krippendorff_alpha(const double *o, size_t k, enum fw_scale scale, const double *values);
/* Adds each task's coincidences to o (K × K, zeroed by the caller). */
void fw_coincidences(const struct fw_annotations *a, double *o);

enum fw_kappa_weight { FW_KAPPA_PLAIN, FW_KAPPA_LINEAR, FW_KAPPA_QUADRATIC };

/* Cohen's weighted kappa (Cohen 1968) of two labelings of n items: disagreement |a − b| or (a − b)²
 * in class indices, or 1 for unlike ones. NaN when undefined. Indices below 0: no answer. */
double fw_weighted_kappa(const int *a, const int *b, size_t n, size_t k, enum fw_kappa_weight w);

struct fw_labeller_pair {
    uint32_t a, b;
    size_t tasks; /* both answered */
    double agree; /* share of these */
    double kappa; /* Cohen's, weighted as asked */
};

/* All pairs of labellers with at least min_tasks tasks in common, in order of (a, b). *out:
 * malloc'd. Time: the sum over tasks of (answers)²; memory: a row of K counts for each labeller and
 * thread. */
int fw_labeller_pairs(const struct fw_annotations *a, size_t min_tasks, enum fw_kappa_weight w,
                      struct fw_labeller_pair **out, size_t *n, struct fw_err *err);

#endif
