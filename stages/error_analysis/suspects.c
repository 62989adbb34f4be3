/* Which train labels look wrong, and how many there may be. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/error_analysis/judged.h"
#include "stages/error_analysis/analysis.h"
#include "stages/error_analysis/regression_suspects.h"

struct suspect {
    double score;
    size_t i; /* in the arrays below */
};

struct judged { /* train samples that have a label and an out-of-fold prediction */
    size_t n;
    const struct fw_sample **samples;
    size_t *at; /* row of the prediction */
    int *labels;
    float *probs; /* N × K */
    bool *issue;
    double *score;
    struct suspect *found;
    size_t n_found;
};

static int by_score(const void *a, const void *b)
{
    const struct suspect *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return x->i < y->i ? -1 : 1;
}

static int collect(const struct fw_analysis_input *in, struct judged *j, struct fw_err *err)
{
    size_t n = in->data->n + 1, k = in->task->n_classes + 1, cells;
    if (__builtin_mul_overflow(n, k * sizeof(float), &cells))
        return fw_err_nomem(err);
    j->samples = calloc(n, sizeof(struct fw_sample *));
    j->at = malloc(n * sizeof *j->at);
    j->labels = malloc(n * sizeof *j->labels);
    j->probs = malloc(cells);
    j->issue = calloc(n, sizeof *j->issue);
    j->score = malloc(n * sizeof *j->score);
    j->found = malloc(n * sizeof *j->found);
    if (!j->samples || !j->at || !j->labels || !j->probs || !j->issue || !j->score || !j->found)
        return fw_err_nomem(err);
    bool regression = in->task->task == FW_REGRESSION;
    for (size_t i = 0; i < in->data->n; i++) {
        const struct fw_sample *s = &in->data->samples[i];
        long at = fw_analysis_trains(in, s) ? fw_predictions_find(in->out_of_fold, s->id) : -1;
        if (at < 0 || (regression ? isnan(s->value) : s->klass < 0))
            continue;
        j->samples[j->n] = s;
        j->at[j->n] = (size_t)at;
        j->labels[j->n] = s->klass;
        if (!regression)
            memcpy(j->probs + j->n * (k - 1), in->out_of_fold->probs + (size_t)at * (k - 1),
                   (k - 1) * sizeof *j->probs);
        j->n++;
    }
    return FW_OK;
}

static void release(struct judged *j)
{
    free(j->samples);
    free(j->at);
    free(j->labels);
    free(j->probs);
    free(j->issue);
    free(j->score);
    free(j->found);
}

static bool in_set(const struct fw_ids *set, const struct fw_sample *s)
{
    return set && fw_ids_find(set, s->id) >= 0;
}

/* The share of labels that are still wrong. What people have found right counts as right: it helps
 * to set the thresholds, and only the rest is estimated. A label that was answered otherwise, but
 * stayed as it was, belongs to the rest. */
static int put_noise(const struct fw_analysis_input *in, const struct judged *j,
                     const struct fw_probs *p, json_t *root, struct fw_err *err)
{
    size_t k = p->k;
    double *thresholds = malloc((k + 1) * sizeof *thresholds), wrong = 0;
    uint64_t *joint = malloc((k * k + 1) * sizeof *joint);
    size_t *counts = calloc(k + 1, sizeof *counts);
    int *unseen = malloc((j->n + 1) * sizeof *unseen);
    json_t *list = json_array();
    int rc = thresholds && joint && counts && unseen && list ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK) {
        for (size_t i = 0; i < j->n; i++) {
            counts[j->labels[i]]++;
            unseen[i] = in_set(in->looked_at, j->samples[i]) ? -1 : j->labels[i];
        }
        rc = fw_cl_thresholds(p, j->labels, thresholds, err);
    }
    if (rc == FW_OK) {
        rc = fw_cl_joint(p, unseen, thresholds, true, joint, err);
    }
    for (size_t c = 0; c < k && rc == FW_OK; c++) {
        double off = 0, n = (double)counts[c];
        for (size_t t = 0; t < k; t++)
            off += t == c ? 0 : (double)joint[c * k + t];
        wrong += off;
        if (json_array_append_new(list,
                                  json_pack("{s:s, s:I, s:f}", "class", in->task->classes[c], "n",
                                            (json_int_t)counts[c], "rate", n > 0 ? off / n : 0.0)))
            rc = fw_err_nomem(err);
    }
    if (rc == FW_OK) {
        json_t *noise =
            json_pack("{s:f, s:I, s:f, s:O}", "rate", j->n ? wrong / (double)j->n : 0.0, "labelled",
                      (json_int_t)j->n, "estimated_errors", wrong, "by_class", list);
        if (json_object_set_new(root, "noise", noise) != 0)
            rc = fw_err_nomem(err);
    }
    json_decref(list);
    free(thresholds);
    free(joint);
    free(counts);
    free(unseen);
    return rc;
}

static void keep_issues(const struct fw_analysis_input *in, struct judged *j)
{
    for (size_t i = 0; i < j->n; i++)
        if (j->issue[i] && !in_set(in->not_asked, j->samples[i]))
            j->found[j->n_found++] = (struct suspect){j->score[i], i};
    qsort(j->found, j->n_found, sizeof *j->found, by_score);
}

static int by_confidence(const struct fw_analysis_input *in, struct judged *j, json_t *root,
                         json_t *notes, struct fw_err *err)
{
    struct fw_probs p = {j->n, in->task->n_classes, j->probs, NULL};
    enum fw_cl_filter filter = in->filter;
    int rc = FW_OK;
    if (in->out_of_fold->has_probs) {
        rc = put_noise(in, j, &p, root, err);
    } else {
        filter = FW_CL_PREDICTED_NEQ_GIVEN;
        if (json_array_append_new(
                notes,
                json_string("The out-of-fold predictions have no probabilities: suspects are "
                            "the samples predicted otherwise, and the share of wrong labels "
                            "is not estimated.")) != 0 ||
            json_object_set_new(root, "noise", json_null()) != 0)
            rc = fw_err_nomem(err);
    }
    if (rc == FW_OK)
        rc = fw_cl_issues(&p, j->labels, filter, 1, j->issue, NULL, err);
    if (rc == FW_OK)
        rc = fw_cl_scores(&p, j->labels, in->score, j->score, err);
    if (rc == FW_OK)
        keep_issues(in, j);
    return rc;
}

static int by_residual(const struct fw_analysis_input *in, struct judged *j, json_t *root,
                       struct fw_err *err)
{
    double *given = malloc((2 * j->n + 1) * sizeof *given),
           *predicted = given ? given + j->n : NULL;
    if (!given || json_object_set_new(root, "noise", json_null()) != 0) {
        free(given);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < j->n; i++) {
        given[i] = j->samples[i]->value;
        predicted[i] = in->out_of_fold->value[j->at[i]];
    }
    int rc = fw_regression_suspects(given, predicted, j->n, 3.5, j->issue, j->score, NULL, err);
    free(given);
    if (rc == FW_OK)
        keep_issues(in, j);
    return rc;
}

/* The most probable class other than the given one. */
static int suggestion(const float *row, size_t k, int label)
{
    int best = -1;
    for (size_t c = 0; c < k; c++)
        if ((int)c != label && (best < 0 || row[c] > row[best]))
            best = (int)c;
    return best < 0 ? label : best;
}

static int put_suspects(const struct fw_analysis_input *in, const struct judged *j, json_t *root,
                        struct fw_err *err)
{
    size_t k = in->task->n_classes;
    json_t *list = json_array();
    bool bad = !list;
    for (size_t f = 0; f < j->n_found && f < in->max_suspects && !bad; f++) {
        size_t i = j->found[f].i;
        char label[40] = "", other[40] = "";
        const char *method = "residual", *from = label, *to = other;
        if (in->task->task == FW_REGRESSION) {
            snprintf(label, sizeof label, "%.17g", j->samples[i]->value);
            snprintf(other, sizeof other, "%.6g", in->out_of_fold->value[j->at[i]]);
        } else {
            method = in->out_of_fold->has_probs ? "confident-learning" : "predicted-otherwise";
            from = in->task->classes[j->labels[i]];
            to = in->task->classes[suggestion(j->probs + i * k, k, j->labels[i])];
        }
        bad = json_array_append_new(list,
                                    json_pack("{s:s, s:s, s:s, s:f, s:s}", "id", j->samples[i]->id,
                                              "label", from, "suggested", to, "score",
                                              j->found[f].score, "method", method)) != 0;
    }
    bad = json_object_set_new(root, "suspects", list) != 0 || bad;
    return bad ? fw_err_nomem(err) : FW_OK;
}

int fw_analysis_suspects(const struct fw_analysis_input *in, json_t *root, json_t *notes,
                         struct fw_ids *all, struct fw_err *err)
{
    struct judged j = {0};
    int rc = FW_OK;
    if (!in->out_of_fold) {
        if (json_object_set_new(root, "suspects", json_array()) != 0 ||
            json_object_set_new(root, "noise", json_null()) != 0 ||
            json_array_append_new(
                notes, json_string("There are no out-of-fold predictions (folds: of the train "
                                   "stage), so no label is suspected.")) != 0)
            return fw_err_nomem(err);
        return FW_OK;
    }
    rc = collect(in, &j, err);
    if (rc == FW_OK)
        rc = in->task->task == FW_REGRESSION ? by_residual(in, &j, root, err)
                                             : by_confidence(in, &j, root, notes, err);
    if (rc == FW_OK)
        rc = put_suspects(in, &j, root, err);
    for (size_t f = 0; f < j.n_found && rc == FW_OK; f++)
        if (fw_ids_add(all, j.samples[j.found[f].i]->id) < 0)
            rc = fw_err_nomem(err);
    release(&j);
    return rc;
}
