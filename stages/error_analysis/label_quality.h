/*
 * All that confident learning says of one set of labels, in one call: thresholds, the joint distribution of
 * given and true labels, noise rates both ways, priors, the labels that are probably wrong, and in which
 * order to look at them. The parts, with their sources, are in confident.h and health.h.
 *
 *     struct fw_label_quality q;
 *     if (fw_label_quality(&probs, labels, FW_CL_BOTH, FW_CL_SELF_CONFIDENCE, 1, &q, &err) == FW_OK) {
 *         ... q.order[0] is the most suspicious sample ...
 *         fw_label_quality_release(&q);
 *     }
 */
#ifndef FW_STAGES_LABEL_QUALITY_H
#define FW_STAGES_LABEL_QUALITY_H

#include "stages/error_analysis/confident.h"

struct fw_label_quality {
    size_t n, k;
    size_t labelled;     /* samples that have a label */
    double *thresholds;  /* K; mean p(k) of those given k; infinity for a class nothing is given */
    uint64_t *joint;     /* K × K calibrated counts, rows = given class, columns = true class */
    double *given_prior; /* K: P(given = k), the share of the labelled samples */
    double *true_prior;  /* K: P(true = k) = column sum of the joint / its sum (eq. 4, marginal) */
    double *noise;       /* K × K: [j * K + i] = P(given j | true i), columns sum to 1 */
    double *inverse;     /* K × K: [i * K + j] = P(true j | given i), rows sum to 1 */
    double noise_rate;   /* P(given ≠ true) = 1 − trace / sum of the joint */
    double health;       /* 1 − noise_rate: the share of labels estimated right */
    bool *issue;         /* N */
    double *score;       /* N; NaN for unlabelled samples */
    size_t n_issues;
    uint32_t *order; /* n_issues samples, the lowest score first, ties by their order */
};

/*
 * probs: N × K, labels: N in [−1, K) (−1: unlabelled). min_per_class as in fw_cl_issues(). Release *out
 * with fw_label_quality_release(); it is untouched on failure.
 *
 * FW_EINVAL: what fw_cl_check() refuses, or no sample has a label. A single class, or labels of one class
 * only, are an answer: no label is flagged that no other class could claim, and the noise rate says so. A
 * class that nothing is given has threshold infinity and prior 0; where a condition has probability 0,
 * noise and inverse are NaN.
 *
 * Memory beside the input: what *out holds (9 bytes a sample, 4 an issue, 40 for each pair of classes) and
 * what the filter takes (confident.h). The same result for any number of threads.
 */
int fw_label_quality(const struct fw_probs *probs, const int *labels, enum fw_cl_filter filter,
                     enum fw_cl_score score, size_t min_per_class, struct fw_label_quality *out,
                     struct fw_err *err);
void fw_label_quality_release(struct fw_label_quality *q);

#endif
