/*
 * Which candidates of a pool to ask for. Pure; reproducible from the seed and the same for any
 * number of threads; labels of the candidates are never an input. U candidates, L known samples of D
 * features, a budget of B.
 *
 *   - mixed (the default): quota_share of the budget to quotas for the weak slices, the rest to the
 *     candidates with the highest score, and not twice the same thing (near_share)
 *   - uncertainty: by score alone
 *   - density: information density (Settles and Craven, EMNLP 2008, equation 14): the score times
 *     the mean similarity to the pool to the power density_weight, so that outliers are not asked
 *     for. Similarity is exp(−d²/2h²), h the median distance within the pool; the mean is over a
 *     seeded sample of at most 500 candidates, so it takes U · 500 · D steps
 *   - k-centre: greedy core-set (Sener and Savarese, ICLR 2018): each time the candidate farthest
 *     from everything known and everything chosen. U · (2 000 + B) · D steps: of more known samples
 *     a seeded sample has to do
 *   - typical: TypiClust (Hacohen, Dekel and Weinshall, ICML 2022), for budgets so small that a
 *     model cannot say what it does not know: see typical.h
 *   - random: the control
 *
 * A candidate's class is not known, so a quota for class c is filled by expectation: candidate i
 * counts for c with the probability the model gives it.
 */
#ifndef FW_TARGETED_COLLECTION_SELECT_H
#define FW_TARGETED_COLLECTION_SELECT_H

#include <stdbool.h>

#include "stages/targeted_collection/uncertainty.h"
#include "stages/train/matrix.h"

enum fw_strategy { FW_MIXED, FW_UNCERTAINTY, FW_K_CENTRE, FW_RANDOM, FW_DENSITY, FW_TYPICAL };

/* "mixed", "uncertainty", "k-centre" (or its other name "diversity"), "random", "density",
 * "typical". */
int fw_strategy_parse(const char *name, enum fw_strategy *out, struct fw_err *err);
/* Does it choose by the candidates' scores? */
bool fw_strategy_scores(enum fw_strategy strategy);

/* One weak slice to collect for: by class, or by membership known from metadata. */
struct fw_aim {
    double weight;      /* > 0; shares of the budget are in proportion */
    int klass;          /* a class, or -1 */
    const bool *member; /* U flags when klass is -1 */
};

struct fw_select_params {
    enum fw_strategy strategy;
    size_t budget;
    double quota_share; /* 0..1 */
    /* A candidate nearer than this share of the median nearest-neighbour distance within the pool
     * to something in train or chosen is a near-duplicate and is passed over while others are left
     * (mixed, density). */
    double near_share;
    double density_weight; /* >= 0 */
    uint64_t seed;
};

struct fw_candidates {
    const struct fw_matrix *pool;  /* U × D */
    const struct fw_matrix *known; /* L × D, of the same kind; may have no rows */
    const double *score; /* U, 0..1, as of fw_uncertainties(); NULL where no score is needed */
    const float *probs;  /* U × k, for aims by class; may be NULL when there are none */
    size_t k;
};

struct fw_choice {
    size_t candidate;
    long aim;     /* index of the aim it was chosen for, or -1 */
    double score; /* the score; for k-centre the distance, for typical the typicality, random 0 */
};

/* Writes up to params->budget choices, best first, and their number. With no aim, or weights that
 * sum to 0, the whole budget is one quota. FW_ENOMEM, FW_EINVAL for shapes that do not fit, a score
 * that is not a number, or more than 2³² − 1 candidates. */
int fw_select(const struct fw_select_params *params, const struct fw_candidates *c,
              const struct fw_aim *aims, size_t n_aims, struct fw_choice *out, size_t *n_out,
              struct fw_err *err);

/* budget split over the aims in proportion to their weights by largest remainders; quota sums to
 * budget. Weights that are not positive get 0; all of them: every quota is 0. */
void fw_quotas(const double *weight, size_t n, size_t budget, size_t *quota);

#endif
