/* The runner's own parts, shared by its files. Not for others. */
#ifndef FW_LOOP_RUNNER_PARTS_H
#define FW_LOOP_RUNNER_PARTS_H

#include "pipeline/loop/runner.h"

struct fw_step;

/* Opens a node's step with its inputs, recipe and key; *hit when the cache has its result. */
int fw_runner_look_up(struct fw_runner *r, struct fw_job *job, const struct fw_node *node,
                      struct fw_step **out, bool *hit, struct fw_err *err);
/* One schedule for the nodes of all jobs, in their order. */
int fw_runner_make_sched(const struct fw_plan *plan, struct fw_job *const *jobs, size_t n,
                         int max_jobs, struct fw_sched **out, struct fw_err *err);

#endif
