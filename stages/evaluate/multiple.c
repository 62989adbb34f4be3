#include "stages/evaluate/multiple.h"

#include <math.h>
#include <stdlib.h>

struct test {
    double p;
    size_t at;
};

static int ascending(const void *a, const void *b)
{
    const struct test *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

/* The tests that were made, smallest p first; malloc'd. */
static struct test *sorted(const double *p, size_t n, size_t *made)
{
    struct test *t = malloc((n + 1) * sizeof *t);
    *made = 0;
    for (size_t i = 0; t && i < n; i++)
        if (!isnan(p[i]))
            t[(*made)++] = (struct test){p[i], i};
    if (t)
        qsort(t, *made, sizeof *t, ascending);
    return t;
}

int fw_holm(const double *p, size_t n, double *adjusted, struct fw_err *err)
{
    size_t m;
    struct test *t = sorted(p, n, &m);
    double most = 0;
    if (!t)
        return fw_err_nomem(err);
    for (size_t i = 0; i < n; i++)
        adjusted[i] = NAN;
    for (size_t r = 0; r < m; r++) {
        most = fmax(most, fmin(1, (double)(m - r) * t[r].p));
        adjusted[t[r].at] = most;
    }
    free(t);
    return FW_OK;
}

int fw_benjamini_hochberg(const double *p, size_t n, double *adjusted, struct fw_err *err)
{
    size_t m;
    struct test *t = sorted(p, n, &m);
    double least = 1;
    if (!t)
        return fw_err_nomem(err);
    for (size_t i = 0; i < n; i++)
        adjusted[i] = NAN;
    for (size_t r = m; r-- > 0;) {
        least = fmin(least, (double)m / (double)(r + 1) * t[r].p);
        adjusted[t[r].at] = least;
    }
    free(t);
    return FW_OK;
}
