#include "stages/quality/robust.h"

#include <math.h>
#include <stdlib.h>

#include "stages/evaluate/quantile.h"

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, fw_by_number);
    return fw_quantile(v, n, 0.5);
}

int fw_robust_of(const double *v, size_t n, struct fw_robust *out, struct fw_err *err)
{
    struct fw_robust r = {.median = NAN, .spread = NAN};
    double *copy = calloc(n ? n : 1, sizeof *copy);
    if (!copy)
        return fw_err_nomem(err);
    for (size_t i = 0; i < n; i++)
        if (isfinite(v[i]))
            copy[r.n++] = v[i];
    if (r.n) {
        r.median = median(copy, r.n);
        for (size_t i = 0; i < r.n; i++)
            copy[i] = fabs(copy[i] - r.median);
        r.spread = 1.4826 * median(copy, r.n);
    }
    free(copy);
    *out = r;
    return FW_OK;
}
