#include "stages/train/matrix.h"

#include <stdlib.h>

int fw_matrix_dense(struct fw_matrix *m, size_t n, size_t dim, struct fw_err *err)
{
    size_t cells;

    if (__builtin_mul_overflow(n, dim, &cells))
        return fw_err_nomem(err);
    float *val = calloc(cells ? cells : 1, sizeof *val);
    if (!val)
        return fw_err_nomem(err);
    *m = (struct fw_matrix){.n = n, .dim = dim, .val = val};
    return FW_OK;
}

void fw_matrix_release(struct fw_matrix *m)
{
    free(m->start);
    free(m->col);
    free(m->val);
    *m = (struct fw_matrix){0};
}

double fw_matrix_distance2(const struct fw_matrix *a, size_t i, const struct fw_matrix *b, size_t j)
{
    const uint32_t *ca, *cb;
    const float *va, *vb;
    size_t na = fw_matrix_row(a, i, &ca, &va), nb = fw_matrix_row(b, j, &cb, &vb);
    double sum = 0;

    if (!ca) {
        for (size_t k = 0; k < na; k++) {
            double d = (double)va[k] - vb[k];
            sum += d * d;
        }
        return sum;
    }
    for (size_t p = 0, q = 0; p < na || q < nb;) {
        double d;
        if (q == nb || (p < na && ca[p] < cb[q]))
            d = va[p++];
        else if (p == na || cb[q] < ca[p])
            d = vb[q++];
        else
            d = (double)va[p++] - vb[q++];
        sum += d * d;
    }
    return sum;
}
