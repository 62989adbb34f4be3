/*
 * Confident learning: which given labels are probably wrong, from out-of-sample probabilities.
 *
 * Northcutt, Jiang, Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels",
 * JAIR 70, arXiv:1911.00068 (section 3; scores: section 4 of the same and Kuan, Mueller 2022,
 * "Model-agnostic label quality scoring"). The details that the paper leaves open (ties, rounding)
 * follow the authors' reference implementation, so that the flagged sets are the same.
 *
 * Pure; on all cores, with the same result for any number of threads. Shapes: probs is N × K, row-major;
 * rows are scaled to sum 1 as they are read, and fw_cl_check() says whether they are probabilities at
 * all. labels are N class indices
 * in [0, K), the given labels; a negative label means unlabelled: such samples count nowhere and are
 * never flagged. Matrices are K × K, row-major, rows = given class, columns = estimated true class,
 * entries = counts of samples.
 *
 * Memory beside the input, for any number of threads: N flags, K × K counts (several times while N is large
 * beside K, at most an eighth of a float32 matrix), and for
 *   - prune_by_noise_rate: 10 bytes for each label that is estimated wrong
 *   - prune_by_class: 12 bytes a sample
 *   - both: the greater of the two
 *   - confident_learning: 4 bytes a sample
 *   - low_*: 12 bytes a sample
 */
#ifndef FW_STAGES_CONFIDENT_H
#define FW_STAGES_CONFIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

struct fw_probs { /* exactly one of f and d is set */
    size_t n, k;
    const float *f;
    const double *d;
};

enum fw_cl_filter {
    FW_CL_PRUNE_BY_NOISE_RATE, /* per (given i, true j): the n_ij largest margins p_j − p_i */
    FW_CL_PRUNE_BY_CLASS,      /* per given i: as many as its row is off the diagonal, least p_i */
    FW_CL_BOTH,                /* in both of the above */
    FW_CL_CONFIDENT_LEARNING,  /* those counted off the diagonal of the confident joint */
    FW_CL_PREDICTED_NEQ_GIVEN, /* the most probable class is another one */
    FW_CL_LOW_NORMALIZED_MARGIN, /* as many as CONFIDENT_LEARNING flags, lowest score first */
    FW_CL_LOW_SELF_CONFIDENCE,
    FW_CL_FILTERS
};

enum fw_cl_score {                                    /* each in [0, 1], low = suspicious */
                   FW_CL_SELF_CONFIDENCE,             /* p(given) */
                   FW_CL_NORMALIZED_MARGIN,           /* (p(given) − max p(other) + 1) / 2 */
                   FW_CL_CONFIDENCE_WEIGHTED_ENTROPY, /* ln(1 + H / p(given)) / (H / p(given)), H of
                                                         base K */
                   FW_CL_SCORES
};

const char *fw_cl_filter_name(enum fw_cl_filter f);               /* "prune_by_noise_rate" */
int fw_cl_filter_parse(const char *name, enum fw_cl_filter *out); /* FW_ENOTFOUND */
const char *fw_cl_score_name(enum fw_cl_score s);                 /* "self_confidence" */
int fw_cl_score_parse(const char *name, enum fw_cl_score *out);

/* FW_EINVAL, naming the first row and column at fault (from 0): a probability that is NaN or not in
 * [0, 1] (± 1e-6), a row whose sum is off 1 by more than 1e-3, a label of no class; or K = 0, or more
 * than 2^32 − 1 samples. */
int fw_cl_check(const struct fw_probs *p, const int *labels, struct fw_err *err);

/* thresholds: K; the mean p(k) over samples given k (eq. 2). Infinity for a class without samples.
 */
int fw_cl_thresholds(const struct fw_probs *p, const int *labels, double *thresholds,
                     struct fw_err *err);

/* The confident joint (eq. 1): how many samples given i confidently belong to j. joint: K × K. With
 * `calibrate` rows are scaled to the class counts and rounded so that row sums are kept (eq. 3,
 * times N). Diagonal entries are at least 1 before calibration. */
int fw_cl_joint(const struct fw_probs *p, const int *labels, const double *thresholds,
                bool calibrate, uint64_t *joint, struct fw_err *err);

/* The estimated share of wrong labels: 1 − trace / sum of a calibrated joint. 0 when empty. */
double fw_cl_noise_rate(const uint64_t *joint, size_t k);

/* issue: N flags. min_per_class (reference: 1): a class keeps at least as many samples; a class
 * with no more than that is not pruned. n_issues may be NULL. FW_ENOMEM. */
int fw_cl_issues(const struct fw_probs *p, const int *labels, enum fw_cl_filter filter,
                 size_t min_per_class, bool *issue, size_t *n_issues, struct fw_err *err);

/* Which class each sample confidently belongs to: the one whose probability reaches its threshold, the
 * most probable one when several do; -1 when none does, or the sample is unlabelled. found: N. */
int fw_cl_confident(const struct fw_probs *p, const int *labels, const double *thresholds,
                    int *found, struct fw_err *err);

/* out: N scores; NaN for unlabelled samples. */
int fw_cl_scores(const struct fw_probs *p, const int *labels, enum fw_cl_score score, double *out,
                 struct fw_err *err);

/* The most probable class of sample i; ties to the lower index. */
int fw_cl_predicted(const struct fw_probs *p, size_t i);

/* What row i sums to before it is scaled; 1 for a row of zeros. */
double fw_cl_row_sum(const struct fw_probs *p, size_t i);

#endif
