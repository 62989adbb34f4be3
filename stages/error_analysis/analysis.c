#include "stages/error_analysis/analysis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/buf.h"
#include "stages/error_analysis/entries.h"
#include "stages/error_analysis/exchange.h"

enum { MAX_CONFUSIONS = 100 };

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static json_t *number_or_null(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
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

/* The whole metric on what is judged. values: the true ones, for regression. */
static int whole_metric(const struct fw_analysis_input *in, const struct fw_judged *j,
                        const double *values, double *out, struct fw_err *err)
{
    size_t k = in->task->n_classes, cells;
    bool ordered = in->dev->probs && !fw_metric_from_confusion(&in->metric);
    if (__builtin_mul_overflow(j->n + 1, (k + 1) * sizeof(float), &cells))
        return fw_err_nomem(err);
    double *pred = in->dev->value ? malloc((j->n + 1) * sizeof *pred) : NULL;
    float *probs = ordered ? malloc(cells) : NULL;
    if ((in->dev->value && !pred) || (ordered && !probs)) {
        free(pred);
        free(probs);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < j->n; i++) {
        if (pred)
            pred[i] = in->dev->value[j->at[i]];
        if (probs)
            memcpy(probs + i * k, in->dev->probs + j->at[i] * k, k * sizeof *probs);
    }
    *out = fw_metric_value(&in->metric, j->n, k, j->truth, j->pred, probs, values, pred);
    free(pred);
    free(probs);
    return FW_OK;
}

/* The metric, and the confusions behind it. */
static int put_metric(const struct fw_analysis_input *in, const struct fw_judged *j,
                      const double *values, json_t *root, struct fw_err *err)
{
    size_t k = in->task->n_classes, cells;
    char name[256];
    double value = NAN;
    int rc = whole_metric(in, j, values, &value, err);
    if (rc != FW_OK)
        return rc;
    if (__builtin_mul_overflow(k, k + 1, &cells))
        return fw_err_nomem(err);
    double *counts = calloc(cells + 1, sizeof *counts);
    if (!counts)
        return fw_err_nomem(err);
    if (j->truth)
        fw_confusion_add(counts, k, j->truth, j->pred, j->n, 1);
    json_t *metric =
        json_pack("{s:s, s:o}", "name", fw_metric_name(&in->metric, in->task, name, sizeof name),
                  "value", number_or_null(value));
    rc = json_object_set_new(root, "metric", metric) ? fw_err_nomem(err) : FW_OK;
    if (rc == FW_OK)
        rc = put_confusions(in, counts, k, root, err);
    free(counts);
    return rc;
}

static int put_coverage(const struct fw_analysis_input *in, const struct fw_slicing *s,
                        json_t *root, json_t *notes, struct fw_err *err)
{
    json_t *list = json_array();
    bool bad = !list;
    for (size_t i = 0; i < s->n && !bad; i++) {
        const struct fw_slice_count *c = &s->v[i];
        double need = fw_slice_missing(in, s, c);
        const struct fw_slice_base *base = c->held_out ? &s->half : &s->all;
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
                                share((double)c->n, (double)base->n), "missing", (json_int_t)need);
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
    if (!s->all.n)
        bad = json_array_append_new(
                  notes,
                  json_sprintf("There is no judged %ssample, so nothing can be said about slices.",
                               in->judge_all ? "" : "dev ")) != 0;
    if (!bad && in->task->task == FW_CLASSIFICATION && !json_object_size(in->human_level))
        bad = json_array_append_new(
                  notes,
                  json_string("No human level is given: every gap is the gap to 100 %, the "
                              "most that could be gained. Worth is in points of accuracy.")) != 0;
    return bad ? fw_err_nomem(err) : FW_OK;
}

/* What the metric of a slice's rows is computed from. */
static int true_values(const struct fw_analysis_input *in, const struct fw_judged *j, double **out,
                       struct fw_err *err)
{
    double *v = malloc((j->n + 1) * sizeof *v);
    if (!v)
        return fw_err_nomem(err);
    for (size_t i = 0; i < j->n; i++)
        v[i] = in->data->samples[j->row[i]].value;
    *out = v;
    return FW_OK;
}

static int build(const struct fw_analysis_input *in, json_t *root, json_t *notes,
                 struct fw_err *err)
{
    struct fw_slicing s = {0};
    struct fw_judged j = {0};
    struct fw_found found = {0};
    struct fw_ids suspects = {0};
    struct fw_worth_base worth[2] = {0};
    double *value = NULL;
    int rc = fw_judged_make(in, &j, err);
    if (rc == FW_OK && !j.truth)
        rc = true_values(in, &j, &value, err);
    struct fw_worth_rows rows = {.n = j.n,
                                 .k = in->task->n_classes,
                                 .truth = j.truth,
                                 .pred = j.pred,
                                 .loss = j.loss,
                                 .at = j.at,
                                 .value = value};
    rows.probs = in->dev->has_probs ? in->dev->probs : NULL;
    struct fw_worth_rows half = rows;
    half.left_out = j.explored;
    if (rc == FW_OK)
        rc = fw_worth_open(&in->metric, &rows, &worth[0], err);
    if (rc == FW_OK)
        rc = fw_worth_open(&in->metric, &half, &worth[1], err);
    if (rc == FW_OK)
        rc = put_metric(in, &j, value, root, err);
    if (rc == FW_OK)
        rc = fw_analysis_suspects(in, root, notes, &suspects, err);
    if (rc == FW_OK)
        rc = fw_found_make(in, &j, notes, &found, err);
    if (rc == FW_OK)
        rc = fw_slicing_count(in, &j, &found, in->out_of_fold ? &suspects : NULL, &s, notes, err);
    if (rc == FW_OK)
        rc = fw_analysis_slices(in, &j, &s, worth, root, err);
    if (rc == FW_OK)
        rc = put_coverage(in, &s, root, notes, err);
    if (rc == FW_OK)
        rc = fw_exchange_json(in, root, notes, err);
    if (rc == FW_OK)
        rc = tell(in, &s, notes, err);
    fw_worth_close(&worth[0]);
    fw_worth_close(&worth[1]);
    fw_slicing_release(&s);
    fw_found_release(&found);
    fw_ids_release(&suspects);
    fw_judged_release(&j);
    free(value);
    return rc;
}

int fw_analysis_build(const struct fw_analysis_input *in, json_t **out, struct fw_err *err)
{
    json_t *root = json_pack("{s:i}", "version", 1), *notes = json_array();
    int rc = root && notes ? build(in, root, notes, err) : fw_err_nomem(err);
    if (rc == FW_OK && json_object_set(root, "notes", notes) != 0)
        rc = fw_err_nomem(err);
    json_decref(notes);
    if (rc == FW_OK)
        *out = root;
    else
        json_decref(root);
    return rc;
}
