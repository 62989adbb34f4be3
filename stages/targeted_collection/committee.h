/*
 * Disagreement of a committee of models about one sample: 0 (all alike) to 1. Pure.
 *
 *   - vote entropy (Engelson and Dagan, ACL 1996): the entropy of the members' hard votes, divided
 *     by ln min(M, K), the most that M votes on K classes can give. A tie within a member goes to
 *     the lower class
 *   - mutual information of the answer and the model, BALD (Houlsby et al. 2011, equation 2):
 *     H(mean of p) − mean of H(p), divided by ln min(M, K). It is high where each member is sure
 *     and they contradict each other, and low where all are unsure alike. It is the same number as
 *     the mean Kullback-Leibler divergence to the mean (McCallum and Nigam, ICML 1998), so there is
 *     one function for both
 */
#ifndef FW_TARGETED_COLLECTION_COMMITTEE_H
#define FW_TARGETED_COLLECTION_COMMITTEE_H

#include <stddef.h>

/* p: m rows of k probabilities, one a member. 0 when m or k is below 2. votes: k doubles of
 * scratch. */
double fw_vote_entropy(const float *const *p, size_t m, size_t k, double *votes);
double fw_mutual_information(const float *const *p, size_t m, size_t k);
/* mean: k. */
void fw_committee_mean(const float *const *p, size_t m, size_t k, float *mean);

#endif
