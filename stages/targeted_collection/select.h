/*
 * Which candidates of a pool to ask for. Pure; reproducible from the seed; labels of the candidates
 * are never an input.
 *
 *   - mixed (the default): quota_share of the budget to quotas for the weak slices, the rest to the
 *     candidates the model is least sure of, and not twice the same thing (near_share)
 *   - uncertainty: by uncertainty alone
 *   - diversity: k-centre greedy (Sener and Savarese, ICLR 2018): each time the candidate farthest
 *     from everything in train and everything chosen
 *   - random: the control
 *
 * A candidate's class is not known, so a quota for class c is filled by expectation: candidate i
 * counts for c with the probability the model gives it.
 */
#ifndef FW_TARGETED_COLLECTION_SELECT_H
#define FW_TARGETED_COLLECTION_SELECT_H

#include <stdbool.h>

#include "stages/train/matrix.h"

enum fw_strategy { FW_MIXED, FW_UNCERTAINTY, FW_DIVERSITY, FW_RANDOM };
enum fw_uncertainty { FW_MARGIN, FW_LEAST_CONFIDENT, FW_ENTROPY };

int fw_strategy_parse(const char *name, enum fw_strategy *out, struct fw_err *err);
int fw_uncertainty_parse(const char *name, enum fw_uncertainty *out, struct fw_err *err);

/* 0 (sure) to 1 (no idea), of k probabilities that sum to 1 (Settles 2009, section 3.1):
 * margin 1 − (p₁ − p₂); least confident (1 − p₁) · k/(k−1); entropy H/ln k. 0 when k < 2. */
double fw_uncertainty(enum fw_uncertainty how, const float *p, size_t k);

/* One weak slice to collect for: by class, or by membership known from metadata. */
struct fw_aim {
    double weight;      /* > 0; shares of the budget are in proportion */
    int klass;          /* a class, or -1 */
    const bool *member; /* n flags when klass is -1 */
};

struct fw_select_params {
    enum fw_strategy strategy;
    enum fw_uncertainty uncertainty;
    size_t budget;
    double quota_share; /* 0..1 */
    /* A candidate nearer than this share of the median nearest-neighbour distance within the pool
     * to something in train or chosen is a near-duplicate and is passed over while others are left.
     */
    double near_share;
    uint64_t seed;
};

struct fw_choice {
    size_t candidate;
    long aim;     /* index of the aim it was chosen for, or -1 */
    double score; /* uncertainty, or for diversity the distance, or for random 0 */
};

/* probs: n × k; pool: n rows of features; train: features of what is known already (may have n =
 * 0). Writes up to params->budget choices, best first, and their number. With no aim, or weights
 * that sum to 0, the whole budget is one quota. FW_ENOMEM, FW_EINVAL for shapes that do not fit. */
int fw_select(const struct fw_select_params *params, const float *probs, size_t k,
              const struct fw_matrix *pool, const struct fw_matrix *train,
              const struct fw_aim *aims, size_t n_aims, struct fw_choice *out, size_t *n_out,
              struct fw_err *err);

/* budget split over the aims in proportion to their weights by largest remainders; quota sums to
 * budget. Weights that are not positive get 0; all of them: every quota is 0. */
void fw_quotas(const double *weight, size_t n, size_t budget, size_t *quota);

#endif
