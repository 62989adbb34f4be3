/* Which labels are probably wrong, and how healthy each class is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "stages/error_analysis/health.h"
#include "stages/error_analysis/label_quality.h"
#include "stages/error_analysis/regression_suspects.h"
#include "stages/examine/examine.h"

static int by_score(const void *a, const void *b, void *ctx)
{
    const double *score = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (score[x] != score[y])
        return score[x] < score[y] ? -1 : 1;
    return x < y ? -1 : 1;
}

struct labels {
    const struct fw_examine *x;
    struct fw_label_quality q;
};

/* The most probable class other than the given one. */
static int suggestion(const struct fw_probs *p, size_t i, int given)
{
    int best = -1;
    double most = -1;
    for (size_t j = 0; j < p->k; j++) {
        double v = p->d ? p->d[i * p->k + j] : (double)p->f[i * p->k + j];
        if ((int)j != given && v > most) {
            best = (int)j;
            most = v;
        }
    }
    return best < 0 ? given : best;
}

static json_t *issues_json(const struct labels *w)
{
    const struct fw_labelled *l = w->x->l;
    const char *const *names = l->task.classes;
    json_t *list = json_array();
    char id[24];
    for (size_t f = 0; list && f < w->q.n_issues && f < w->x->listed; f++) {
        size_t i = w->q.order[f];
        json_t *one = json_pack(
            "{s:s, s:s, s:s, s:f}", "id", fw_labelled_id(l, i, id), "label", names[l->klass[i]],
            "suggested", names[suggestion(&l->probs, i, l->klass[i])], "score", w->q.score[i]);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *classes_json(const struct labels *w)
{
    const char *const *names = w->x->l->task.classes;
    struct fw_class_health *h = calloc(w->q.k + 1, sizeof *h);
    size_t *flagged = calloc(w->q.k + 1, sizeof *flagged);
    json_t *list = h && flagged ? json_array() : NULL;
    if (list)
        fw_class_health(w->q.joint, w->q.k, h);
    for (size_t f = 0; list && f < w->q.n_issues; f++)
        flagged[w->x->l->klass[w->q.order[f]]]++;
    for (size_t c = 0; list && c < w->q.k; c++)
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "class",
                                        names[h[c].klass], "given", (json_int_t)h[c].given,
                                        "issues", (json_int_t)flagged[h[c].klass], "wrong",
                                        (json_int_t)h[c].wrong, "missing", (json_int_t)h[c].missing,
                                        "noise", fw_examine_number(h[c].noise), "inverse_noise",
                                        fw_examine_number(h[c].inverse_noise)));
    free(h);
    free(flagged);
    return list;
}

static json_t *overlaps_json(const struct labels *w)
{
    const char *const *names = w->x->l->task.classes;
    struct fw_class_overlap *o = NULL;
    size_t n = 0;
    if (fw_class_overlaps(w->q.joint, w->q.k, &o, &n, NULL) != FW_OK)
        return NULL;
    json_t *list = json_array();
    for (size_t i = 0; list && i < n; i++)
        json_array_append_new(list, json_pack("{s:[s, s], s:I, s:f}", "classes", names[o[i].a],
                                              names[o[i].b], "n", (json_int_t)o[i].n, "share",
                                              o[i].share));
    free(o);
    return list;
}

static int put(const struct labels *w, struct fw_err *err)
{
    const struct fw_examine *x = w->x;
    double noise = w->q.noise_rate, labelled = (double)w->q.labelled;
    json_t *part = json_pack("{s:s, s:s, s:f, s:f, s:I, s:o, s:o, s:o}", "filter",
                             fw_cl_filter_name(x->filter), "score", fw_cl_score_name(x->score),
                             "noise_rate", noise, "estimated_errors", noise * labelled, "n_issues",
                             (json_int_t)w->q.n_issues, "issues", issues_json(w), "classes",
                             classes_json(w), "overlapping", overlaps_json(w));
    if (json_object_set_new(x->out, "labels", part) != 0)
        return fw_err_nomem(err);
    int rc = fw_examine_figure(x, "noise_rate", noise, err);
    if (rc == FW_OK && w->q.n_issues > x->listed)
        rc = fw_examine_note(x, err, "Of %zu label issues the first %zu are listed.", w->q.n_issues,
                             x->listed);
    if (rc == FW_OK)
        rc = fw_examine_figure(x, "label_issues",
                               labelled > 0 ? (double)w->q.n_issues / labelled : NAN, err);
    return rc;
}

/* Values that lie far from what is predicted. */
static int numbers(const struct fw_examine *x, struct fw_err *err)
{
    const struct fw_labelled *l = x->l;
    struct fw_residuals r;
    if (!l->predicted)
        return fw_examine_note(x, err, "Without predictions no label is suspected.");
    bool *issue = calloc(l->n + 1, sizeof *issue);
    double *score = calloc(l->n + 1, sizeof *score);
    uint32_t *order = calloc(l->n + 1, sizeof *order);
    size_t n = 0;
    int rc = issue && score && order
                 ? fw_regression_suspects(l->value, l->predicted, l->n, 3.5, issue, score, &r, err)
                 : fw_err_nomem(err);
    json_t *list = json_array();
    for (size_t i = 0; i < l->n && rc == FW_OK; i++)
        if (issue[i])
            order[n++] = (uint32_t)i;
    if (rc == FW_OK)
        qsort_r(order, n, sizeof *order, by_score, score);
    for (size_t f = 0; f < n && f < x->listed && rc == FW_OK; f++) {
        size_t i = order[f];
        char id[24], given[40], other[40];
        snprintf(given, sizeof given, "%.6g", l->value[i]);
        snprintf(other, sizeof other, "%.6g", l->predicted[i]);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:f}", "id", fw_labelled_id(l, i, id),
                                        "label", given, "suggested", other, "score", score[i]));
    }
    if (rc == FW_OK && json_object_set_new(x->out, "labels",
                                           json_pack("{s:s, s:I, s:O}", "filter", "residual",
                                                     "n_issues", (json_int_t)n, "issues", list)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_examine_figure(x, "label_issues", r.n ? (double)n / (double)r.n : NAN, err);
    json_decref(list);
    free(issue);
    free(score);
    free(order);
    return rc;
}

int fw_examine_labels(const struct fw_examine *x, struct fw_err *err)
{
    struct labels w = {.x = x};
    size_t labelled = 0;
    if (x->l->task.task == FW_REGRESSION)
        return numbers(x, err);
    if (!x->l->probs.n)
        return fw_examine_note(x, err,
                               "There are no predicted probabilities, so no label is "
                               "suspected: give out-of-sample predictions with probs.");
    if (x->l->task.n_classes < 2)
        return fw_examine_note(x, err, "With a single class no label can be wrong.");
    for (size_t i = 0; i < x->l->n; i++)
        labelled += x->l->klass[i] >= 0;
    if (!labelled)
        return fw_examine_note(x, err, "No sample is labelled, so no label is suspected.");
    int rc = fw_label_quality(&x->l->probs, x->l->klass, x->filter, x->score, 1, &w.q, err);
    if (rc == FW_OK) {
        rc = put(&w, err);
        fw_label_quality_release(&w.q);
    }
    return rc;
}
