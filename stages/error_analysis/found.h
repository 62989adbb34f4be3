/*
 * Slices that nobody declared: by SliceLine (sliceline.h) over the fields of samples, and by clusters
 * (clusters.h) of the predictions' embeddings, or of inline features when there are none.
 *
 * Looking at thousands of slices and telling the worst is sure to tell of chance. So:
 *   - SliceLine searches one half of the judged samples (by a hash of the id), and what it finds is tested
 *     on the other half (Cox 1975). Left out is what lies in a slice with a greater score by more than
 *     four fifths or has more than half of the rows in common with it, and what is declared already.
 *   - Clusters are made without a look at the errors, so all samples serve to test them, but each
 *     cluster that is made counts as a test.
 *   - All of these tests together are adjusted by Holm's method: when the model is equally good everywhere,
 *     some slice is reported in at most 5 % of the analyses.
 */
#ifndef FW_STAGES_FOUND_H
#define FW_STAGES_FOUND_H

#include <jansson.h>

#include "stages/error_analysis/judged.h"
#include "stages/error_analysis/slice.h"

enum { FW_FOUND_EXAMPLES = 5, FW_FOUND_TRAITS = 3 };

struct fw_found_slice {
    char *text;                 /* the condition, or "cluster 3" */
    struct fw_slice *condition; /* NULL: a cluster */
    uint32_t cluster;           /* else */
    double p, p_adjusted;
    uint32_t examples
        [FW_FOUND_EXAMPLES]; /* judged samples: the greatest losses, or nearest to the centre */
    size_t n_examples, n_traits;
    struct { /* of a cluster: what is more frequent in it than elsewhere */
        char *condition;
        double share, lift; /* share in the cluster, and that over the share of all */
    } traits[FW_FOUND_TRAITS];
};

struct fw_found {
    size_t n;
    struct fw_found_slice *v; /* those with p_adjusted ≤ 0.05, smallest first */
    uint32_t *cluster;        /* of each judged sample, or NULL */
};

/* notes gets plain sentences. Nothing is sought when in->max_found is 0. FW_EINVAL, FW_ENOMEM. */
int fw_found_make(const struct fw_analysis_input *in, const struct fw_judged *j, json_t *notes,
                  struct fw_found *out, struct fw_err *err);
void fw_found_release(struct fw_found *f);

#endif
