/* The value that a requirement is about: a figure of the result, or a metric, perhaps on a slice. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/buf.h"
#include "pipeline/base/suggest.h"
#include "stages/error_analysis/slice.h"
#include "stages/evaluate/metrics.h"
#include "stages/examine/examine.h"

/* Leaves out, as unlabelled, what is not in the slice. klass and value: N, may be NULL. */
static int keep_slice(const struct fw_labelled *l, const char *text, int *klass, double *value,
                      size_t *kept, struct fw_err *err)
{
    struct fw_slice *slice = NULL;
    struct fw_rows *rows = NULL;
    int rc = l->data ? fw_slice_parse(text, &slice, err)
                     : fw_err_set(err, FW_EINVAL, "'%s': arrays have no fields to choose by", text);
    if (rc == FW_OK && !(rows = fw_rows_new()))
        rc = fw_err_nomem(err);
    *kept = 0;
    for (size_t i = 0; i < l->n && rc == FW_OK; i++) {
        const struct fw_sample *s = &l->data->samples[l->row[i]];
        struct fw_row row;
        rc = fw_row_parse(rows, s->raw, s->raw_len, &row, err);
        if (rc != FW_OK)
            break;
        bool in = fw_slice_match(slice, &row);
        *kept += in;
        if (!in && klass)
            klass[i] = -1;
        if (!in && value)
            value[i] = NAN;
    }
    fw_rows_free(rows);
    fw_slice_free(slice);
    return rc;
}

static int unknown(const json_t *figures, const char *name, struct fw_err *err)
{
    const char *names[256], *key;
    json_t *v;
    size_t n = 0;
    struct fw_buf all = {0};
    json_object_foreach ((json_t *)figures, key, v) {
        if (n < 256)
            names[n++] = key;
        fw_buf_printf(&all, "%s%s", all.len ? ", " : "", key);
    }
    fw_err_set(err, FW_EINVAL, "there is no figure '%.100s'", name);
    const char *near = fw_suggest(name, names, n);
    if (near)
        fw_err_hint(err, "did you mean '%s'?", near);
    else if (all.len)
        fw_err_hint(err, "figures are a metric, or %.400s", all.p);
    fw_buf_release(&all);
    return FW_EINVAL;
}

int fw_examine_value(const struct fw_labelled *l, const json_t *figures, const struct fw_require *r,
                     double *value, struct fw_err *err)
{
    const json_t *known = json_object_get(figures, r->name);
    struct fw_metric m;
    if (known && !r->slice[0]) {
        *value = json_is_number(known) ? json_number_value(known) : NAN;
        return FW_OK;
    }
    struct fw_err why = {0};
    if (!l->n && r->slice[0])
        return fw_err_set(err, FW_EINVAL, "'%s where': slices are of classes or numbers only",
                          r->name);
    if (!l->n) /* boxes, or sets of labels: only their figures */
        return unknown(figures, r->name, err);
    char macro[300];
    snprintf(macro, sizeof macro, "macro_%s", r->name);
    if (fw_metric_parse(r->name, &l->task, &m, &why) != FW_OK &&
        (strchr(r->name, ':') || fw_metric_parse(macro, &l->task, &m, NULL) != FW_OK)) {
        if (strchr(r->name, ':') || known) {
            if (err)
                *err = why;
            return FW_EINVAL;
        }
        return unknown(figures, r->name, err);
    }
    if (!l->pred && !l->predicted)
        return fw_err_set(err, FW_EINVAL, "'%s' needs predictions", r->name);
    size_t n = l->n, k = l->task.n_classes, kept = n, cells;
    int *klass = l->klass ? malloc((n + 1) * sizeof *klass) : NULL;
    double *truth = l->value ? malloc((n + 1) * sizeof *truth) : NULL;
    float *probs = NULL;
    const float *given = l->probs.f;
    int rc = (l->klass && !klass) || (l->value && !truth) ? fw_err_nomem(err) : FW_OK;
    if (rc == FW_OK && klass)
        memcpy(klass, l->klass, n * sizeof *klass);
    if (rc == FW_OK && truth)
        memcpy(truth, l->value, n * sizeof *truth);
    if (rc == FW_OK && r->slice[0])
        rc = keep_slice(l, r->slice, klass, truth, &kept, err);
    if (rc == FW_OK && l->probs.d && !fw_metric_from_confusion(&m)) {
        if (__builtin_mul_overflow(n, k, &cells) ||
            !(probs = reallocarray(NULL, cells + 1, sizeof *probs)))
            rc = fw_err_nomem(err);
        for (size_t i = 0; rc == FW_OK && i < cells; i++)
            probs[i] = (float)l->probs.d[i];
        given = probs;
    }
    if (rc == FW_OK)
        *value = kept ? fw_metric_value(&m, n, k, klass, l->pred, given, truth, l->predicted) : NAN;
    free(klass);
    free(truth);
    free(probs);
    return rc;
}
