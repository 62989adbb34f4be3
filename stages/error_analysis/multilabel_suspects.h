/*
 * Wrong labels among samples with any number of labels each: every class against the rest by confident
 * learning, and one score for the sample (Thyagarajan, Snorrason, Northcutt, Mueller 2022, "Identifying
 * Incorrect Annotations in Multi-Label Classification Data", arXiv:2211.13895, section 3). Pure.
 *
 * given: N × K, 0 or 1; probs: N × K independent probabilities of models that did not see the sample.
 */
#ifndef FW_STAGES_MULTILABEL_SUSPECTS_H
#define FW_STAGES_MULTILABEL_SUSPECTS_H

#include <stdbool.h>
#include <stddef.h>

#include "stages/error_analysis/confident.h"

enum fw_ml_pool {            /* from the classes' scores to the sample's */
                  FW_ML_EMA, /* exponential moving average over the scores in falling order, α = 0.8: the
                                lowest count most */
                  FW_ML_SOFTMIN, /* Σ s softmax((1 − s) / 0.1) */
                  FW_ML_MIN,
                  FW_ML_MEAN
};

/* class_score[i * K + k]: p(k) where the label is given, 1 − p(k) where not; low = suspicious. */
void fw_ml_class_scores(size_t n, size_t k, const unsigned char *given, const float *probs,
                        float *class_score);
/* One score a sample from k class scores; reorders them. k > 0. */
double fw_ml_pool(enum fw_ml_pool how, float *class_score, size_t k);
/* issue: N × K flags: class k of sample i is flagged by the filter on the two-class problem "k or not".
 * FW_EINVAL: a probability not in 0..1; FW_ENOMEM. */
int fw_ml_issues(size_t n, size_t k, const unsigned char *given, const float *probs,
                 enum fw_cl_filter filter, bool *issue, struct fw_err *err);

#endif
