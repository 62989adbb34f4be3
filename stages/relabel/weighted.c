/*
 * Weighted vote, Wawa (worker agreement with aggregate, as in crowd-kit): a labeller's votes count as
 * much as the share of their answers that are the majority's. Ties of the majority as in aggregate.h.
 */
#include <stdlib.h>

#include "stages/relabel/aggregate_parts.h"

int fw_weighted_vote(const struct fw_annotations *a, const struct fw_aggregate_options *o,
                     struct fw_aggregate *g, struct fw_err *err)
{
    size_t k = a->classes;
    double *trust = calloc(a->labellers + 1, sizeof *trust);
    size_t *order = malloc((k + 1) * sizeof *order);
    (void)o;
    int rc = trust && order ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_vote_shares(a, NULL, g->posterior, err);
    if (rc == FW_OK) {
        fw_tie_order(a, order);
        for (size_t t = 0; t < a->tasks; t++) {
            int32_t c = fw_pick(g->posterior + t * k, k, order);
            for (size_t i = a->task_at[t]; i < a->task_at[t + 1]; i++)
                trust[a->labeller[i]] += a->klass[i] == c;
        }
        for (size_t w = 0; w < a->labellers; w++) {
            size_t n = a->labeller_at[w + 1] - a->labeller_at[w];
            trust[w] = n ? trust[w] / (double)n : 0;
        }
        rc = fw_vote_shares(a, trust, g->posterior, err);
    }
    free(trust);
    free(order);
    return rc;
}
