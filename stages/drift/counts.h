/*
 * Two rows of counts over the same K cells (categories, or bins of a number): how far apart are the
 * shares, and could it be chance? Pure; any thread. Counts are ≥ 0 and finite.
 */
#ifndef FW_DRIFT_COUNTS_H
#define FW_DRIFT_COUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/err.h"

/* Population stability index, Σ (q_i − p_i) ln(q_i / p_i): the symmetric Kullback–Leibler divergence
 * (Jeffreys 1946) under the name that credit scoring gave it (Siddiqi 2006). Shares are smoothed by
 * half a count a cell, p_i = (a_i + ½) / (n + K/2), so that an empty cell is no infinity;
 * K counts the cells that are not empty on both sides. Without
 * drift its expectation is about (K − 1)(1/n + 1/m), and PSI / (1/n + 1/m) is about chi-squared with
 * K − 1 degrees of freedom (Yurdakul 2018). NaN when a side has no count or K = 0. */
double fw_psi(const double *a, const double *b, size_t k);

/* Jensen–Shannon divergence in bits, 0..1 (Lin 1991): the mean divergence of the two from their
 * mixture in equal parts. Not smoothed. NaN when a side has no count. For small changes PSI is about
 * 8 ln 2 × JS. */
double fw_jensen_shannon(const double *a, const double *b, size_t k);

struct fw_homogeneity {
    double chi2, df, p; /* p is NaN and df 0 when only one cell is left */
};

/* Pearson's chi-squared test that both rows have the same shares (no continuity correction). Empty
 * cells do not count. FW_EINVAL: a count is negative or not finite, or a side is empty. */
int fw_chi2_homogeneity(const double *a, const double *b, size_t k, struct fw_homogeneity *out,
                        struct fw_err *err);

/* Pools rare cells, so that the chi-squared approximation holds (expected counts of at least 5:
 * Cochran 1954): cells whose expected count on the smaller side is below `least`, and `at_most` − 1
 * cells with the greatest totals are kept as they are (0: no bound). cell[i] < *n_cells is where cell
 * i went; the pool, if there is one, is the last (*pool says whether) and takes the next smallest
 * cell in while it is below `least` itself. cell has K entries. FW_ENOMEM. */
int fw_pool_rare(const double *a, const double *b, size_t k, double least, size_t at_most,
                 size_t *cell, size_t *n_cells, bool *pool, struct fw_err *err);

#endif
