/*
 * Do two samples of numbers come from one distribution, and how far apart are they? Pure; any
 * thread. Samples are sorted, ascending and finite: fw_sort_numbers() sees to it.
 */
#ifndef FW_DRIFT_TWO_SAMPLE_H
#define FW_DRIFT_TWO_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/err.h"

/* Sorts n numbers, ascending; −0 becomes 0. Radix sort on the bits, O(n). FW_EINVAL: one is NaN or
 * infinite (v is then as it was); FW_ENOMEM: 16 n bytes of scratch. */
int fw_sort_numbers(double *v, size_t n, struct fw_err *err);

struct fw_ks {
    double d; /* sup |F_a − F_b| */
    double p; /* two-sided */
    bool exact;
};

enum { FW_KS_EXACT = 250000 }; /* n × m up to which p is exact */

/* Two-sample Kolmogorov–Smirnov. Up to n × m = FW_KS_EXACT, p is the share of all ways to deal the
 * n + m pooled values into n and m that give at least this D: lattice paths (Hodges 1958), looked at
 * only where a run of equal values ends, so that it holds with ties too (Schröer and Trenkler 1995);
 * O(n × m) time, O(m) memory. Above it, Kolmogorov's limit with Stephens' correction (1970),
 * (√e + 0.12 + 0.11/√e) D, e = n m / (n + m), which with ties is too large rather than too small.
 * FW_EINVAL when one is empty; FW_ENOMEM. */
int fw_ks_two_sample(const double *a, size_t n, const double *b, size_t m, struct fw_ks *out,
                     struct fw_err *err);

/* Wasserstein-1 distance ∫ |F_a − F_b| dx, in the unit of the values (Vallender 1974). NaN when one
 * is empty. */
double fw_wasserstein1(const double *a, size_t n, const double *b, size_t m);

#endif
