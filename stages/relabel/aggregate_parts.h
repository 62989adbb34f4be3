/* What the aggregators share. Private to stages/relabel. */
#ifndef FW_STAGES_AGGREGATE_PARTS_H
#define FW_STAGES_AGGREGATE_PARTS_H

#include "stages/relabel/aggregate.h"

typedef int fw_aggregate_fn(const struct fw_annotations *a, const struct fw_aggregate_options *o,
                            struct fw_aggregate *g, struct fw_err *err);

/* Fill posterior, and what else they know, of an allocated g. */
fw_aggregate_fn fw_majority, fw_weighted_vote, fw_one_coin, fw_mace, fw_dawid_skene, fw_crowdlab;

/* Shares of the votes: trust is a weight for each labeller, or NULL for 1. A task whose weights are
 * all 0 gets equal votes. */
int fw_vote_shares(const struct fw_annotations *a, const double *trust, float *posterior,
                   struct fw_err *err);
/* order[c]: the rank of class c in breaking ties, 0 for the first. K entries. */
void fw_tie_order(const struct fw_annotations *a, size_t *order);
int32_t fw_pick(const float *row, size_t k, const size_t *order);
/* exp(score − max) normalised into out; the log of the sum. Rows of K. */
double fw_softmax_row(const double *score, size_t k, float *out);
/* Sums of the posterior's columns over N. */
int fw_class_mass(const float *posterior, size_t n, size_t k, double *mass, struct fw_err *err);

enum { FW_TASK_GRAIN = 2048, FW_LABELLER_GRAIN = 8 };

#endif
