/* The beginning of a run: the data, the task, the model lock, the sanity check and the baseline. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/clock.h"
#include "pipeline/base/fs.h"
#include "pipeline/base/rows.h"
#include "pipeline/loop/artifact.h"
#include "pipeline/loop/loop_state.h"
#include "pipeline/loop/modellock.h"

static const double sanity_floor =
    0.8; /* a model that cannot fit four fifths of 48 samples learns nothing */

int fw_loop_base(const struct fw_project *p, struct fw_repo *repo, int64_t when, bool again,
                 char oid[FW_OID_HEX], struct fw_import_report *report,
                 struct fw_import_problems *problems, struct fw_err *err)
{
    const struct fw_plan *plan = p->plan;
    int rc = fw_repo_branch(repo, plan->name, oid, err);
    if (rc != FW_ENOTFOUND && !(again && rc == FW_OK))
        return rc;
    if (!plan->dataset.import) {
        if (rc == FW_OK)
            fw_err_set(err, FW_EINVAL, "there is nothing to import");
        else
            fw_err_set(err, FW_EINVAL,
                       "there is no snapshot yet on branch flywheel/%s and nothing to import",
                       plan->name);
        fw_err_at(err, plan->path, 0, 0);
        return fw_err_hint(err, "say where the data is: `dataset: {import: data/}`");
    }
    char *source = fw_fs_join(p->root, plan->dataset.import);
    if (!source)
        return fw_err_nomem(err);
    for (size_t n = strlen(source); n > 1 && source[n - 1] == '/'; n--)
        source[n - 1] = '\0';
    struct fw_import_options o = {.name = plan->name,
                                  .source = source,
                                  .task = plan->dataset.task,
                                  .classes = plan->dataset.classes,
                                  .n_classes = plan->dataset.n_classes,
                                  .dev = plan->dataset.dev,
                                  .test = plan->dataset.test,
                                  .near_copies = plan->dataset.near_copies,
                                  .seed = plan->seed,
                                  .when = when};
    rc = fw_snap_import(repo, &o, oid, report, problems, err);
    free(source);
    return rc;
}

/* The task with the class names that the snapshot has settled. */
int fw_loop_task(struct fw_loop *l, const char *oid, struct fw_err *err)
{
    json_decref(l->info);
    l->info = NULL;
    int rc = fw_snap_info(l->repo, oid, &l->info, err);
    if (rc != FW_OK)
        return rc;
    const json_t *classes = json_object_get(l->info, "classes");
    size_t n = json_array_size(classes);
    free(l->classes);
    if (!(l->classes = calloc(n + 1, sizeof *l->classes)))
        return fw_err_nomem(err);
    for (size_t i = 0; i < n; i++)
        l->classes[i] = json_string_value(json_array_get(classes, i));
    l->task = (struct fw_task_info){
        .task = l->plan->dataset.task, .classes = n ? l->classes : NULL, .n_classes = n};
    rc = fw_metric_parse(l->plan->metric.name, &l->task, &l->metric, err);
    if (rc != FW_OK)
        fw_err_at(err, l->plan->path, 0, 0);
    return rc;
}

int fw_loop_model(struct fw_loop *l, const char *oid, json_t **lock, struct fw_err *err)
{
    char dev[65], test[65];
    int rc = fw_snap_split_digest(l->repo, oid, "dev", dev, err);
    if (rc == FW_OK)
        rc = fw_snap_split_digest(l->repo, oid, "test", test, err);
    if (rc == FW_OK)
        rc = fw_modellock_make(l->plan, dev, test, lock, err);
    return rc;
}

static int hold_fixed(struct fw_loop *l, const char *oid, json_t **now, struct fw_err *err)
{
    json_t *locked = NULL;
    int rc = fw_loop_model(l, oid, now, err);
    if (rc != FW_OK)
        return rc;
    rc = fw_modellock_read(l->project->root, &locked, err);
    if (rc == FW_OK)
        rc = fw_modellock_check(locked, *now, !l->o->new_model, !l->o->new_benchmark, err);
    else if (rc == FW_ENOTFOUND || (l->o->new_model && rc == FW_ECORRUPT))
        rc = FW_OK;
    /* A deleted lock file is no way around a run that is going on. */
    const json_t *header = fw_loop_find(l, "run", -1);
    if (rc == FW_OK && l->resumed && header && !locked)
        rc = fw_modellock_check(json_object_get(header, "lock"), *now, true, true, err);
    json_decref(locked);
    return rc;
}

/* The lock is written when the model has proven to work: a first try that fails binds nobody. */
static int lock_model(struct fw_loop *l, const json_t *now, struct fw_err *err)
{
    json_t *locked = NULL;
    bool same =
        fw_modellock_read(l->project->root, &locked, NULL) == FW_OK && json_equal(locked, now);
    json_decref(locked);
    return same ? FW_OK : fw_modellock_write(l->project->root, now, err);
}

static json_t *model_stages(const struct fw_loop *l, const json_t *lock)
{
    json_t *list = json_array();
    for (size_t i = 0; i < l->plan->n_stages; i++) {
        const struct fw_stage *s = &l->plan->stages[i];
        if (!fw_modellock_covers(l->plan, s))
            continue;
        json_t *seeds = json_array();
        for (size_t j = 0; j < s->n_seeds; j++)
            json_array_append_new(seeds, json_integer((json_int_t)s->seeds[j]));
        const char *version = json_string_value(json_object_get(s->describe, "version"));
        char key[512];
        snprintf(key, sizeof key, "%s.content", s->name);
        json_t *digest = json_object_get(json_object_get(lock, "model"), key);
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:O?, s:O, s:o}", "stage", s->name, "plugin",
                            s->plugin ? s->plugin : (s->command ? s->command : "command"),
                            "plugin_version", version ? version : "", "digest", digest, "params",
                            s->params, "seeds", seeds));
    }
    return list;
}

static json_t *named(const struct fw_name_value *v, size_t n)
{
    json_t *out = json_object();
    for (size_t i = 0; i < n; i++)
        json_object_set_new(out, v[i].name, json_real(v[i].value));
    return out;
}

static json_t *limit(double v)
{
    return isnan(v) || v <= 0 ? json_null() : json_real(v);
}

static int header(struct fw_loop *l, const json_t *lock, struct fw_err *err)
{
    static const char *const rules[] = {"spend", "ladder", "threshold"};
    const struct fw_plan *p = l->plan;
    if (fw_loop_find(l, "run", -1))
        return FW_OK;
    json_t *sets = json_array(), *classes = json_array();
    for (size_t i = 0; i < l->o->n_sets; i++)
        json_array_append_new(sets, json_string(l->o->sets[i]));
    for (size_t i = 0; i < l->task.n_classes; i++)
        json_array_append_new(classes, json_string(l->task.classes[i]));
    json_t *metric = json_pack(
        "{s:s, s:b, s:o, s:{s:o, s:o}}", "name", p->metric.name, "higher_is_better",
        fw_metric_higher_is_better(&l->metric), "target",
        p->metric.has_target ? json_real(p->metric.target) : json_null(), "human_level", "default",
        isnan(p->metric.human_default) ? json_null() : json_real(p->metric.human_default),
        "classes", named(p->metric.human, p->metric.n_human));
    json_t *gate = json_pack("{s:s, s:f, s:o}", "rule", rules[p->loop.rule], "confidence",
                             p->loop.confidence, "guards", named(p->loop.guards, p->loop.n_guards));
    json_t *model = json_pack("{s:O, s:o}", "fingerprint", json_object_get(lock, "fingerprint"),
                              "stages", model_stages(l, lock));
    json_t *budget = json_pack("{s:o, s:o, s:o, s:o}", "labels", limit(p->loop.budget_labels),
                               "money", limit(p->loop.budget_money), "wall_seconds",
                               limit((double)p->loop.budget_wall_ms / 1000), "stage_seconds",
                               limit((double)p->loop.budget_stage_ms / 1000));
    json_t *record =
        json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:O, s:s, s:o}", "type",
                  "run", "run", l->run, "order", l->order, "version", FW_VERSION, "name", p->name,
                  "task", p->dataset.task == FW_REGRESSION ? "regression" : "classification",
                  "classes", classes, "metric", metric, "gate", gate, "model", model, "budget",
                  budget, "lock", lock, "plan", l->project->text, "sets", sets);
    return fw_loop_record(l, record, err);
}

static int sanity(struct fw_loop *l, const char *oid, struct fw_err *err)
{
    if (!l->plan->loop.sanity || fw_loop_find(l, "sanity", -1))
        return FW_OK;
    struct fw_graph *graph = NULL;
    struct fw_evalset *set = NULL;
    struct fw_scores *scores = NULL;
    char *dir = NULL, *rows = NULL, digest[65];
    struct fw_view_spec spec = {.split = "train", .limit = FW_SANITY_SAMPLES};
    struct fw_job job = {
        .phase = "sanity", .label = "sanity", .snapshot = oid, .task = l->task, .labels_left = NAN};
    struct fw_job *jobs[] = {&job};
    fw_observe(&l->o->observer, "{s:s, s:s}", "event", "phase", "phase", "sanity");
    int rc = fw_graph_expand(l->plan, FW_PHASE_SANITY, &graph, err);
    job.graph = graph;
    if (rc == FW_OK)
        rc = fw_runner_run(l->runner, jobs, 1, err);
    if (rc == FW_OK)
        rc = fw_snap_view(l->repo, oid, &spec, &dir, digest, err);
    if (rc == FW_OK && !(rows = fw_fs_join(dir, "samples.jsonl")))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_evalset_load_file(rows, l->plan, &l->task, &set, err);
    if (rc == FW_OK)
        rc = fw_measure_scores(l, &job, set, &scores, err);
    if (rc == FW_OK) {
        struct fw_metric m = {.id = l->task.task == FW_CLASSIFICATION ? FW_ACCURACY : FW_R2,
                              .klass = -1};
        double score = fw_evalset_metric(set, &m, scores);
        bool passed = score >= sanity_floor;
        rc = fw_loop_record(l,
                            json_pack("{s:s, s:I, s:f, s:b}", "type", "sanity", "n",
                                      (json_int_t)fw_evalset_size(set), "score",
                                      isfinite(score) ? score : 0, "passed", passed),
                            err);
        if (rc == FW_OK && !passed) {
            rc = fw_err_set(
                err, FW_ESTAGE,
                "sanity check: trained on %zu samples and tried on the same ones, the model "
                "reaches %.3f (%s); it should reach %.2f",
                fw_evalset_size(set), score, l->task.task == FW_CLASSIFICATION ? "accuracy" : "R²",
                sanity_floor);
            fw_err_hint(
                err, "the train and evaluate stages do not fit together or cannot learn this data; "
                     "`loop: {sanity: false}` skips the check");
        }
    }
    fw_scores_free(scores);
    fw_evalset_free(set);
    if (graph)
        fw_job_release(&job);
    fw_graph_free(graph);
    free(dir);
    free(rows);
    return rc;
}

struct counts {
    struct fw_loop *l;
    struct fw_rows *rows;
    size_t *n;
    double sum;
    size_t total;
};

static int count_row(void *ctx, const char *line, size_t len, struct fw_err *err)
{
    struct counts *c = ctx;
    struct fw_row row;
    int rc = fw_row_parse(c->rows, line, len, &row, err);
    if (rc != FW_OK)
        return rc;
    const struct fw_field *label = fw_row_get(&row, "label");
    c->total++;
    if (label && label->type == FW_NUMBER)
        c->sum += label->number;
    for (size_t i = 0; label && label->type == FW_STRING && i < c->l->task.n_classes; i++)
        if (!strcmp(label->str, c->l->task.classes[i]))
            c->n[i]++;
    return FW_OK;
}

static int constant_baseline(struct fw_loop *l, const char *oid, json_t *list, struct fw_err *err)
{
    struct counts c = {.l = l, .rows = fw_rows_new()};
    c.n = calloc(l->task.n_classes + 1, sizeof *c.n);
    double value = NAN;
    int best = l->task.n_classes ? 0 : -1;
    int rc =
        c.n && c.rows ? fw_snap_rows(l->repo, oid, "train", count_row, &c, err) : fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < l->task.n_classes; i++)
        if (c.n[i] > c.n[best])
            best = (int)i;
    if (rc == FW_OK)
        rc = fw_evalset_constant(l->dev, &l->metric, best, c.total ? c.sum / (double)c.total : 0,
                                 &value, err);
    if (rc == FW_OK && isfinite(value))
        json_array_append_new(list, json_pack("{s:s, s:f}", "name",
                                              best >= 0 ? "majority class" : "mean of train",
                                              "value", value));
    fw_rows_free(c.rows);
    free(c.n);
    return rc;
}

static int baselines(struct fw_loop *l, const char *oid, struct fw_err *err)
{
    if (fw_loop_find(l, "baselines", -1))
        return FW_OK;
    json_t *list = json_array();
    int rc = list ? constant_baseline(l, oid, list, err) : fw_err_nomem(err);
    if (rc == FW_OK && !isnan(l->plan->metric.human_default))
        json_array_append_new(list, json_pack("{s:s, s:f}", "name", "human level", "value",
                                              l->plan->metric.human_default));
    for (size_t i = 0; rc == FW_OK && i < l->plan->metric.n_baselines; i++) {
        const struct fw_name_text *b = &l->plan->metric.baselines[i];
        struct fw_scores *s = NULL;
        char *path = fw_fs_join(l->project->root, b->text);
        const char *paths[] = {path};
        rc = path ? fw_scores_load(l->dev, paths, 1, &s, err) : fw_err_nomem(err);
        if (rc == FW_OK)
            json_array_append_new(list, json_pack("{s:s, s:f}", "name", b->name, "value",
                                                  fw_evalset_metric(l->dev, &l->metric, s)));
        else if (!err->file[0])
            fw_err_at(err, l->plan->path, b->pos.line, b->pos.col);
        fw_scores_free(s);
        free(path);
    }
    if (rc == FW_OK)
        return fw_loop_record(l, json_pack("{s:s, s:o}", "type", "baselines", "baselines", list),
                              err);
    json_decref(list);
    return rc;
}

/* Fixes that an earlier run could neither prove nor disprove are the head to build on. "" when there are
 * none; the journal says what a resumed run began with. */
static int find_inherited(struct fw_loop *l, const char *base, char oid[FW_OID_HEX],
                          struct fw_err *err)
{
    const json_t *before = fw_loop_find(l, "inherited", -1);
    const char *said = json_string_value(json_object_get(before, "snapshot"));
    char ref[512];
    bool descends = false;
    oid[0] = '\0';
    if (before) {
        snprintf(oid, FW_OID_HEX, "%s", said ? said : "");
        return FW_OK;
    }
    snprintf(ref, sizeof ref, "refs/flywheel/provisional/%s", l->plan->name);
    int rc = fw_repo_ref(l->repo, ref, oid, err);
    if (rc == FW_OK && strcmp(oid, base))
        rc = fw_repo_descends(l->repo, oid, base, &descends, err);
    if (!descends)
        oid[0] = '\0';
    if (rc != FW_OK && rc != FW_ENOTFOUND)
        return rc;
    return fw_loop_record(l, json_pack("{s:s, s:s}", "type", "inherited", "snapshot", oid), err);
}

static int first_iteration(struct fw_loop *l, const char *oid, struct fw_err *err)
{
    char head[FW_OID_HEX];
    struct fw_measured *m[2] = {NULL, NULL};
    fw_observe(&l->o->observer, "{s:s, s:i}", "event", "iteration", "iteration", 0);
    int rc = find_inherited(l, oid, head, err);
    if (rc != FW_OK)
        return rc;
    l->inherited = head[0] != '\0';
    const char *oids[] = {oid, head}, *labels[] = {"", "provisional"};
    rc = fw_measure(l, 0, oids, labels, l->inherited ? 2 : 1, m, err);
    if (rc != FW_OK)
        return rc;
    l->base = m[0];
    l->champion = fw_measured_ref(l->base);
    l->head = l->inherited ? m[1] : fw_measured_ref(l->base);
    if (l->inherited)
        fw_observe(&l->o->observer, "{s:s, s:s, s:s}", "event", "message", "level", "info", "text",
                   "the unproven fixes of an earlier run are taken up again");
    json_t *record = json_pack("{s:s, s:i, s:s, s:n, s:O}", "type", "measured", "iteration", 0,
                               "snapshot", oid, "parent", "rows", json_object_get(l->info, "rows"));
    if (record)
        json_object_update(record, l->base->report);
    rc = fw_loop_record_once(l, record, "score", err);
    fw_observe(&l->o->observer, "{s:s, s:i, s:O}", "event", "measured", "iteration", 0, "score",
               json_object_get(l->base->report, "score"));
    fw_measure_tell_audit(l, l->base->report);
    return rc;
}

static int say_import(struct fw_loop *l, const char *oid, const struct fw_import_report *report,
                      struct fw_err *err)
{
    if (fw_loop_find(l, "base", -1))
        return FW_OK;
    if (report->rows)
        fw_observe(&l->o->observer, "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "event",
                   "import", "commit", oid, "warnings",
                   report->warnings.p ? report->warnings.p : "", "train", (json_int_t)report->train,
                   "dev", (json_int_t)report->dev, "test", (json_int_t)report->test,
                   "dropped_exact", (json_int_t)report->dropped_exact, "dropped_near",
                   (json_int_t)report->dropped_near, "what", "imported");
    return fw_loop_record(l,
                          json_pack("{s:s, s:s, s:I, s:I, s:s}", "type", "base", "snapshot", oid,
                                    "dropped_exact", (json_int_t)report->dropped_exact,
                                    "dropped_near", (json_int_t)report->dropped_near, "warnings",
                                    report->warnings.p ? report->warnings.p : ""),
                          err);
}

int fw_loop_begin(struct fw_loop *l, struct fw_loop_outcome *outcome, struct fw_err *err)
{
    char oid[FW_OID_HEX];
    struct fw_import_report report = {0};
    json_t *lock = NULL;
    const json_t *base = fw_loop_find(l, "base", -1);
    int rc = FW_OK;
    if (base)
        snprintf(oid, sizeof oid, "%s", json_string_value(json_object_get(base, "snapshot")));
    else
        rc = fw_loop_base(l->project, l->repo, fw_clock_now(), false, oid, &report,
                          &outcome->import, err);
    if (rc == FW_OK)
        rc = fw_loop_task(l, oid, err);
    if (rc == FW_OK)
        rc = hold_fixed(l, oid, &lock, err);
    if (rc == FW_OK)
        rc = header(l, lock, err);
    if (rc == FW_OK)
        rc = say_import(l, oid, &report, err);
    if (rc == FW_OK)
        rc = fw_evalset_load(l->repo, oid, "dev", l->plan, &l->task, &l->dev, err);
    if (rc == FW_OK)
        rc = sanity(l, oid, err);
    if (rc == FW_OK)
        rc = first_iteration(l, oid, err);
    if (rc == FW_OK)
        rc = lock_model(l, lock, err);
    if (rc == FW_OK)
        rc = baselines(l, oid, err);
    fw_buf_release(&report.warnings);
    json_decref(lock);
    return rc;
}
