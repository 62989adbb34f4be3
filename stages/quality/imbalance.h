/*
 * How unequal the classes are. Pure.
 */
#ifndef FW_QUALITY_IMBALANCE_H
#define FW_QUALITY_IMBALANCE_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/err.h"

struct fw_imbalance {
    size_t k, n, unlabelled;          /* n labelled samples */
    size_t *count;                    /* k */
    double *share;                    /* k; of the labelled; 0 when there are none */
    bool *rare;                       /* k: share below `fraction` of the equal share 1/k */
    size_t n_rare, largest, smallest; /* classes; ties to the lower index */
    double
        ratio; /* largest count over smallest; infinity when a class is empty; NaN when all are */
    double effective; /* e^H, H = −Σ share ln share: the number of equal classes of the same entropy
                         (Hill 1973, the diversity of order 1); k when balanced, 0 when nothing is
                         labelled */
};

/* labels: n class indices in [0, k), negative = unlabelled. fraction in 0..1; 0.1 calls a class
 * rare that has less than a tenth of its equal share. FW_EINVAL: k = 0, a label outside the
 * classes, a fraction outside 0..1. FW_ENOMEM. */
int fw_imbalance_of(const int *labels, size_t n, size_t k, double fraction,
                    struct fw_imbalance *out, struct fw_err *err);
void fw_imbalance_release(struct fw_imbalance *im);

#endif
