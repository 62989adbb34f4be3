/* Which labels are probably wrong, and how healthy each class is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/error_analysis/health.h"
#include "stages/examine/examine.h"

struct labels {
    const struct fw_examine *x;
    size_t n, k;
    bool *issue;
    double *score;
    uint32_t *found; /* n_found flagged samples, the lowest score first */
    size_t n_found;
    double *thresholds;
    uint64_t *joint; /* K × K, calibrated */
};

static int by_score(const void *a, const void *b, void *ctx)
{
    const double *score = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (score[x] != score[y])
        return score[x] < score[y] ? -1 : 1;
    return x < y ? -1 : 1;
}

static int find(struct labels *w, struct fw_err *err)
{
    const struct fw_labelled *l = w->x->l;
    size_t n = w->n, k = w->k;
    w->issue = malloc(n + 1);
    w->thresholds = malloc((k + 1) * sizeof *w->thresholds);
    w->joint = malloc((k * k + 1) * sizeof *w->joint);
    int rc = w->issue && w->thresholds && w->joint
                 ? fw_cl_issues(&l->probs, l->klass, w->x->filter, 1, w->issue, &w->n_found, err)
                 : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_cl_thresholds(&l->probs, l->klass, w->thresholds, err);
    if (rc == FW_OK)
        rc = fw_cl_joint(&l->probs, l->klass, w->thresholds, true, w->joint, err);
    if (rc == FW_OK && (!(w->score = malloc((n + 1) * sizeof *w->score)) ||
                        !(w->found = malloc((w->n_found + 1) * sizeof *w->found))))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_cl_scores(&l->probs, l->klass, w->x->score, w->score, err);
    if (rc != FW_OK)
        return rc;
    w->n_found = 0;
    for (size_t i = 0; i < n; i++)
        if (w->issue[i])
            w->found[w->n_found++] = (uint32_t)i;
    qsort_r(w->found, w->n_found, sizeof *w->found, by_score, w->score);
    return FW_OK;
}

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
    for (size_t f = 0; list && f < w->n_found && f < FW_EXAMINE_LISTED; f++) {
        size_t i = w->found[f];
        json_t *one = json_pack("{s:s, s:s, s:s, s:f}", "id", fw_labelled_id(l, i, id), "label",
                                names[l->klass[i]], "suggested",
                                names[suggestion(&l->probs, i, l->klass[i])], "score", w->score[i]);
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
    struct fw_class_health *h = calloc(w->k + 1, sizeof *h);
    size_t *flagged = calloc(w->k + 1, sizeof *flagged);
    json_t *list = h && flagged ? json_array() : NULL;
    if (list)
        fw_class_health(w->joint, w->k, h);
    for (size_t f = 0; list && f < w->n_found; f++)
        flagged[w->x->l->klass[w->found[f]]]++;
    for (size_t c = 0; list && c < w->k; c++)
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
    if (fw_class_overlaps(w->joint, w->k, &o, &n, NULL) != FW_OK)
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
    double noise = fw_cl_noise_rate(w->joint, w->k), labelled = 0;
    for (size_t i = 0; i < w->n; i++)
        labelled += x->l->klass[i] >= 0;
    json_t *part = json_pack("{s:s, s:s, s:f, s:f, s:I, s:o, s:o, s:o}", "filter",
                             fw_cl_filter_name(x->filter), "score", fw_cl_score_name(x->score),
                             "noise_rate", noise, "estimated_errors", noise * labelled, "n_issues",
                             (json_int_t)w->n_found, "issues", issues_json(w), "classes",
                             classes_json(w), "overlapping", overlaps_json(w));
    if (json_object_set_new(x->out, "labels", part) != 0)
        return fw_err_nomem(err);
    int rc = fw_examine_figure(x, "noise_rate", noise, err);
    if (rc == FW_OK && w->n_found > FW_EXAMINE_LISTED)
        rc = fw_examine_note(x, err, "Of %zu label issues the first %d are listed.", w->n_found,
                             FW_EXAMINE_LISTED);
    if (rc == FW_OK)
        rc = fw_examine_figure(x, "label_issues",
                               labelled > 0 ? (double)w->n_found / labelled : NAN, err);
    return rc;
}

int fw_examine_labels(const struct fw_examine *x, struct fw_err *err)
{
    struct labels w = {.x = x, .n = x->l->n, .k = x->l->task.n_classes};
    if (x->l->task.task == FW_REGRESSION)
        return fw_examine_note(x, err, "Label issues are looked for among classes only.");
    if (!x->l->probs.n)
        return fw_examine_note(x, err,
                               "There are no predicted probabilities, so no label is "
                               "suspected: give out-of-sample predictions with probs.");
    if (w.k < 2)
        return fw_examine_note(x, err, "With a single class no label can be wrong.");
    int rc = find(&w, err);
    if (rc == FW_OK)
        rc = put(&w, err);
    free(w.issue);
    free(w.score);
    free(w.found);
    free(w.thresholds);
    free(w.joint);
    return rc;
}
