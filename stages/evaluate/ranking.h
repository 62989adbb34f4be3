/*
 * What a score is worth for its order alone: area under the ROC curve and average precision of one class
 * against the rest, from a sort that is made once and then swept with any weights. Pure.
 *
 * Equal scores are one step of the curve (scikit-learn does the same): the area counts half of the pairs
 * that tie (Hanley and McNeil 1982), and precision is taken at distinct scores only.
 */
#ifndef FW_STAGES_RANKING_H
#define FW_STAGES_RANKING_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

enum { FW_RANK_MAX = 0x7fffffff }; /* items */

/* The items by falling score, score[i * stride] for i < n ≤ FW_RANK_MAX; none is NaN. order[r] is the item
 * at rank r in its low 31 bits; the top bit is set on the last of equal ones. scratch: 2 n entries. */
void fw_rank_sort(const float *score, size_t stride, size_t n, uint32_t *order, uint64_t *scratch);

/* Σ over pairs of a positive and a negative of (1 when the positive is before, 1/2 when they tie), by the
 * product of their weights, over the sum of all such products. An item i is positive when klass[i] == c;
 * left out when klass[i] < 0; weight NULL = 1 each. NaN without positives or without negatives. */
double fw_rank_roc_auc(const uint32_t *order, size_t n, const int *klass, int c,
                       const double *weight);
/* Σ over distinct scores of (recall there − recall before) × precision there. NaN without positives. */
double fw_rank_average_precision(const uint32_t *order, size_t n, const int *klass, int c,
                                 const double *weight);

#endif
