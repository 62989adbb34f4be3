/*
 * Drift of vectors (embeddings): the kernel two-sample test, and a classifier that is asked to tell
 * the two sides apart. N × D and M × D float32, row-major, finite. Pure; reproducible from the seed,
 * the same for any number of threads.
 */
#ifndef FW_DRIFT_EMBEDDINGS_H
#define FW_DRIFT_EMBEDDINGS_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

struct fw_vectors {
    const float *v;
    size_t n, d;
};

/* Draws at most `most` rows without replacement, in their order, as rows[0..return value); rows has
 * `most` entries. All of them when there are no more. */
size_t fw_subsample(size_t n, size_t most, uint64_t seed, size_t *rows);

struct fw_mmd {
    double mmd2;      /* unbiased; may be below 0 */
    double bandwidth; /* σ of k(x, y) = exp(−‖x − y‖² / (2 σ²)) */
    double p;         /* (1 + permutations with at least this MMD²) / (1 + permutations) */
    size_t n, m;      /* rows used */
};

enum { FW_MMD_ROWS = 1000, FW_MMD_PERMUTATIONS = 999 };

/*
 * Unbiased squared maximum mean discrepancy with the Gaussian kernel (Gretton et al. 2012, JMLR 13,
 * lemma 6, eq. 3), σ the median distance between the pooled rows (their section 8), p by permuting
 * which side a row is on. At most `rows` rows of a side are used, drawn by the seed. Memory: (n + m)²
 * floats. FW_EINVAL: fewer than 2 rows on a side, widths differ, D = 0, a value that is not finite,
 * all rows equal; FW_ENOMEM.
 */
int fw_mmd(const struct fw_vectors *a, const struct fw_vectors *b, size_t rows, size_t permutations,
           uint64_t seed, struct fw_mmd *out, struct fw_err *err);

struct fw_domain {
    double auc;       /* on held-out rows; 0.5 = cannot be told apart */
    double low, high; /* interval of the AUC at `level` (DeLong, DeLong and Clarke-Pearson 1988) */
    double p;         /* one-sided: AUC > 0.5, Mann–Whitney with ties, normal limit */
    size_t n, m;      /* held-out rows */
};

enum { FW_DOMAIN_ROWS = 4000 };

/*
 * Classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv:1610.06545): a logistic regression learns
 * on a random half of both sides to tell production from reference, and is judged on the other half,
 * by the area under the ROC curve instead of accuracy, so that the sides may differ in size. Columns
 * are standardised and cut into 8 equally filled intervals, so that a change of spread shows too. At
 * most `rows` rows of a side are used. Not thread-safe (liblinear). FW_EINVAL as above, or fewer than
 * 8 rows on a side.
 */
int fw_domain_classifier(const struct fw_vectors *a, const struct fw_vectors *b, size_t rows,
                         double level, uint64_t seed, struct fw_domain *out, struct fw_err *err);

/* AUC of n scores (higher = more likely to be positive) against m, ties counted half: the Mann–Whitney
 * statistic / (n m). variance: DeLong's; p: one-sided. Scores are sorted in place. FW_EINVAL: a score
 * that is not finite, an empty side. */
int fw_auc(double *positive, size_t n, double *negative, size_t m, double *auc, double *variance,
           double *p, struct fw_err *err);

#endif
