/*
 * TypiClust (Hacohen, Dekel and Weinshall, ICML 2022, section 3.2): cluster everything, known and
 * not, into as many clusters as there are known samples plus the budget; then, cluster by cluster,
 * from those that hold the fewest known or chosen samples and of these from the largest, take the
 * most typical candidate. Typicality is 1 / (the mean distance to the K nearest of its cluster),
 * K = min(20, half the cluster). Clusters of fewer than 5 candidates come last.
 *
 * Bounded for large pools: at most 500 clusters (as in the paper), and no more than 2²⁴ numbers of
 * centres; the centres are found by k-means on a seeded sample of 20 000; typicality is measured
 * for at most 5 000 seeded candidates of a cluster against at most 500 of them. Each further round
 * over the clusters takes the next most typical.
 */
#ifndef FW_TARGETED_COLLECTION_TYPICAL_H
#define FW_TARGETED_COLLECTION_TYPICAL_H

#include <stdint.h>

#include "stages/train/matrix.h"

/* Mean distance of each row to the nearest of its own cluster, as above: spread[i] (x->n; 0 in a
 * cluster of one, infinity when it was left out of a large cluster). cluster: x->n, each below
 * clusters. order: a permutation of the rows that decides which ones stand for a large cluster. */
int fw_typical_spread(const struct fw_matrix *x, const uint32_t *cluster, size_t clusters,
                      const size_t *order, double *spread, struct fw_err *err);

#endif
