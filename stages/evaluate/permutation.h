/*
 * Permutation tests of two models on the same samples: if they do not differ, swapping their predictions
 * on any sample changes nothing in distribution (Fisher 1935; Good 2005, "Permutation, Parametric and
 * Bootstrap Tests of Hypotheses", ch. 3; for metrics that are no mean: Noreen 1989, approximate
 * randomisation). Only samples on which the two differ matter. Pure; reproducible from the seed; the same
 * result for any number of threads.
 *
 * When all 2^d swaps of the d differing samples are at most FW_PERMUTATION_ALL, or no more than
 * `resamples`, they are enumerated and the p-value is exact: c / 2^d. Else `resamples` are drawn and
 * p = (c + 1) / (B + 1) (Phipson and Smyth 2010).
 */
#ifndef FW_STAGES_PERMUTATION_H
#define FW_STAGES_PERMUTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/evaluate/compare.h"

enum { FW_PERMUTATION_ALL = 4096 };

struct fw_permutation {
    double gain;       /* observed, signed so that positive is better */
    double p;          /* two-sided: gains at least as large in size */
    double p_improved; /* one-sided: gains at least as large */
    double p_worse;    /* one-sided: gains at most as large */
    size_t differing;  /* samples whose swap could matter */
    size_t draws;      /* permutations that were looked at */
    bool exact;
};

/* The mean of n paired differences (after − before, positive is better), each of which keeps or turns its
 * sign. weight: n, or NULL for 1 each; the mean is Σ w d / Σ w. FW_EINVAL when n or resamples is 0, a
 * difference is not finite, or a weight is negative or not finite. */
int fw_permute_mean(const double *difference, const double *weight, size_t n, size_t resamples,
                    uint64_t seed, struct fw_permutation *out, struct fw_err *err);

/* Any metric. What is a mean over samples (accuracy, top-k, log loss, Brier, MAE) goes to
 * fw_permute_mean() with the mean over seeds of each sample. Else each side needs the same number of
 * seeds, and a swap exchanges the predictions of all seeds of a sample; F, precision, recall and MCC are
 * kept up to date with each swap, other metrics are computed anew for each draw. FW_EINVAL as
 * fw_compare(). */
int fw_permute(const struct fw_metric *m, const struct fw_truth *truth,
               const struct fw_scored *before, const struct fw_scored *after, size_t resamples,
               uint64_t seed, struct fw_permutation *out, struct fw_err *err);

#endif
