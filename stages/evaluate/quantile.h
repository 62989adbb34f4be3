/* Numbers in order, and their quantiles. Pure. */
#ifndef FW_STAGES_QUANTILE_H
#define FW_STAGES_QUANTILE_H

#include <stddef.h>

/* For qsort() of doubles, ascending. NaN has no place in an order: leave it out before. */
int fw_by_number(const void *a, const void *b);
/* The q-quantile of n > 0 sorted numbers, interpolated linearly (Hyndman and Fan 1996, type 7). */
double fw_quantile(const double *sorted, size_t n, double q);

#endif
