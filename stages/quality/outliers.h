/*
 * Samples unlike the others. Pure. Scores are in (0, 1], low = unlike.
 */
#ifndef FW_QUALITY_OUTLIERS_H
#define FW_QUALITY_OUTLIERS_H

#include <stdbool.h>

#include "stages/error_analysis/confident.h"
#include "stages/quality/neighbours.h"

enum { FW_OUTLIER_K = 10 }; /* neighbours, as in the source below */

struct fw_outliers {
    size_t n, n_outliers;
    double *score;  /* n */
    bool *outlier;  /* n */
    double typical; /* what the scores are in units of: see below; 0 when there is none */
};

/*
 * By distance: a_i is the mean distance of sample i to its neighbours (Kuan and Mueller 2022, "Back
 * to the Basics: Revisiting Out-of-Distribution Detection Baselines"), and its score is
 * exp(−a_i / typical), typical being e to the median of ln a_i over those not 0: e^-1 = 0.37 for a
 * sample like the others, 1 for one among copies of itself.
 *
 * Flagged: ln a_i above the median of ln a by more than `cut` spreads (1.4826 × median absolute
 * deviation; the modified z-score of Iglewicz and Hoaglin 1993, on the logarithm because distances
 * are skewed; they advise 3.5), of the a that are not 0. When more than half of these are equal and
 * so the spread is 0: a_i above twice the median.
 *
 * With no neighbours (N < 2), or all distances 0 (constant features), every score is 1 and nothing
 * is flagged. N ≤ k: the N − 1 neighbours there are count. FW_EINVAL: cut not above 0, a distance
 * that is NaN or negative. FW_ENOMEM.
 */
int fw_outliers_by_distance(const struct fw_neighbours *nb, double cut, struct fw_outliers *out,
                            struct fw_err *err);

/*
 * By probabilities, where there are no features: score = 1 − H / ln K of the adjusted probabilities
 * (the entropy baseline of the same paper). With labels (n class indices, negative = none) each row
 * is adjusted by the classes' mean self-confidence, q_k ∝ p_k − t_k + max t, so that a class the
 * model is seldom sure of does not make its samples look odd (Northcutt and others 2021, JAIR 70,
 * thresholds of eq. 2); a class without samples gets the mean of the other thresholds. labels may
 * be NULL.
 *
 * Flagged: score below `share` of the median score (0.18 is a usable share). typical is that
 * median. Scores are at least 1e-12. FW_EINVAL: K < 2, a probability that is NaN or negative, a row
 * that sums to 0, a label outside the classes, share outside 0..1.
 */
int fw_outliers_by_probability(const struct fw_probs *p, const int *labels, double share,
                               struct fw_outliers *out, struct fw_err *err);
void fw_outliers_release(struct fw_outliers *o);

#endif
