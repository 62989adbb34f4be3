/* Majority vote: the posterior is the share of the votes. */
#include "stages/relabel/aggregate_parts.h"

int fw_majority(const struct fw_annotations *a, const struct fw_aggregate_options *o,
                struct fw_aggregate *g, struct fw_err *err)
{
    (void)o;
    return fw_vote_shares(a, NULL, g->posterior, err);
}
