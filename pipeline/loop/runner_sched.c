/* The nodes of several graphs as one schedule, with the slots of the plan. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/loop/runner_parts.h"

static void fill_node(const struct fw_plan *plan, const struct fw_stage *stage, double *named,
                      struct fw_sched_node *out)
{
    const struct fw_resources *res = &stage->resources;
    out->cpus = res->cpus;
    out->memory = res->memory;
    out->retries = stage->retries;
    out->backoff_ms = stage->backoff_ms;
    for (size_t k = 0; k < res->n_named; k++)
        for (size_t m = 0; m < plan->limits.n_named; m++)
            if (!strcmp(plan->limits.named[m].name, res->named[k].name))
                named[m] = res->named[k].value;
}

int fw_runner_make_sched(const struct fw_plan *plan, struct fw_job *const *jobs, size_t n,
                         int max_jobs, struct fw_sched **out, struct fw_err *err)
{
    size_t total = 0, at = 0, n_named = plan->limits.n_named;
    for (size_t j = 0; j < n; j++)
        total += jobs[j]->graph->n;
    struct fw_arena arena = {0};
    struct fw_sched_node *nodes = fw_arena_array(&arena, total + 1, sizeof *nodes);
    double *limits = fw_arena_array(&arena, n_named + 1, sizeof *limits);
    int rc = nodes && limits ? FW_OK : fw_err_nomem(err), bad = -1;
    for (size_t i = 0; rc == FW_OK && i < n_named; i++)
        limits[i] = plan->limits.named[i].value;
    for (size_t j = 0; rc == FW_OK && j < n; j++) {
        const struct fw_graph *g = jobs[j]->graph;
        for (size_t i = 0; i < g->n && rc == FW_OK; i++) {
            const struct fw_node *node = &g->nodes[i];
            int *needs = fw_arena_array(&arena, node->n_needs + 1, sizeof *needs);
            double *named = fw_arena_array(&arena, n_named + 1, sizeof *named);
            if (!needs || !named) {
                rc = fw_err_nomem(err);
                break;
            }
            for (size_t k = 0; k < node->n_needs; k++)
                needs[k] = node->needs[k] + (int)at;
            nodes[at + i] =
                (struct fw_sched_node){.n_needs = node->n_needs, .needs = needs, .named = named};
            if (node->stage)
                fill_node(plan, node->stage, named, &nodes[at + i]);
        }
        at += g->n;
    }
    struct fw_sched_limits max = {.cpus = plan->limits.cpus,
                                  .memory = plan->limits.memory,
                                  .n_named = n_named,
                                  .named = limits,
                                  .jobs = max_jobs};
    if (rc == FW_OK)
        rc = fw_sched_new(nodes, total, &max, out, &bad, err);
    fw_arena_release(&arena);
    return rc;
}
