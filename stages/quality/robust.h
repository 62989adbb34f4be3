/* Median and spread that a minority of odd values cannot move. Pure. */
#ifndef FW_QUALITY_ROBUST_H
#define FW_QUALITY_ROBUST_H

#include <stddef.h>

#include "pipeline/base/err.h"

struct fw_robust {
    size_t n; /* finite values that counted */
    double median;
    double spread; /* 1.4826 × median |v − median|: the standard deviation, if v were normal */
};

/* Of the finite values among v. The median of an even number is the mean of the middle two. With no
 * finite value both are NaN. FW_ENOMEM. */
int fw_robust_of(const double *v, size_t n, struct fw_robust *out, struct fw_err *err);

#endif
