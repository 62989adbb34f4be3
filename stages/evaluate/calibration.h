/*
 * Does a model's confidence say how often it is right? The reliability table and the calibration errors
 * made of it. Pure. The confidence is the largest probability of a row (its class is the lowest index
 * that has it); right means that this class is the true one.
 *
 *   ECE = Σ_bins (weight of the bin / weight of all) · |mean confidence − share that is right|
 *   MCE = the largest of these distances
 *
 * Naeini, Cooper and Hauskrecht 2015 (AAAI); bins as in Guo et al. 2017 (ICML), section 2: m equal
 * widths ((b − 1)/m, b/m]. Equal-mass bins: Nguyen and O'Connor 2015 (EMNLP), section 3.
 */
#ifndef FW_STAGES_CALIBRATION_H
#define FW_STAGES_CALIBRATION_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/err.h"

enum { FW_ECE_BINS = 15, FW_CALIBRATION_MAX_BINS = 1000 };

struct fw_reliability_bin {
    double low,
        high; /* of the confidence: the bin's bounds; equal mass: the least and greatest in it */
    size_t n; /* samples */
    double weight;     /* their summed weight */
    double confidence; /* mean; NaN in an empty bin */
    double accuracy;   /* share that is right; NaN in an empty bin */
};

struct fw_calibration {
    size_t n;        /* samples that count: with a truth and a weight above 0 */
    double ece, mce; /* NaN when n is 0 */
};

/* table: `bins` entries, 1..FW_CALIBRATION_MAX_BINS. probs N × K, truth N (< 0 = left out), weight N or
 * NULL. With equal_mass the samples are cut at equal shares of the weight; equal confidences stay
 * together, so a bin may be larger than others, or empty. FW_EINVAL for probabilities outside
 * [0, 1 + 1e-6] and weights that are negative or not finite; FW_ENOMEM. */
int fw_reliability(const float *probs, const int *truth, const double *weight, size_t n, size_t k,
                   size_t bins, bool equal_mass, struct fw_reliability_bin *table,
                   struct fw_calibration *out, struct fw_err *err);

/* The largest probability of a row, and whether its class is `truth`. */
double fw_confidence_of(const float *probs, size_t k, int truth, bool *right);
/* The bin of a confidence among m equal widths. */
size_t fw_confidence_bin(double confidence, size_t m);

#endif
