#include "stages/error_analysis/analysis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/buf.h"
#include "stages/error_analysis/slicing.h"
#include "stages/evaluate/compare.h"

enum { MAX_CONFUSIONS = 100 };

/* The number that a table of names gives to a slice: by class name, by its text, else the default.
 */
static double named(const json_t *table, const struct fw_slice_count *c, double otherwise)
{
    const json_t *v = c->klass ? json_object_get(table, c->klass) : NULL;
    if (!v)
        v = json_object_get(table, c->text);
    if (!v)
        v = json_object_get(table, "default");
    return json_is_number(v) ? json_number_value(v) : otherwise;
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static json_t *number_or_null(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

struct entry { /* one slice, ready to be sorted and written */
    const struct fw_slice_count *c;
    double metric, low, high, human, gap, importance, ease, worth, priority;
};

static void judge_slice(const struct fw_analysis_input *in, const struct fw_slicing *s,
                        struct entry *e)
{
    const struct fw_slice_count *c = e->c;
    bool regression = in->task->task == FW_REGRESSION;
    double n = (double)c->n;
    e->human = named(in->human_level, c, regression ? 0 : 1);
    e->importance = named(in->importance, c, 1);
    e->ease = named(in->ease, c, 1);
    e->metric = e->low = e->high = e->gap = NAN;
    if (!c->n)
        return;
    e->metric = c->sum / n;
    if (regression) {
        double spread = fmax(0, c->square / n - e->metric * e->metric);
        double half = fw_normal_quantile(0.975) * sqrt(spread / n);
        e->low = fmax(0, e->metric - half);
        e->high = e->metric + half;
        e->gap = fmax(0, e->metric - e->human);
    } else {
        fw_wilson(c->sum, n, 0.95, &e->low, &e->high);
        e->gap = fmax(0, e->human - e->metric);
    }
    e->worth = e->gap * share(n, (double)s->dev_n);
    e->priority = e->worth * e->importance * e->ease;
}

static int by_priority(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->c->n != y->c->n)
        return x->c->n > y->c->n ? -1 : 1;
    return strcmp(x->c->text, y->c->text);
}

static json_t *slice_json(const struct entry *e, const struct fw_slicing *s)
{
    const struct fw_slice_count *c = e->c;
    return json_pack("{s:s, s:s?, s:I, s:f, s:I, s:o, s:o, s:o, s:I, s:f, s:f, s:o, s:f, s:f, s:f, "
                     "s:f}",
                     "slice", c->text, "class", c->klass, "n", (json_int_t)c->n, "share",
                     share((double)c->n, (double)s->dev_n), "train_n", (json_int_t)c->train_n,
                     "metric", number_or_null(e->metric), "low", number_or_null(e->low), "high",
                     number_or_null(e->high), "errors", (json_int_t)c->errors, "error_share",
                     share((double)c->errors, (double)s->errors), "human_level", e->human, "gap",
                     number_or_null(e->gap), "importance", e->importance, "ease", e->ease, "worth",
                     e->worth, "priority", e->priority);
}

static int put_slices(const struct fw_analysis_input *in, const struct fw_slicing *s, json_t *root,
                      struct fw_err *err)
{
    json_t *list = json_array();
    struct entry *e = calloc(s->n + 1, sizeof *e);
    bool bad = !list || !e;
    for (size_t i = 0; i < s->n && !bad; i++) {
        e[i].c = &s->v[i];
        judge_slice(in, s, &e[i]);
    }
    if (!bad)
        qsort(e, s->n, sizeof *e, by_priority);
    for (size_t i = 0; i < s->n && !bad; i++)
        bad = json_array_append_new(list, slice_json(&e[i], s)) != 0;
    free(e);
    bad = json_object_set_new(root, "slices", list) != 0 || bad;
    return bad ? fw_err_nomem(err) : FW_OK;
}

struct pair {
    size_t t, p, n;
};

static int by_pair(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    if (x->t != y->t)
        return x->t < y->t ? -1 : 1;
    return x->p < y->p ? -1 : x->p > y->p;
}

/* counts: K × K, dev. */
static int put_confusions(const struct fw_analysis_input *in, const double *counts, size_t k,
                          json_t *root, struct fw_err *err)
{
    json_t *list = json_array();
    struct pair *pairs = malloc((k * k + 1) * sizeof *pairs);
    bool bad = !list || !pairs;
    size_t n = 0;
    for (size_t i = 0; i < k * k && !bad; i++)
        if (i / k != i % k && counts[i] > 0)
            pairs[n++] = (struct pair){i / k, i % k, (size_t)counts[i]};
    if (!bad)
        qsort(pairs, n, sizeof *pairs, by_pair);
    for (size_t i = 0; i < n && i < MAX_CONFUSIONS && !bad; i++) {
        double row = 0;
        for (size_t j = 0; j < k; j++)
            row += counts[pairs[i].t * k + j];
        bad = json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:f}", "true",
                                                    in->task->classes[pairs[i].t], "predicted",
                                                    in->task->classes[pairs[i].p], "n",
                                                    (json_int_t)pairs[i].n, "rate",
                                                    share((double)pairs[i].n, row))) != 0;
    }
    free(pairs);
    bad = json_object_set_new(root, "confusions", list) != 0 || bad;
    return bad ? fw_err_nomem(err) : FW_OK;
}

/* The whole metric on dev, and the confusions behind it. */
static int put_metric(const struct fw_analysis_input *in, json_t *root, struct fw_err *err)
{
    size_t n = in->data->n, used = 0, k = in->task->n_classes, cells;
    char name[256];
    int rc = FW_OK;
    if (__builtin_mul_overflow(n + 1, (k + 1) * sizeof(float), &cells))
        return fw_err_nomem(err);
    int *truth = malloc((n + 1) * sizeof *truth), *pred = malloc((n + 1) * sizeof *pred);
    double *value = malloc((n + 1) * 2 * sizeof *value);
    double *counts = calloc(k * k + 1, sizeof *counts);
    float *probs = malloc(cells);
    if (!truth || !pred || !value || !counts || !probs) {
        rc = fw_err_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        const struct fw_sample *s = &in->data->samples[i];
        long at = strcmp(s->split, "dev") ? -1 : fw_predictions_find(in->dev, s->id);
        if (at < 0)
            continue;
        truth[used] = s->klass;
        value[used] = s->value;
        value[n + used] = in->dev->value ? in->dev->value[at] : NAN;
        pred[used] = in->dev->pred ? in->dev->pred[at] : -1;
        if (in->dev->probs)
            memcpy(probs + used * k, in->dev->probs + (size_t)at * k, k * sizeof *probs);
        used++;
    }
    double v = fw_metric_value(&in->metric, used, k, truth, pred, in->dev->probs ? probs : NULL,
                               value, value + n);
    if (k)
        fw_confusion_add(counts, k, truth, pred, used, 1);
    json_t *metric =
        json_pack("{s:s, s:o}", "name", fw_metric_name(&in->metric, in->task, name, sizeof name),
                  "value", number_or_null(v));
    if (json_object_set_new(root, "metric", metric) != 0)
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = put_confusions(in, counts, k, root, err);
out:
    free(truth);
    free(pred);
    free(value);
    free(counts);
    free(probs);
    return rc;
}

/* How many more train samples the slice needs; 0 when it is covered. */
static double missing(const struct fw_analysis_input *in, const struct fw_slicing *s,
                      const struct fw_slice_count *c)
{
    double t = (double)c->train_n, all = (double)s->train_n, low, high, need = 0;
    double dev = share((double)c->n, (double)s->dev_n);
    fw_wilson((double)c->n, (double)s->dev_n, 0.95, &low, &high);
    if (share(t, all) < low && dev < 1)
        need = ceil((dev * all - t) / (1 - dev));
    double equal = in->task->n_classes ? all / (double)in->task->n_classes : 0;
    if (c->klass && t < equal / 4)
        need = fmax(need, ceil(equal / 2 - t));
    return fmax(need, 0);
}

static int put_coverage(const struct fw_analysis_input *in, const struct fw_slicing *s,
                        json_t *root, json_t *notes, struct fw_err *err)
{
    json_t *list = json_array();
    bool bad = !list;
    for (size_t i = 0; i < s->n && !bad; i++) {
        const struct fw_slice_count *c = &s->v[i];
        double need = missing(in, s, c);
        size_t at = 0;
        if (c->klass && !c->train_n)
            bad =
                json_array_append_new(
                    notes, json_sprintf("Class '%s' has no train sample: the model cannot know it.",
                                        c->klass)) != 0;
        if (need < 1 || bad)
            continue;
        json_t *one = json_pack("{s:s, s:f, s:f, s:I}", "slice", c->text, "train_share",
                                share((double)c->train_n, (double)s->train_n), "dev_share",
                                share((double)c->n, (double)s->dev_n), "missing", (json_int_t)need);
        while (at < json_array_size(list) &&
               json_integer_value(json_object_get(json_array_get(list, at), "missing")) >=
                   (json_int_t)need)
            at++;
        bad = json_array_insert_new(list, at, one) != 0;
    }
    bad = json_object_set_new(root, "coverage", list) != 0 || bad;
    return bad ? fw_err_nomem(err) : FW_OK;
}

static int tell(const struct fw_analysis_input *in, const struct fw_slicing *s, json_t *notes,
                struct fw_err *err)
{
    bool bad = false;
    if (!s->dev_n)
        bad = json_array_append_new(
                  notes, json_string("There is no judged dev sample, so nothing can be said about "
                                     "slices.")) != 0;
    if (!bad && in->task->task == FW_CLASSIFICATION && !json_object_size(in->human_level))
        bad = json_array_append_new(
                  notes,
                  json_string("No human level is given: every gap is the gap to 100 %, the "
                              "most that could be gained. Worth is in points of accuracy.")) != 0;
    return bad ? fw_err_nomem(err) : FW_OK;
}

int fw_analysis_build(const struct fw_analysis_input *in, json_t **out, struct fw_err *err)
{
    struct fw_slicing s = {0};
    json_t *root = json_pack("{s:i}", "version", 1), *notes = json_array();
    int rc = root && notes ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = put_metric(in, root, err);
    if (rc == FW_OK)
        rc = fw_slicing_count(in, &s, notes, err);
    if (rc == FW_OK)
        rc = put_slices(in, &s, root, err);
    if (rc == FW_OK)
        rc = fw_analysis_suspects(in, root, notes, err);
    if (rc == FW_OK)
        rc = put_coverage(in, &s, root, notes, err);
    if (rc == FW_OK)
        rc = tell(in, &s, notes, err);
    if (rc == FW_OK && json_object_set(root, "notes", notes) != 0)
        rc = fw_err_nomem(err);
    fw_slicing_release(&s);
    json_decref(notes);
    if (rc == FW_OK)
        *out = root;
    else
        json_decref(root);
    return rc;
}
