/*
 * Is the model worse on a slice than on the rest? One-sided p-values; the rest is everything that was
 * judged and is not in the slice. Pure. NaN where there is nothing to test: an empty slice, or no rest.
 */
#ifndef FW_STAGES_WORSE_H
#define FW_STAGES_WORSE_H

#include <stddef.h>

/* Errors: Fisher's exact test (Fisher 1935): the chance that at least `errors` of all `errors_all` errors
 * fall into a random subset of n of the n_all rows, hypergeometric. */
double fw_worse_errors(size_t errors, size_t n, size_t errors_all, size_t n_all);

/* Losses, from counts, sums and sums of squares of the slice and of everything: Welch's t test (Welch
 * 1947) with Satterthwaite's degrees of freedom. NaN too when either side has fewer than two rows or
 * when neither side varies. */
double fw_worse_losses(size_t n, double sum, double square, size_t n_all, double sum_all,
                       double square_all);

#endif
