#include "stages/drift/counts.h"

#include <math.h>
#include <stdlib.h>

#include "stages/evaluate/distributions.h"

static double total(const double *v, size_t k)
{
    double sum = 0;
    for (size_t i = 0; i < k; i++)
        sum += v[i];
    return sum;
}

double fw_psi(const double *a, const double *b, size_t k)
{
    double n = total(a, k), m = total(b, k), sum = 0, half = 0;
    if (!(n > 0) || !(m > 0))
        return NAN;
    for (size_t i = 0; i < k; i++)
        half += a[i] + b[i] > 0 ? 0.5 : 0;
    for (size_t i = 0; i < k; i++) {
        if (!(a[i] + b[i] > 0))
            continue;
        double p = (a[i] + 0.5) / (n + half), q = (b[i] + 0.5) / (m + half);
        sum += (q - p) * log(q / p);
    }
    return sum;
}

double fw_jensen_shannon(const double *a, const double *b, size_t k)
{
    double n = total(a, k), m = total(b, k), sum = 0;
    if (!(n > 0) || !(m > 0))
        return NAN;
    for (size_t i = 0; i < k; i++) {
        double p = a[i] / n, q = b[i] / m, mix = (p + q) / 2;
        sum += (p > 0 ? p * log2(p / mix) : 0) + (q > 0 ? q * log2(q / mix) : 0);
    }
    sum /= 2;
    return sum < 0 ? 0 : sum > 1 ? 1 : sum;
}

int fw_chi2_homogeneity(const double *a, const double *b, size_t k, struct fw_homogeneity *out,
                        struct fw_err *err)
{
    for (size_t i = 0; i < k; i++)
        if (!(a[i] >= 0) || !(b[i] >= 0) || isinf(a[i]) || isinf(b[i]))
            return fw_err_set(err, FW_EINVAL, "the count of cell %zu is not a number from 0 up",
                              i + 1);
    double n = total(a, k), m = total(b, k), chi2 = 0, cells = 0;
    if (!(n > 0) || !(m > 0))
        return fw_err_set(err, FW_EINVAL, "one of the two sides has no count");
    for (size_t i = 0; i < k; i++) {
        double both = a[i] + b[i];
        if (!(both > 0))
            continue;
        double ea = both * n / (n + m), eb = both * m / (n + m);
        chi2 += (a[i] - ea) * (a[i] - ea) / ea + (b[i] - eb) * (b[i] - eb) / eb;
        cells++;
    }
    *out = (struct fw_homogeneity){chi2, cells - 1, NAN};
    if (cells > 1)
        out->p = fw_chi2_tail(chi2, cells - 1);
    return FW_OK;
}

struct ranked {
    double total;
    size_t cell;
};

static int by_total(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->total != y->total)
        return x->total < y->total ? 1 : -1;
    return x->cell < y->cell ? -1 : 1;
}

int fw_pool_rare(const double *a, const double *b, size_t k, double least, size_t at_most,
                 size_t *cell, size_t *n_cells, bool *pool, struct fw_err *err)
{
    double n = total(a, k), m = total(b, k);
    double smaller = n + m > 0 ? (n < m ? n : m) / (n + m) : 0, rest = 0;
    struct ranked *order = malloc((k ? k : 1) * sizeof *order);
    if (!order)
        return fw_err_nomem(err);
    for (size_t i = 0; i < k; i++)
        order[i] = (struct ranked){a[i] + b[i], i};
    qsort(order, k, sizeof *order, by_total);
    size_t keep = 0;
    while (keep < k && order[keep].total * smaller >= least)
        keep++;
    if (at_most && keep > at_most - (keep < k || keep > at_most))
        keep = at_most - 1;
    for (size_t i = keep; i < k; i++)
        rest += order[i].total;
    while (keep > 0 && keep < k && rest * smaller < least)
        rest += order[--keep].total;
    for (size_t i = 0; i < k; i++)
        cell[order[i].cell] = i < keep ? i : keep;
    *pool = keep < k;
    *n_cells = keep + (keep < k);
    free(order);
    return FW_OK;
}
