/*
 * The resampling behind compare.h: a weighted sum of one metric over several models that predict
 * the same samples, on bootstrap resamples of these samples. Pure; reproducible from the seed; the
 * result does not depend on how many threads share the work.
 */
#ifndef FW_STAGES_BOOTSTRAP_H
#define FW_STAGES_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/rng.h"
#include "stages/evaluate/compare.h"

struct fw_boot_model { /* one model: what its metric needs, others NULL */
    const int *pred;
    const float *probs;
    const double *value;
    double weight; /* in the sum */
};

/* out[b] = Σ_j weight_j · metric_j(resample b), b < resamples. Classification is stratified by true
 * class: each resample has as many samples of a class as the data. Samples without truth or of weight 0
 * are left out; a drawn sample counts as its weight says. FW_EINVAL when none is left, a model lacks what
 * the metric needs, or an input is out of its range (a class index of K or more, a NaN, a negative
 * weight). NaN where the metric is not defined on a resample (see metrics.h). */
int fw_bootstrap(const struct fw_metric *m, const struct fw_truth *truth,
                 const struct fw_boot_model *models, size_t n_models, size_t resamples,
                 uint64_t seed, double *out, struct fw_err *err);

/* A binomial variate, exact: inversion for small n·p, else the transformed rejection method BTRS
 * (Hörmann 1993, "The generation of binomial random variates"). 0 ≤ p ≤ 1. */
uint64_t fw_binomial(struct fw_rng *rng, uint64_t n, double p);

#endif
