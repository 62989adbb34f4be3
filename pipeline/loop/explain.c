/* `flywheel plan`: what a run would do, and why; nothing is run and nothing is written but what digests
 * need: the snapshot's views and, in .flywheel/plan/, the files that stages read beside the data. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/clock.h"
#include "pipeline/base/fs.h"
#include "pipeline/cache/cache.h"
#include "pipeline/loop/loop_state.h"
#include "pipeline/loop/modellock.h"
#include "pipeline/loop/record.h"

/* Recipes of the newest results by node name, to say what changed. */
static json_t *previous_recipes(const char *state_dir)
{
    json_t *runs = NULL, *out = json_object(), *journal = NULL, *r;
    size_t i;
    if (fw_runs_list(state_dir, &runs, NULL) != FW_OK)
        return out;
    for (size_t n = json_array_size(runs); n-- > 0 && json_object_size(out) == 0;) {
        char *path =
            fw_run_path(state_dir, json_string_value(json_array_get(runs, n)), "journal.jsonl");
        if (path && fw_journal_read(path, &journal, NULL) == FW_OK) {
            json_array_foreach (journal, i, r) {
                const char *key = json_string_value(json_object_get(r, "key"));
                const char *node = json_string_value(json_object_get(r, "node"));
                json_t *result = NULL;
                if (key && node && fw_cache_get(state_dir, key, &result, NULL) == FW_OK)
                    json_object_set(out, node, json_object_get(result, "recipe"));
                json_decref(result);
            }
        }
        json_decref(journal);
        journal = NULL;
        free(path);
    }
    json_decref(runs);
    return out;
}

static int explain_phase(struct fw_loop *l, struct fw_runner *runner, enum fw_phase phase,
                         const char *name, const char *oid, const struct fw_job *prior,
                         const json_t *previous, struct fw_graph **graph, struct fw_job *job,
                         json_t *phases, struct fw_err *err)
{
    json_t *nodes = NULL;
    char *history = NULL, *guidelines = NULL;
    char *dir = fw_fs_join(l->project->state_dir, "plan");
    int rc = fw_loop_write_inputs(l, dir, oid, &history, &guidelines, err);
    if (rc == FW_OK)
        rc = fw_graph_expand(l->plan, phase, graph, err);
    if (rc != FW_OK)
        goto out;
    *job = (struct fw_job){.graph = *graph,
                           .phase = name,
                           .label = "",
                           .snapshot = oid,
                           .task = l->task,
                           .prior = prior,
                           .history = history,
                           .guidelines = guidelines,
                           .labels_left = l->plan->loop.budget_labels};
    rc = fw_runner_explain(runner, job, previous, &nodes, err);
    job->history = job->guidelines = NULL;
    if (rc == FW_OK)
        json_array_append_new(phases, json_pack("{s:s, s:o}", "phase", name, "nodes", nodes));
out:
    free(dir);
    free(history);
    free(guidelines);
    return rc;
}

static const char *model_state(struct fw_loop *l, const char *oid, char *text, size_t size)
{
    json_t *now = NULL, *locked = NULL;
    struct fw_err err = {0};
    snprintf(text, size, "unchanged since flywheel.lock");
    if (fw_loop_model(l, oid, &now, &err) != FW_OK)
        snprintf(text, size, "%s", err.msg);
    else if (fw_modellock_read(l->project->root, &locked, &err) == FW_ENOTFOUND)
        snprintf(text, size, "new: flywheel.lock will be written");
    else if (err.code || fw_modellock_check(locked, now, true, true, &err) != FW_OK)
        snprintf(text, size, "%s", err.msg);
    json_decref(now);
    json_decref(locked);
    return text;
}

/* Without a snapshot nothing has a digest yet: every stage would run. */
static int explain_empty(struct fw_loop *l, json_t *phases, struct fw_err *err)
{
    static const struct {
        enum fw_phase phase;
        const char *name;
    } all[] = {{FW_PHASE_MEASURE, "measure"}, {FW_PHASE_IMPROVE, "improve"}};
    for (size_t p = 0; p < 2; p++) {
        struct fw_graph *graph = NULL;
        json_t *nodes = json_array();
        int rc = fw_graph_expand(l->plan, all[p].phase, &graph, err);
        for (size_t i = 0; rc == FW_OK && i < graph->n; i++)
            json_array_append_new(nodes,
                                  json_pack("{s:s, s:s, s:s}", "node", graph->nodes[i].name,
                                            "state", "run", "why", "nothing is imported yet"));
        fw_graph_free(graph);
        json_array_append_new(phases,
                              json_pack("{s:s, s:o}", "phase", all[p].name, "nodes", nodes));
        if (rc != FW_OK)
            return rc;
    }
    return FW_OK;
}

static int explain_on(struct fw_loop *l, struct fw_runner *runner, const char *oid, json_t *phases,
                      struct fw_err *err)
{
    struct fw_graph *graphs[2] = {0};
    struct fw_job jobs[2] = {0};
    json_t *previous = previous_recipes(l->project->state_dir);
    int rc = fw_loop_task(l, oid, err);
    if (rc == FW_OK)
        rc = fw_loop_load_history(l, err);
    if (rc == FW_OK)
        rc = explain_phase(l, runner, FW_PHASE_MEASURE, "measure", oid, NULL, previous, &graphs[0],
                           &jobs[0], phases, err);
    if (rc == FW_OK)
        rc = explain_phase(l, runner, FW_PHASE_IMPROVE, "improve", oid, &jobs[0], previous,
                           &graphs[1], &jobs[1], phases, err);
    for (size_t i = 0; i < 2; i++) {
        if (graphs[i])
            fw_job_release(&jobs[i]);
        fw_graph_free(graphs[i]);
    }
    json_decref(previous);
    return rc;
}

int fw_loop_explain(const struct fw_project *project, json_t **out, struct fw_err *err)
{
    struct fw_loop l = {.project = project, .plan = project->plan};
    struct fw_runner_options o = {.project = project, .run = "plan"};
    char oid[FW_OID_HEX] = "", model[1600] = "new: flywheel.lock will be written";
    json_t *phases = json_array();
    int rc = fw_project_make_state(project, err);
    if (rc == FW_OK)
        rc = fw_repo_open(project->root, project->plan->dataset.repo, project->state_dir, &l.repo,
                          err);
    o.repo = l.repo;
    if (rc == FW_OK)
        rc = fw_runner_open(&o, &l.runner, err);
    if (rc == FW_OK) {
        int found = fw_repo_branch(l.repo, project->plan->name, oid, err);
        if (found == FW_ENOTFOUND)
            rc = explain_empty(&l, phases, err);
        else
            rc = found == FW_OK ? explain_on(&l, l.runner, oid, phases, err) : found;
        if (rc == FW_OK && found == FW_OK)
            model_state(&l, oid, model, sizeof model);
    }
    if (rc == FW_OK)
        *out = json_pack("{s:s, s:s, s:O}", "snapshot", oid[0] ? oid : "(none yet)", "model", model,
                         "phases", phases);
    json_decref(phases);
    fw_runner_close(l.runner);
    fw_repo_close(l.repo);
    fw_history_free(l.history);
    json_decref(l.info);
    free(l.classes);
    return rc;
}
