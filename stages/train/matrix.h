/*
 * Feature vectors of n samples, row-major; dense, or sparse with sorted columns. Zero-initialise;
 * release with fw_matrix_release().
 */
#ifndef FW_TRAIN_MATRIX_H
#define FW_TRAIN_MATRIX_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

struct fw_matrix {
    size_t n, dim;
    size_t *start; /* n + 1 offsets into col and val; NULL when dense */
    uint32_t *col; /* ascending within a row; NULL when dense */
    float *val;    /* dense: n × dim */
};

int fw_matrix_dense(struct fw_matrix *m, size_t n, size_t dim, struct fw_err *err); /* zeroed */
void fw_matrix_release(struct fw_matrix *m);
/* Row i: its values, their columns (NULL when dense) and how many. */
static inline size_t fw_matrix_row(const struct fw_matrix *m, size_t i, const uint32_t **col,
                                   const float **val)
{
    if (!m->start) {
        *col = NULL;
        *val = m->val + i * m->dim;
        return m->dim;
    }
    *col = m->col + m->start[i];
    *val = m->val + m->start[i];
    return m->start[i + 1] - m->start[i];
}
/* ‖a_i − b_j‖², both matrices of one kind and width. */
double fw_matrix_distance2(const struct fw_matrix *a, size_t i, const struct fw_matrix *b,
                           size_t j);
/* The same, but what is found to be above `limit` may be answered by any number above it, which is
 * much faster when most rows are far apart. */
double fw_matrix_distance2_within(const struct fw_matrix *a, size_t i, const struct fw_matrix *b,
                                  size_t j, double limit);
/* The rows order[0..n) of a followed by b (NULL: a alone; else of the same kind and width), as a
 * matrix of their own. A row may come twice. */
int fw_matrix_gather(const struct fw_matrix *a, const struct fw_matrix *b, const size_t *order,
                     size_t n, struct fw_matrix *out, struct fw_err *err);

#endif
