#include "stages/error_analysis/regression_suspects.h"
#include "stages/evaluate/quantile.h"

#include <math.h>
#include <stdlib.h>

static int check(const double *given, const double *predicted, size_t n, double cut,
                 struct fw_err *err)
{
    if (!(cut > 0))
        return fw_err_set(err, FW_EINVAL, "the cut is %g, not above 0", cut);
    for (size_t i = 0; i < n; i++) {
        if (isinf(given[i]))
            return fw_err_set(err, FW_EINVAL, "row %zu: the value %g is infinite", i, given[i]);
        if (!isnan(given[i]) && !isfinite(predicted[i]))
            return fw_err_set(err, FW_EINVAL, "row %zu: the prediction %g is no number", i,
                              predicted[i]);
    }
    return FW_OK;
}

int fw_regression_suspects(const double *given, const double *predicted, size_t n, double cut,
                           bool *issue, double *score, struct fw_residuals *out, struct fw_err *err)
{
    struct fw_residuals all = {0};
    int rc = check(given, predicted, n, cut, err);
    if (rc != FW_OK)
        return rc;
    double *sorted = reallocarray(NULL, n + 1, sizeof *sorted);
    if (!sorted)
        return fw_err_nomem(err);
    for (size_t i = 0; i < n; i++)
        if (!isnan(given[i]))
            sorted[all.n++] = predicted[i] - given[i];
    qsort(sorted, all.n, sizeof *sorted, fw_by_number);
    all.median = all.n ? sorted[all.n / 2] : 0;
    for (size_t i = 0; i < all.n; i++)
        sorted[i] = fabs(sorted[i] - all.median);
    qsort(sorted, all.n, sizeof *sorted, fw_by_number);
    all.scale = all.n ? 1.4826 * sorted[all.n / 2] : 0;
    for (size_t i = 0; i < n; i++) {
        double off = fabs(predicted[i] - given[i] - all.median);
        issue[i] = all.scale > 0 && off > cut * all.scale; /* false for NaN */
        score[i] = isnan(given[i]) ? NAN : all.scale > 0 ? 1 / (1 + off / all.scale) : 1;
        all.issues += issue[i];
    }
    free(sorted);
    if (out)
        *out = all;
    return FW_OK;
}
