/*
 * Metrics of samples with any number of labels each. Pure. given and predicted: N × K, 0 or 1; probs: N × K
 * independent probabilities, or NULL; weight: N, or NULL for 1 each. As scikit-learn defines them, with 0/0 = 0:
 *   micro     over all labels of all samples
 *   macro     the mean over the classes; weighted: each class by its given labels
 *   samples   the mean over the samples
 */
#ifndef FW_STAGES_MULTILABEL_H
#define FW_STAGES_MULTILABEL_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

struct fw_prf {
    double precision, recall, f1;
};

struct fw_multilabel_scores {
    double subset_accuracy; /* all labels of a sample right */
    double hamming_loss;    /* share of wrong entries of N × K */
    double jaccard_samples, jaccard_macro;
    struct fw_prf micro, macro, weighted, samples;
    /* Of the labels ranked at or above each true label, the share that is true, averaged (Schapire and
     * Singer 2000); 1 for a sample with all labels or none. NaN without probs. */
    double ranking_average_precision;
};

/* by_class: K entries, or NULL. NaN throughout when the weights sum to 0. FW_ENOMEM; FW_EINVAL: K = 0, a
 * probability that is NaN, a weight that is negative or not finite. */
int fw_multilabel_score(size_t n, size_t k, const unsigned char *given,
                        const unsigned char *predicted, const float *probs, const double *weight,
                        struct fw_multilabel_scores *out, struct fw_prf *by_class,
                        struct fw_err *err);
/* Two-sided percentile bootstrap over the samples for every number of the struct; on all cores, the same
 * result for any number of threads. */
int fw_multilabel_interval(size_t n, size_t k, const unsigned char *given,
                           const unsigned char *predicted, const float *probs, size_t resamples,
                           double level, uint64_t seed, struct fw_multilabel_scores *low,
                           struct fw_multilabel_scores *high, struct fw_err *err);

#endif
