#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/loop/loop_state.h"
#include "stages/data/predictions.h"

struct fw_measured *fw_measured_ref(struct fw_measured *m)
{
    m->refs++;
    return m;
}

void fw_measured_free(struct fw_measured *m)
{
    if (!m || --m->refs > 0)
        return;
    if (m->graph)
        fw_job_release(&m->job);
    fw_graph_free(m->graph);
    fw_scores_free(m->scores);
    json_decref(m->report);
    free(m);
}

const struct fw_stage *fw_loop_scored_stage(const struct fw_loop *l)
{
    return fw_plan_stage(l->plan, l->plan->metric.of);
}

/* The scored evaluate stage's nodes, one per seed, in graph order. */
int fw_measure_scores(struct fw_loop *l, const struct fw_job *job, const struct fw_evalset *set,
                      struct fw_scores **out, struct fw_err *err)
{
    const struct fw_stage *scored = fw_loop_scored_stage(l);
    const char **paths = calloc(job->graph->n + 1, sizeof *paths);
    size_t n = 0;
    if (!paths)
        return fw_err_nomem(err);
    for (size_t i = 0; i < job->graph->n; i++) {
        const struct fw_node *node = &job->graph->nodes[i];
        const char *path = node->stage == scored
                               ? fw_job_output(job, node->name, fw_kind_output(FW_EVALUATE))
                               : NULL;
        if (path)
            paths[n++] = path;
    }
    int rc = n ? fw_scores_load(set, paths, n, out, err)
               : fw_err_set(err, FW_EINVAL, "stage '%s' gave no predictions", scored->name);
    free(paths);
    return rc;
}

static int measured_new(struct fw_loop *l, int iteration, const char *oid, const char *label,
                        struct fw_measured **out, struct fw_err *err)
{
    struct fw_measured *m = calloc(1, sizeof *m);
    if (!m)
        return fw_err_nomem(err);
    m->refs = 1;
    m->iteration = iteration;
    snprintf(m->oid, sizeof m->oid, "%s", oid);
    snprintf(m->label, sizeof m->label, "%s", label);
    int rc = fw_graph_expand(l->plan, FW_PHASE_MEASURE, &m->graph, err);
    if (rc != FW_OK) {
        fw_measured_free(m);
        return rc;
    }
    m->job = (struct fw_job){.graph = m->graph,
                             .phase = "measure",
                             .label = m->label,
                             .iteration = iteration,
                             .snapshot = m->oid,
                             .task = l->task,
                             .labels_left = NAN};
    *out = m;
    return FW_OK;
}

int fw_measure(struct fw_loop *l, int iteration, const char *const *oids, const char *const *labels,
               size_t n, struct fw_measured **out, struct fw_err *err)
{
    struct fw_job **jobs = calloc(n + 1, sizeof *jobs);
    int rc = jobs ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < n; i++)
        out[i] = NULL;
    for (size_t i = 0; i < n && rc == FW_OK; i++) {
        rc = measured_new(l, iteration, oids[i], labels[i], &out[i], err);
        if (rc == FW_OK)
            jobs[i] = &out[i]->job;
    }
    if (rc == FW_OK)
        rc = fw_runner_run(l->runner, jobs, n, err);
    for (size_t i = 0; i < n && rc == FW_OK; i++) {
        rc = fw_measure_scores(l, &out[i]->job, l->dev, &out[i]->scores, err);
        if (rc == FW_OK)
            rc = fw_scores_report(l->dev, &l->metric, out[i]->scores, l->plan->loop.confidence,
                                  l->plan->seed, &out[i]->report, err);
    }
    for (size_t i = 0; i < n && rc != FW_OK; i++) {
        fw_measured_free(out[i]);
        out[i] = NULL;
    }
    free(jobs);
    return rc;
}

/* The evaluate stage on the unlabelled pool, by the test phase's graph with the pool in its place.
 */
static int predict_pool(struct fw_loop *l, const struct fw_measured *m, struct fw_predictions **out,
                        struct fw_err *err)
{
    struct fw_graph *graph = NULL;
    char *pool = fw_fs_join(l->project->root, l->plan->loop.stability_pool);
    struct fw_job job = {.phase = "pool",
                         .label = "pool",
                         .iteration = m->iteration,
                         .snapshot = m->oid,
                         .task = l->task,
                         .prior = &m->job,
                         .test_dir = pool,
                         .labels_left = NAN};
    struct fw_job *jobs[] = {&job};
    int rc = pool ? fw_graph_expand(l->plan, FW_PHASE_TEST, &graph, err) : fw_err_nomem(err);
    job.graph = graph;
    if (rc == FW_OK)
        rc = fw_runner_run(l->runner, jobs, 1, err);
    if (rc == FW_OK) {
        const char *path =
            fw_job_output(&job, fw_loop_scored_stage(l)->name, fw_kind_output(FW_EVALUATE));
        rc = path ? fw_predictions_load(path, &l->task, out, err)
                  : fw_err_set(err, FW_EINVAL, "no predictions on the stability pool");
    }
    if (graph)
        fw_job_release(&job);
    fw_graph_free(graph);
    free(pool);
    return rc;
}

/* Cohen's kappa between this model and the head before it, on the pool. */
int fw_measure_stability(struct fw_loop *l, struct fw_measured *now, struct fw_err *err)
{
    if (!l->plan->loop.stability_pool || l->task.task != FW_CLASSIFICATION)
        return FW_OK;
    struct fw_predictions *a = NULL, *b = NULL;
    int *other = NULL;
    int rc = predict_pool(l, l->head, &a, err);
    if (rc == FW_OK)
        rc = predict_pool(l, now, &b, err);
    if (rc == FW_OK && !(other = malloc((a->n + 1) * sizeof *other)))
        rc = fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < a->n; i++) {
        long at = fw_predictions_find(b, a->ids[i]);
        other[i] = at < 0 ? -1 : b->pred[at];
    }
    if (rc == FW_OK) {
        double *more = realloc(l->kappas, (l->stop.n_kappa + 1) * sizeof *more);
        if (!more)
            rc = fw_err_nomem(err);
        else {
            l->kappas = more;
            double kappa = fw_cohen_kappa(a->pred, other, a->n, l->task.n_classes);
            more[l->stop.n_kappa++] = isnan(kappa) ? 1 : kappa; /* all one class, and agreed */
            l->stop.kappa = more;
        }
    }
    free(other);
    fw_predictions_free(a);
    fw_predictions_free(b);
    return rc;
}

void fw_measure_tell_audit(const struct fw_loop *l, const json_t *report)
{
    size_t i;
    const json_t *r;
    json_array_foreach (json_object_get(report, "audit"), i, r) {
        const char *state = json_string_value(json_object_get(r, "state"));
        char text[700];
        if (!strcmp(state, "broken"))
            snprintf(text, sizeof text, "audit: '%s' is broken: %.4g, short by %.4g",
                     json_string_value(json_object_get(r, "requirement")),
                     json_number_value(json_object_get(r, "value")),
                     json_number_value(json_object_get(r, "short_by")));
        else if (!strcmp(state, "unknown"))
            snprintf(text, sizeof text, "audit: '%s' cannot be judged: no dev sample is in it",
                     json_string_value(json_object_get(r, "requirement")));
        else
            continue;
        fw_observe(&l->o->observer, "{s:s, s:s, s:s}", "event", "message", "level", "warning",
                   "text", text);
    }
}
