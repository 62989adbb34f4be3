/*
 * How well the probabilities of each label rank the samples, when a sample has any number of labels: ROC AUC
 * and average precision of each label (ranking.h), and their means. Pure; on all cores, the same result for
 * any number of threads. Memory: 24 bytes for each sample and thread.
 */
#ifndef FW_STAGES_MULTILABEL_RANKING_H
#define FW_STAGES_MULTILABEL_RANKING_H

#include <stddef.h>

#include "pipeline/base/err.h"

struct fw_multilabel_ranking {
    double macro_roc_auc, weighted_roc_auc;                     /* weighted: by the given labels */
    double macro_average_precision, weighted_average_precision; /* as scikit-learn's */
};

/* given: N × K, 0 or 1; probs: N × K; weight: N, or NULL for 1 each. roc_auc, average_precision: K entries
 * each, or NULL. A label that no sample has is NaN, and for ROC AUC one that all have; such labels are left
 * out of the means (NaN when none is left). FW_EINVAL: no label, more than FW_RANK_MAX samples, a NaN, a
 * weight that is negative or not finite; FW_ENOMEM. */
int fw_multilabel_rank(size_t n, size_t k, const unsigned char *given, const float *probs,
                       const double *weight, struct fw_multilabel_ranking *out, double *roc_auc,
                       double *average_precision, struct fw_err *err);

#endif
