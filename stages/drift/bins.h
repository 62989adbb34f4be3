/*
 * Bins of a number, taken from the reference, for indices that compare shares. Pure; any thread.
 *
 * When the reference holds at most FW_BINS_DISCRETE different values, each is a bin and everything
 * else is a last one. Otherwise the edges are quantiles of the reference (the smallest value with at
 * least that share at or below it: type 1 of Hyndman and Fan 1996), equal ones taken once, and
 * written with the fewest digits that no value of the reference minds; bin i holds
 * edge[i − 1] < x ≤ edge[i], the first and the last are open.
 */
#ifndef FW_DRIFT_BINS_H
#define FW_DRIFT_BINS_H

#include <stdbool.h>
#include <stddef.h>

enum { FW_BINS_DISCRETE = 12, FW_BINS_MAX = 64 };

struct fw_bins {
    bool discrete;
    size_t n;                 /* bins */
    double edge[FW_BINS_MAX]; /* discrete: the n − 1 values, ascending; else the n − 1 edges */
};

/* v: the reference, sorted, n > 0; wanted 2..FW_BINS_MAX bins (others are brought into the range). */
void fw_bins_make(const double *v, size_t n, size_t wanted, struct fw_bins *out);
/* counts has bins->n entries; v sorted. */
void fw_bins_count(const struct fw_bins *bins, const double *v, size_t n, double *counts);

#endif
