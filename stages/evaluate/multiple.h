/*
 * Many tests at once: adjusted p-values, so that the smallest of many is not taken for a finding. Pure.
 * A p-value that is NaN (a test that could not be made) is no test: it stays NaN and does not count.
 */
#ifndef FW_STAGES_MULTIPLE_H
#define FW_STAGES_MULTIPLE_H

#include <stddef.h>

#include "pipeline/base/err.h"

/* adjusted[i] ≤ q for exactly those i that the procedure rejects at level q. In place allowed.
 *   holm                controls the chance of any false finding (Holm 1979)
 *   benjamini_hochberg  controls the share of false findings among the findings, for tests that are
 *                       independent or positively dependent (Benjamini and Hochberg 1995)
 * FW_ENOMEM. */
int fw_holm(const double *p, size_t n, double *adjusted, struct fw_err *err);
int fw_benjamini_hochberg(const double *p, size_t n, double *adjusted, struct fw_err *err);

#endif
