/*
 * k-means: k-means++ seeding (Arthur and Vassilvitskii, SODA 2007) and Lloyd's iterations. Pure;
 * reproducible from the seed and the same for any number of threads.
 */
#ifndef FW_TRAIN_KMEANS_H
#define FW_TRAIN_KMEANS_H

#include "stages/train/matrix.h"

/* centres: clusters × x->dim, row-major. Ends when no row changes its cluster, or after
 * `iterations`. A cluster that runs empty begins anew at the row farthest from its centre.
 * FW_EINVAL when clusters is 0 or more than x has rows. FW_ENOMEM. */
int fw_kmeans(const struct fw_matrix *x, size_t clusters, size_t iterations, uint64_t seed,
              float *centres, struct fw_err *err);
/* The nearest centre of each row (x->n; ties to the lower index), and its squared distance (may be
 * NULL). */
int fw_kmeans_assign(const struct fw_matrix *x, const float *centres, size_t clusters,
                     uint32_t *cluster, double *distance2, struct fw_err *err);

#endif
