/*
 * Wrong values of a regression, from out-of-sample predictions: those whose residual lies far from the
 * others', measured by statistics that the outliers themselves do not move.
 *
 * The modified z-score, |r − median(r)| / (1.4826 MAD), MAD = median(|r − median(r)|), beyond 3.5: Iglewicz,
 * Hoaglin 1993, "How to Detect and Handle Outliers", section 3. 1.4826 makes it the standard deviation of a
 * normal distribution. The median of an even number is the upper one of the two in the middle. Pure.
 */
#ifndef FW_STAGES_REGRESSION_SUSPECTS_H
#define FW_STAGES_REGRESSION_SUSPECTS_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/err.h"

struct fw_residuals {
    size_t n;      /* samples with a value */
    double median; /* of predicted − given */
    double scale;  /* 1.4826 MAD; 0 when half the residuals or more are the same */
    size_t issues;
};

/* given: N values, NaN = unlabelled: such samples count nowhere, are not flagged and score NaN.
 * cut: flagged beyond so many scales; 3.5 is usual. issue: N flags; score: N in (0, 1],
 * 1 / (1 + |r − median| / scale), low = suspicious. out may be NULL. Nothing is flagged and every score is 1
 * when the scale is 0: there is no spread to measure against. FW_EINVAL, naming the first row at fault (from
 * 0): an infinite value, or a prediction that is not finite; a cut that is not above 0. FW_ENOMEM. Outputs
 * are untouched on failure. */
int fw_regression_suspects(const double *given, const double *predicted, size_t n, double cut,
                           bool *issue, double *score, struct fw_residuals *out,
                           struct fw_err *err);

#endif
