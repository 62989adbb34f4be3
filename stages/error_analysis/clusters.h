/*
 * The clusters of N points in D dimensions by k-means (stages/train/kmeans.h), for slices that are found.
 * Pure, reproducible from the seed, and the same for any number of threads.
 */
#ifndef FW_STAGES_CLUSTERS_H
#define FW_STAGES_CLUSTERS_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

struct fw_clusters {
    size_t n, d, k;
    float *centre;   /* K × D, row-major */
    uint32_t *label; /* N: the nearest centre; ties to the lower index */
    float *distance; /* N: squared, to it */
};

/* x: N × D, row-major. Centres are fitted to at most 50 000 points, drawn by the seed, in at most 100
 * iterations; then every point gets its nearest one. A cluster that loses all its points starts anew at
 * the point farthest from its centre. k is lowered to the number of points that differ. FW_EINVAL: k is
 * 0, or a number is not finite (err names the point); FW_ENOMEM. Release with fw_clusters_release(). */
int fw_clusters(const float *x, size_t n, size_t d, size_t k, uint64_t seed,
                struct fw_clusters *out, struct fw_err *err);
void fw_clusters_release(struct fw_clusters *c);
/* How many clusters: √(n/2), rounded down (Mardia, Kent and Bibby 1979, p. 365), at least 2 and at most
 * 20, so that there are few enough to look at and each can have enough samples to be judged. */
size_t fw_clusters_k(size_t n);

#endif
