#include <math.h>
#include <stdlib.h>

#include "stages/drift/embeddings.h"
#include "stages/drift/two_sample.h"
#include "stages/evaluate/distributions.h"

/* Mean and variance of the placement values of v among `among`: the share below, ties half. */
static void placements(const double *v, size_t n, const double *among, size_t m, double *mean,
                       double *variance)
{
    double sum = 0, squares = 0;
    for (size_t i = 0, below = 0, upto = 0; i < n; i++) {
        while (below < m && among[below] < v[i])
            below++;
        while (upto < m && among[upto] <= v[i])
            upto++;
        double place = ((double)below + (double)upto) / (2 * (double)m);
        sum += place;
        squares += place * place;
    }
    *mean = sum / (double)n;
    *variance = n > 1 ? fmax(0, (squares - sum * *mean) / (double)(n - 1)) : 0;
}

/* Σ (t³ − t) over the runs of equal values of both. */
static double tie_sum(const double *a, size_t n, const double *b, size_t m)
{
    double sum = 0;
    for (size_t i = 0, j = 0; i < n || j < m;) {
        double x = j == m || (i < n && a[i] <= b[j]) ? a[i] : b[j], t = 0;
        for (; i < n && a[i] == x; i++)
            t++;
        for (; j < m && b[j] == x; j++)
            t++;
        sum += t * t * t - t;
    }
    return sum;
}

int fw_auc(double *positive, size_t n, double *negative, size_t m, double *auc, double *variance,
           double *p, struct fw_err *err)
{
    double mean, back, v10, v01;
    if (!n || !m)
        return fw_err_set(err, FW_EINVAL, "one of the two sides has no score");
    int rc = fw_sort_numbers(positive, n, err);
    if (rc == FW_OK)
        rc = fw_sort_numbers(negative, m, err);
    if (rc != FW_OK)
        return rc;
    placements(positive, n, negative, m, &mean, &v10);
    placements(negative, m, positive, n, &back, &v01);
    double x = (double)n, y = (double)m, all = x + y;
    double ties = tie_sum(positive, n, negative, m);
    double spread = (all + 1 - ties / (all * (all - 1))) / (12 * x * y);
    *auc = mean;
    *variance = v10 / x + v01 / y;
    *p = spread > 0 ? fw_normal_tail((mean - 0.5 - 0.5 / (x * y)) / sqrt(spread)) : 1;
    return FW_OK;
}
