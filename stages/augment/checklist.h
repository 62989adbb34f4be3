/*
 * The three questions about a sample made from another, answered by measurement. Pure.
 *
 *   - realistic: does it look like the data? Its mean distance to its nearest real samples (the
 *     parent among them) beside the same distance of real samples to their nearest others, the k-NN
 *     outlier distance of Ramaswamy, Rastogi and Shim (SIGMOD 2000, section 2) with the mean in
 *     place of the k-th. The answer is the share of real samples that lie at least as far out: 0
 *     when it is further out than all of them
 *   - clear: is the label still the parent's? The mean of the votes there are: the labels of the
 *     nearest real samples without the parent, and the probabilities of a model that has not seen
 *     the parent. The answer is the label's share. It fails only when the votes are for another
 *     class by `confident` or more, and not when the models got the parent itself wrong: then what
 *     they say is no evidence against the label
 *   - poor: does the model need it? The log loss on the sample beside the mean over the data, or
 *     the same of the parent's slice, whichever is greater. Above 1 is worse than usual
 *
 * Distances are measured in the feature space of stages/train/extract.h. Large data are
 * represented by a seeded sample of 5 000 real samples, whose own distances are measured for 500.
 */
#ifndef FW_AUGMENT_CHECKLIST_H
#define FW_AUGMENT_CHECKLIST_H

#include <stdbool.h>

#include "stages/train/matrix.h"

enum { FW_NOT_REALISTIC = 1, FW_NOT_CLEAR = 2, FW_NOT_POOR = 4 };

struct fw_checklist_params {
    double realistic;  /* 0..1: least share; 0 = not asked */
    double confident;  /* 0..1: share of the votes for another class that fails; 1 = not asked */
    double poor;       /* >= 0: least ratio of losses; 0 = not asked */
    size_t neighbours; /* 1..FW_CHECKLIST_NEIGHBOURS */
    uint64_t seed;
};

enum { FW_CHECKLIST_NEIGHBOURS = 50 };

struct fw_checklist;

/* real: N × D, and klass: their N classes of k, both kept by reference; klass NULL for regression,
 * where "clear" is not asked. FW_EINVAL for a parameter out of range, FW_ENOMEM. */
int fw_checklist_open(const struct fw_matrix *real, const int *klass, size_t k,
                      const struct fw_checklist_params *params, struct fw_checklist **out,
                      struct fw_err *err);
void fw_checklist_free(struct fw_checklist *c);

struct fw_copy {
    size_t parent;      /* row of real */
    const float *probs; /* k, of a model that has not seen the parent; NULL: none */
    bool parent_wrong;  /* such a model gives the parent another class than its label */
    double loss;        /* on the copy over the mean on the data; NaN = not known */
    double slice_loss;  /* on the parent's slice over the mean on the data; NaN = not known */
};

struct fw_answers {
    double realistic, clear, poor; /* NaN = not known, which fails nothing */
    unsigned failed;               /* FW_NOT_..., or 0 */
};

/* Of row i of x (of the kind and width of real, else FW_EINVAL). */
int fw_checklist_ask(const struct fw_checklist *c, const struct fw_matrix *x, size_t i,
                     const struct fw_copy *copy, struct fw_answers *out, struct fw_err *err);

#endif
