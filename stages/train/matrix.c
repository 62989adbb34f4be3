#include "stages/train/matrix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* Four sums side by side, and a look at the limit after every STRIDE columns. */
static double dense_distance2(const float *a, const float *b, size_t n, double limit)
{
    enum { STRIDE = 16 };
    double total = 0;
    size_t k = 0;

    for (; k + STRIDE <= n && total <= limit; k += STRIDE) {
        double s[4] = {0};
        for (size_t j = 0; j < STRIDE; j += 4)
            for (size_t l = 0; l < 4; l++) {
                double d = (double)a[k + j + l] - b[k + j + l];
                s[l] += d * d;
            }
        total += s[0] + s[1] + (s[2] + s[3]);
    }
    for (; k < n && total <= limit; k++) {
        double d = (double)a[k] - b[k];
        total += d * d;
    }
    return total;
}

double fw_matrix_distance2_within(const struct fw_matrix *a, size_t i, const struct fw_matrix *b,
                                  size_t j, double limit)
{
    const uint32_t *ca, *cb;
    const float *va, *vb;
    size_t na = fw_matrix_row(a, i, &ca, &va), nb = fw_matrix_row(b, j, &cb, &vb);
    double sum = 0;

    if (!ca)
        return dense_distance2(va, vb, na, limit);
    for (size_t p = 0, q = 0; (p < na || q < nb) && sum <= limit;) {
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

double fw_matrix_distance2(const struct fw_matrix *a, size_t i, const struct fw_matrix *b, size_t j)
{
    return fw_matrix_distance2_within(a, i, b, j, HUGE_VAL);
}

static size_t row_of(const struct fw_matrix *a, const struct fw_matrix *b, size_t i,
                     const uint32_t **col, const float **val)
{
    return i < a->n ? fw_matrix_row(a, i, col, val) : fw_matrix_row(b, i - a->n, col, val);
}

int fw_matrix_gather(const struct fw_matrix *a, const struct fw_matrix *b, const size_t *order,
                     size_t n, struct fw_matrix *out, struct fw_err *err)
{
    struct fw_matrix m = {.n = n, .dim = a->dim};
    const uint32_t *col;
    const float *val;
    size_t cells = 0, at = 0;

    for (size_t i = 0; i < n; i++)
        if (__builtin_add_overflow(cells, row_of(a, b, order[i], &col, &val), &cells))
            return fw_err_nomem(err);
    m.val = calloc(cells ? cells : 1, sizeof *m.val);
    if (a->start) {
        m.start = calloc(n + 1, sizeof *m.start);
        m.col = calloc(cells ? cells : 1, sizeof *m.col);
    }
    if (!m.val || (a->start && (!m.start || !m.col))) {
        fw_matrix_release(&m);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < n; i++) {
        size_t len = row_of(a, b, order[i], &col, &val);
        if (len)
            memcpy(m.val + at, val, len * sizeof *val);
        if (m.start && len)
            memcpy(m.col + at, col, len * sizeof *col);
        at += len;
        if (m.start)
            m.start[i + 1] = at;
    }
    *out = m;
    return FW_OK;
}
