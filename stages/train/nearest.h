/*
 * The nearest rows of a matrix, by comparing with all of them. Pure.
 */
#ifndef FW_TRAIN_NEAREST_H
#define FW_TRAIN_NEAREST_H

#include "stages/train/matrix.h"

/* Up to k rows of b nearest to row i of a, nearest first, ties to what comes first: among the rows
 * `among` (n; NULL: the rows 0..n of b), without row `skip` (SIZE_MAX: all count). Writes their
 * indices and squared distances (k each) and returns how many there are. */
size_t fw_nearest(const struct fw_matrix *a, size_t i, const struct fw_matrix *b,
                  const uint32_t *among, size_t n, size_t skip, size_t k, size_t *index,
                  double *distance2);

#endif
