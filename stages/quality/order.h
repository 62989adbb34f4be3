/*
 * Does the order of the rows tell something? In a file of independent samples it does not; in one
 * that was sorted, or collected while the world changed, splitting by position misleads. Pure;
 * reproducible from the seed, the same for any number of threads.
 */
#ifndef FW_QUALITY_ORDER_H
#define FW_QUALITY_ORDER_H

#include "stages/quality/neighbours.h"

struct fw_order {
    size_t n;         /* rows that counted */
    double statistic; /* see each function */
    double expected;  /* of the statistic when the order tells nothing; NaN when not known */
    double p;         /* by permutation; small = the order tells something */
};

/*
 * By neighbours in the features (Cummings, Snorrason and Mueller 2023, "Detecting Dataset Drift and
 * Non-IID Sampling via k-Nearest Neighbors", arXiv:2305.15696). The statistic is the
 * largest gap between the distribution of |i − j| over all pairs of a row i and a neighbour j, and
 * that over all pairs of rows, P(|i − j| ≤ g) = (g (2N − g − 1)) / (N (N − 1)). p compares it with
 * the same after `permutations` random orders of the rows, p = (1 + those at least as large) / (1 +
 * permutations) (Davison and Hinkley 1997, chapter 4).
 *
 * Neighbours at distance 0 are copies, not neighbours in time: use data without duplicates, or know
 * that a file with copies side by side is told as ordered. N < 3 or k = 0 gives statistic 0 and p
 * = 1. FW_EINVAL: permutations = 0. FW_ENOMEM.
 */
int fw_order_by_neighbours(const struct fw_neighbours *nb, size_t permutations, uint64_t seed,
                           struct fw_order *out, struct fw_err *err);

/*
 * By the labels alone: the number of runs of equal labels, for any number of classes (Wald and
 * Wolfowitz 1940 for two; Barton and David 1957, "Multiple runs", Biometrika 44, for more).
 * expected = (N (N + 1) − Σ n_c²) / N. Few runs: sorted or in blocks; many: alternating. p is
 * two-sided, by permutation as above, of |runs − expected|. Unlabelled rows (negative) are left
 * out. One class, or fewer than 2 labelled rows: p = 1.
 */
int fw_order_by_labels(const int *labels, size_t n, size_t permutations, uint64_t seed,
                       struct fw_order *out, struct fw_err *err);

#endif
