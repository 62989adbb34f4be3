/* The budget of an iteration, split between cleaning labels and collecting samples by the measured
 * exchange rate (`loop: {split: N}`). */
#ifndef FW_LOOP_SPLIT_H
#define FW_LOOP_SPLIT_H

#include "pipeline/loop/recipe.h"

/* How many samples this node may look at (relabel) or add (targeted-collection): its part of N, which
 * is in the unit of loop.costs, by share_to_clean of the analysis among its inputs; half without
 * one. Stages of one kind share alike. -1: the node has no quota. FW_EINVAL: an analysis that cannot
 * be read. */
int fw_split_quota(const struct fw_plan *plan, const struct fw_node *node,
                   const struct fw_recipe_input *in, long *quota, struct fw_err *err);

#endif
