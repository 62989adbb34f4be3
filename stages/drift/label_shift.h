/*
 * Label shift: the shares of the classes changed, what each class looks like did not. Black-box shift
 * estimation (Lipton, Wang and Smola 2018, arXiv:1802.03916, section 4): with C[i][j] = P(predicted i,
 * true j) on labelled samples and μ_i = P(predicted i) in production, the class weights
 * w_j = P'(j) / P(j) solve C w = μ, and the shares in production are w_j P(j).
 *
 * A C that is nearly singular (a model that confuses classes, or a class without samples) makes that
 * noise. Then the weights are regularised towards no shift (RLLS: Azizzadenesheli, Liu, Yang and
 * Anandkumar 2019, arXiv:1903.09734, eq. 5): w = 1 + θ, θ = argmin ‖C θ − (μ − C 1)‖ + Δ ‖θ‖, with
 * the root of the summed sampling variances of C's entries as Δ, in place of the paper's bound on
 * ‖Ĉ − C‖, which shrinks more.
 *
 * Pure; reproducible from the seed, the same for any number of threads.
 */
#ifndef FW_DRIFT_LABEL_SHIFT_H
#define FW_DRIFT_LABEL_SHIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

struct fw_label_shift_options {
    size_t resamples;     /* for the intervals; 0 = none */
    double level;         /* of the intervals, two-sided, e.g. 0.95 */
    double max_condition; /* regularised when C's condition number is greater; e.g. 100 */
    uint64_t seed;
};

struct fw_label_shift {
    size_t k;
    double n, m; /* labelled samples, samples of production */
    bool regularised;
    double condition;        /* σ_max / σ_min of C; INFINITY when singular */
    double psi, chi2, df, p; /* of the predicted labels, labelled samples against production:
                                  the test of Rabanser, Günnemann and Lipton 2019 (BBSDh) */
    double *weight;          /* K, ≥ 0 (negative solutions are set to 0) */
    double *before, *after;  /* K: class shares, labelled and estimated for production */
    double *low, *high;      /* K: percentile bootstrap of after (both sides resampled); NULL
                                  without resamples */
};

/* confusion: K × K counts, [truth × predicted]; predicted: K counts in production. Both ≥ 0. A class
 * without labelled samples has weight 1 and an estimated share of 0. FW_EINVAL: K < 2, a count that is
 * negative or not finite, a side without samples; FW_ENOMEM. Release out with the function below. */
int fw_label_shift(const double *confusion, const double *predicted, size_t k,
                   const struct fw_label_shift_options *options, struct fw_label_shift *out,
                   struct fw_err *err);
void fw_label_shift_release(struct fw_label_shift *s);

/* A square system by Gaussian elimination with partial pivoting: a (k × k) becomes its factors, pivot
 * has k entries. false: singular. fw_lu_solve overwrites x, the right side, by the solution of
 * A x = b, or with `transposed` of Aᵀ x = b. */
bool fw_lu_factor(double *a, size_t k, size_t *pivot);
void fw_lu_solve(const double *lu, size_t k, const size_t *pivot, bool transposed, double *x);

#endif
