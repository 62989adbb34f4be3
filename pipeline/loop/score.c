#include "pipeline/loop/score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/loop/score_parts.h"
#include "stages/data/predictions.h"
#include "stages/evaluate/permutation.h"

enum { PERMUTATIONS = 2000, RESAMPLES = 10000 };

void fw_evalset_free(struct fw_evalset *set)
{
    if (!set)
        return;
    HASH_CLEAR(hh, set->by_id);
    fw_watches_release(set);
    fw_rows_free(set->rows);
    free(set->klass);
    free(set->value);
    fw_arena_release(&set->arena);
    free(set);
}

size_t fw_evalset_size(const struct fw_evalset *set)
{
    return set->n;
}

const struct fw_task_info *fw_evalset_task(const struct fw_evalset *set)
{
    return &set->task;
}

static int class_of(const struct fw_task_info *task, const char *name)
{
    for (size_t i = 0; name && i < task->n_classes; i++)
        if (!strcmp(task->classes[i], name))
            return (int)i;
    return -1;
}

static int grow(struct fw_evalset *set, struct fw_err *err)
{
    size_t cap = set->cap ? 2 * set->cap : 1024;
    int *klass = realloc(set->klass, cap * sizeof *klass);
    if (klass)
        set->klass = klass;
    double *value = realloc(set->value, cap * sizeof *value);
    if (value)
        set->value = value;
    if (!klass || !value)
        return fw_err_nomem(err);
    int rc = fw_watches_grow(set, cap, err);
    if (rc != FW_OK)
        return rc;
    set->cap = cap;
    return FW_OK;
}

static int on_row(void *ctx, const char *line, size_t len, struct fw_err *err)
{
    struct fw_evalset *set = ctx;
    struct fw_row row;
    int rc = fw_row_parse(set->rows, line, len, &row, err);
    if (rc == FW_OK && set->n == set->cap)
        rc = grow(set, err);
    if (rc != FW_OK)
        return rc;
    const char *id = fw_row_str(&row, "id");
    const struct fw_field *label = fw_row_get(&row, "label");
    struct fw_evalset_item *item = fw_arena_alloc(&set->arena, sizeof *item);
    if (!id || !item || !(item->id = fw_arena_strdup(&set->arena, id)))
        return id ? fw_err_nomem(err) : fw_err_set(err, FW_ECORRUPT, "a row has no id");
    item->index = set->n;
    HASH_ADD_KEYPTR(hh, set->by_id, item->id, strlen(item->id), item);
    set->klass[set->n] =
        class_of(&set->task, label && label->type == FW_STRING ? label->str : NULL);
    set->value[set->n] = label && label->type == FW_NUMBER ? label->number : NAN;
    fw_watches_row(set, &row);
    set->n++;
    return FW_OK;
}

static int on_file_row(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    (void)line;
    return on_row(ctx, row->line, row->line_len, err);
}

static int evalset_new(const struct fw_plan *plan, const struct fw_task_info *task, bool watched,
                       struct fw_evalset **out, struct fw_err *err)
{
    struct fw_evalset *set = calloc(1, sizeof *set);
    if (!set)
        return fw_err_nomem(err);
    struct fw_metric metric;
    set->plan = plan;
    set->task = *task;
    set->rows = fw_rows_new();
    int rc = set->rows ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_metric_parse(plan->metric.name, task, &metric, err);
    if (rc == FW_OK && watched)
        rc = fw_watches_make(set, &metric, err);
    if (rc == FW_OK)
        *out = set;
    else
        fw_evalset_free(set);
    return rc;
}

int fw_evalset_load(struct fw_repo *repo, const char *oid, const char *split,
                    const struct fw_plan *plan, const struct fw_task_info *task,
                    struct fw_evalset **out, struct fw_err *err)
{
    struct fw_evalset *set = NULL;
    int rc = evalset_new(plan, task, true, &set, err);
    if (rc == FW_OK)
        rc = fw_snap_rows(repo, oid, split, on_row, set, err);
    if (rc == FW_OK && set->n == 0)
        rc = fw_err_set(err, FW_EINVAL, "the %s split of snapshot %.12s is empty", split, oid);
    if (rc == FW_OK)
        *out = set;
    else
        fw_evalset_free(set);
    return rc;
}

int fw_evalset_load_file(const char *path, const struct fw_plan *plan,
                         const struct fw_task_info *task, struct fw_evalset **out,
                         struct fw_err *err)
{
    struct fw_evalset *set = NULL;
    int rc = evalset_new(plan, task, false, &set, err);
    if (rc == FW_OK)
        rc = fw_rows_each(path, on_file_row, set, err);
    if (rc == FW_OK && set->n == 0)
        rc = fw_err_set(err, FW_EINVAL, "%s holds no sample", path);
    if (rc == FW_OK)
        *out = set;
    else
        fw_evalset_free(set);
    return rc;
}

struct fw_truth fw_evalset_truth(const struct fw_evalset *set)
{
    bool classes = set->task.task == FW_CLASSIFICATION;
    return (struct fw_truth){.n = set->n,
                             .k = set->task.n_classes,
                             .klass = classes ? set->klass : NULL,
                             .value = classes ? NULL : set->value};
}

int fw_evalset_constant(const struct fw_evalset *set, const struct fw_metric *metric, int klass,
                        double value, double *out, struct fw_err *err)
{
    int *pred = calloc(set->n, sizeof *pred);
    double *values = calloc(set->n, sizeof *values);
    float *probs = NULL;
    size_t k = set->task.n_classes;
    int rc = pred && values ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && k && !(probs = calloc(set->n * k, sizeof *probs)))
        rc = fw_err_nomem(err);
    for (size_t i = 0; i < set->n && rc == FW_OK; i++) {
        pred[i] = klass;
        values[i] = value;
        if (probs && klass >= 0)
            probs[i * k + (size_t)klass] = 1;
    }
    if (rc == FW_OK)
        *out = fw_metric_value(metric, set->n, k, set->klass, pred, probs, set->value, values);
    free(pred);
    free(values);
    free(probs);
    return rc;
}

void fw_scores_free(struct fw_scores *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->view.seeds; i++) {
        free(s->pred ? (void *)s->pred[i] : NULL);
        free(s->probs ? (void *)s->probs[i] : NULL);
        free(s->value ? (void *)s->value[i] : NULL);
    }
    free(s->pred);
    free(s->probs);
    free(s->value);
    free(s);
}

static int load_seed(const struct fw_evalset *set, const char *path, struct fw_scores *s,
                     size_t seed, struct fw_err *err)
{
    struct fw_predictions *p = NULL;
    size_t k = set->task.n_classes;
    int rc = fw_predictions_load(path, &set->task, &p, err);
    if (rc != FW_OK)
        return rc;
    int *pred = s->pred ? malloc(set->n * sizeof *pred) : NULL;
    bool scored = s->probs && p->has_probs; /* else a row says the class, not how sure it is */
    float *probs = scored ? malloc(set->n * k * sizeof *probs) : NULL;
    double *value = s->value ? malloc(set->n * sizeof *value) : NULL;
    if ((s->pred && !pred) || (scored && !probs) || (s->value && !value))
        rc = fw_err_nomem(err);
    size_t hits = 0;
    for (size_t i = 0; i < p->n && rc == FW_OK; i++) {
        struct fw_evalset_item *item;
        HASH_FIND_STR(set->by_id, p->ids[i], item);
        if (!item)
            continue;
        hits++;
        if (pred)
            pred[item->index] = p->pred[i];
        if (probs)
            memcpy(probs + item->index * k, p->probs + i * k, k * sizeof *probs);
        if (value)
            value[item->index] = p->value[i];
    }
    if (rc == FW_OK && hits != set->n)
        rc = fw_err_set(err, FW_EINVAL, "%s predicts %zu of %zu samples", path, hits, set->n);
    fw_predictions_free(p);
    if (rc != FW_OK) {
        free(pred);
        free(probs);
        free(value);
        return rc;
    }
    if (s->pred)
        s->pred[seed] = pred;
    if (s->probs)
        s->probs[seed] = probs;
    if (s->value)
        s->value[seed] = value;
    return FW_OK;
}

int fw_scores_load(const struct fw_evalset *set, const char *const *paths, size_t seeds,
                   struct fw_scores **out, struct fw_err *err)
{
    bool classes = set->task.task == FW_CLASSIFICATION;
    struct fw_scores *s = calloc(1, sizeof *s);
    int rc = s ? FW_OK : fw_err_nomem(err);
    if (rc != FW_OK)
        return rc;
    s->view.seeds = seeds;
    if (classes) {
        s->pred = calloc(seeds + 1, sizeof *s->pred);
        s->probs = calloc(seeds + 1, sizeof *s->probs);
    } else {
        s->value = calloc(seeds + 1, sizeof *s->value);
    }
    if (classes ? !s->pred || !s->probs : !s->value)
        rc = fw_err_nomem(err);
    for (size_t i = 0; i < seeds && rc == FW_OK; i++)
        rc = load_seed(set, paths[i], s, i, err);
    s->view.pred = s->pred;
    s->view.probs = s->probs;
    s->view.value = s->value;
    if (rc == FW_OK)
        *out = s;
    else
        fw_scores_free(s);
    return rc;
}

static double one(const struct fw_evalset *set, const struct fw_metric *m,
                  const struct fw_scores *s, size_t seed)
{
    return fw_metric_value(m, set->n, set->task.n_classes, set->klass,
                           s->pred ? s->pred[seed] : NULL, s->probs ? s->probs[seed] : NULL,
                           set->value, s->value ? s->value[seed] : NULL);
}

double fw_evalset_metric(const struct fw_evalset *set, const struct fw_metric *m,
                         const struct fw_scores *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->view.seeds; i++)
        sum += one(set, m, s, i);
    return sum / (double)s->view.seeds;
}

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *metrics_of(const struct fw_evalset *set, const struct fw_metric *metric,
                          const struct fw_scores *s)
{
    static const enum fw_metric_id classes[] = {
        FW_ACCURACY, FW_BALANCED_ACCURACY, FW_MACRO_F1, FW_WEIGHTED_F1,
        FW_MCC,      FW_LOG_LOSS,          FW_BRIER};
    static const enum fw_metric_id values[] = {FW_MAE, FW_RMSE, FW_R2};
    bool c = set->task.task == FW_CLASSIFICATION;
    json_t *out = json_object();
    char name[256];
    for (size_t i = 0; i < (c ? sizeof classes / sizeof *classes : sizeof values / sizeof *values);
         i++) {
        struct fw_metric m = {.id = c ? classes[i] : values[i], .klass = -1};
        json_object_set_new(out, fw_metric_name(&m, &set->task, name, sizeof name),
                            number(fw_evalset_metric(set, &m, s)));
    }
    json_object_set_new(out, fw_metric_name(metric, &set->task, name, sizeof name),
                        number(fw_evalset_metric(set, metric, s)));
    return out;
}

static int class_report(const struct fw_evalset *set, const struct fw_scores *s, json_t *out,
                        struct fw_err *err)
{
    size_t k = set->task.n_classes;
    double *confusion = calloc(k * k, sizeof *confusion);
    struct fw_class_score *scores = calloc(k, sizeof *scores);
    json_t *matrix = json_array(), *list = json_array();
    int rc = confusion && scores && matrix && list ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < s->view.seeds && rc == FW_OK; i++)
        fw_confusion_add(confusion, k, set->klass, s->pred[i], set->n, 1.0 / (double)s->view.seeds);
    if (rc == FW_OK)
        fw_class_scores(confusion, k, scores);
    for (size_t i = 0; i < k && rc == FW_OK; i++) {
        json_t *row = json_array();
        size_t n = 0;
        for (size_t j = 0; j < k; j++)
            json_array_append_new(row, json_real(round(confusion[i * k + j] * 1000) / 1000));
        for (size_t j = 0; j < set->n; j++)
            n += set->klass[j] == (int)i;
        json_array_append_new(matrix, row);
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:o, s:o, s:o}", "class", set->task.classes[i], "n",
                            (json_int_t)n, "precision", number(scores[i].precision), "recall",
                            number(scores[i].recall), "f1", number(scores[i].f1)));
    }
    json_object_set_new(out, "per_class", list);
    json_object_set_new(out, "confusion", matrix);
    free(confusion);
    free(scores);
    return rc;
}

int fw_scores_report(const struct fw_evalset *set, const struct fw_metric *metric,
                     const struct fw_scores *s, double level, uint64_t seed, json_t **out,
                     struct fw_err *err)
{
    struct fw_truth truth = fw_evalset_truth(set);
    double value, low, high;
    int rc = fw_score_interval(metric, &truth, &s->view, RESAMPLES, level, seed, &value, &low,
                               &high, err);
    if (rc != FW_OK)
        return rc;
    json_t *report = json_object(), *seeds = json_array(), *audit = NULL;
    if (!report || !seeds) {
        json_decref(report);
        json_decref(seeds);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < s->view.seeds; i++)
        json_array_append_new(seeds, number(one(set, metric, s, i)));
    json_object_set_new(report, "score",
                        json_pack("{s:o, s:o, s:o, s:o}", "value", number(value), "low",
                                  number(low), "high", number(high), "per_seed", seeds));
    json_object_set_new(report, "metrics", metrics_of(set, metric, s));
    if (set->task.task == FW_CLASSIFICATION)
        rc = class_report(set, s, report, err);
    if (rc == FW_OK)
        rc = fw_watches_audit(set, s, level, seed, &audit, err);
    if (rc == FW_OK && json_array_size(audit))
        json_object_set(report, "audit", audit);
    json_decref(audit);
    if (rc == FW_OK)
        *out = report;
    else
        json_decref(report);
    return rc;
}

int fw_scores_permute(const struct fw_evalset *set, const struct fw_metric *metric,
                      const struct fw_scores *before, const struct fw_scores *after, uint64_t seed,
                      double *p, struct fw_err *err)
{
    struct fw_truth truth = fw_evalset_truth(set);
    struct fw_permutation out;
    *p = NAN;
    if (!fw_metric_from_confusion(metric) || before->view.seeds != after->view.seeds)
        return FW_OK;
    int rc = fw_permute(metric, &truth, &before->view, &after->view, PERMUTATIONS, seed, &out, err);
    if (rc == FW_OK)
        *p = out.p;
    return rc;
}

int fw_scores_compare(const struct fw_evalset *set, const struct fw_metric *metric,
                      const struct fw_scores *before, const struct fw_scores *after, double level,
                      size_t resamples, uint64_t seed, struct fw_comparison *out,
                      struct fw_err *err)
{
    struct fw_truth truth = fw_evalset_truth(set);
    return fw_compare(metric, &truth, &before->view, &after->view, resamples, level, seed, out,
                      err);
}
