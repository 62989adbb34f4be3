#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "stages/error_analysis/multilabel_suspects.h"
#include "stages/evaluate/multilabel.h"
#include "stages/evaluate/multilabel_ranking.h"
#include "stages/examine/examine.h"
#include "stages/examine/other_tasks.h"

enum { RESAMPLES = 1000 };

static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    {"subset_accuracy", offsetof(struct fw_multilabel_scores, subset_accuracy)},
    {"hamming_loss", offsetof(struct fw_multilabel_scores, hamming_loss)},
    {"jaccard_samples", offsetof(struct fw_multilabel_scores, jaccard_samples)},
    {"jaccard_macro", offsetof(struct fw_multilabel_scores, jaccard_macro)},
    {"micro_precision", offsetof(struct fw_multilabel_scores, micro.precision)},
    {"micro_recall", offsetof(struct fw_multilabel_scores, micro.recall)},
    {"micro_f1", offsetof(struct fw_multilabel_scores, micro.f1)},
    {"macro_precision", offsetof(struct fw_multilabel_scores, macro.precision)},
    {"macro_recall", offsetof(struct fw_multilabel_scores, macro.recall)},
    {"macro_f1", offsetof(struct fw_multilabel_scores, macro.f1)},
    {"weighted_f1", offsetof(struct fw_multilabel_scores, weighted.f1)},
    {"samples_f1", offsetof(struct fw_multilabel_scores, samples.f1)},
    {"ranking_average_precision", offsetof(struct fw_multilabel_scores, ranking_average_precision)},
};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static double number_at(const struct fw_multilabel_scores *s, size_t i)
{
    double v;
    memcpy(&v, (const char *)s + numbers[i].offset, sizeof v);
    return v;
}

struct suspect {
    size_t at; /* in N × K, or the sample */
    double score;
};

static int by_score(const void *a, const void *b)
{
    const struct suspect *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

struct work {
    const struct fw_labelsets *s;
    json_t *out, *figures;
    bool *issue;        /* N × K */
    float *class_score; /* N × K */
    size_t n_issues;
};

/* How well the probabilities rank; without intervals. */
static int put_ranking(struct work *w, json_t *list, struct fw_err *err)
{
    const struct fw_labelsets *s = w->s;
    struct fw_multilabel_ranking r;
    int rc = fw_multilabel_rank(s->n, s->k, s->given, s->probs, NULL, &r, NULL, NULL, err);
    if (rc != FW_OK)
        return rc;
    const struct {
        const char *name;
        double value;
    } lines[] = {{"macro_roc_auc", r.macro_roc_auc},
                 {"macro_average_precision", r.macro_average_precision}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (isnan(lines[i].value))
            continue;
        json_array_append_new(list, json_pack("{s:s, s:f, s:n, s:n}", "metric", lines[i].name,
                                              "value", lines[i].value, "low", "high"));
        json_object_set_new(w->figures, lines[i].name, json_real(lines[i].value));
    }
    return FW_OK;
}

static int put_metrics(struct work *w, uint64_t seed, struct fw_prf *by_class, struct fw_err *err)
{
    const struct fw_labelsets *s = w->s;
    struct fw_multilabel_scores v, low, high;
    json_t *list = json_array();
    int rc =
        fw_multilabel_score(s->n, s->k, s->given, s->predicted, s->probs, NULL, &v, by_class, err);
    if (rc == FW_OK)
        rc = fw_multilabel_interval(s->n, s->k, s->given, s->predicted, s->probs, RESAMPLES, 0.95,
                                    seed, &low, &high, err);
    for (size_t i = 0; i < NUMBERS && rc == FW_OK; i++) {
        double value = number_at(&v, i);
        if (isnan(value))
            continue;
        json_array_append_new(list,
                              json_pack("{s:s, s:f, s:o, s:o}", "metric", numbers[i].name, "value",
                                        value, "low", fw_examine_number(number_at(&low, i)), "high",
                                        fw_examine_number(number_at(&high, i))));
        json_object_set_new(w->figures, numbers[i].name, json_real(value));
    }
    if (rc == FW_OK && s->probs)
        rc = put_ranking(w, list, err);
    json_object_set_new(w->out, "metrics", list);
    return rc;
}

static int find_issues(struct work *w, enum fw_cl_filter filter, struct fw_err *err)
{
    const struct fw_labelsets *s = w->s;
    size_t cells = s->n * s->k;
    w->issue = calloc(cells + 1, sizeof *w->issue);
    w->class_score = calloc(cells + 1, sizeof *w->class_score);
    int rc = w->issue && w->class_score
                 ? fw_ml_issues(s->n, s->k, s->given, s->probs, filter, w->issue, err)
                 : fw_err_nomem(err);
    if (rc == FW_OK)
        fw_ml_class_scores(s->n, s->k, s->given, s->probs, w->class_score);
    for (size_t i = 0; i < cells && rc == FW_OK; i++)
        w->n_issues += w->issue[i];
    return rc;
}

static int put_suspects(struct work *w, struct fw_err *err)
{
    const struct fw_labelsets *s = w->s;
    size_t k = s->k, n = 0, samples = 0;
    struct suspect *v = calloc(w->n_issues + 1, sizeof *v), *of = calloc(s->n + 1, sizeof *of);
    json_t *list = json_array(), *ids = json_array();
    int rc = v && of && list && ids ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < s->n && rc == FW_OK; i++) {
        bool any = false;
        for (size_t j = 0; j < k; j++) {
            if (!w->issue[i * k + j])
                continue;
            v[n++] = (struct suspect){i * k + j, (double)w->class_score[i * k + j]};
            any = true;
        }
        if (any) /* the pool reorders the scores, which are not needed again */
            of[samples].at = i;
        samples += any;
    }
    if (rc == FW_OK) {
        qsort(v, n, sizeof *v, by_score);
        for (size_t p = 0; p < n; p++)
            json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:f}", "id", s->ids[v[p].at / k],
                                                  "class", s->classes[v[p].at % k], "given",
                                                  s->given[v[p].at] != 0, "score", v[p].score));
        for (size_t p = 0; p < samples; p++)
            of[p].score = fw_ml_pool(FW_ML_EMA, w->class_score + of[p].at * k, k);
        qsort(of, samples, sizeof *of, by_score);
        for (size_t p = 0; p < samples; p++)
            json_array_append_new(
                ids, json_pack("{s:s, s:f}", "id", s->ids[of[p].at], "score", of[p].score));
        json_object_set_new(w->figures, "label_issues",
                            fw_examine_number(s->n ? (double)n / (double)(s->n * k) : NAN));
    }
    json_object_set_new(w->out, "suspects", list);
    json_object_set_new(w->out, "samples", ids);
    free(v);
    free(of);
    return rc;
}

static int put_classes(struct work *w, const struct fw_prf *by_class, struct fw_err *err)
{
    const struct fw_labelsets *s = w->s;
    json_t *list = json_array();
    for (size_t j = 0; list && j < s->k; j++) {
        size_t given = 0, issues = 0;
        for (size_t i = 0; i < s->n; i++) {
            given += s->given[i * s->k + j];
            issues += w->issue && w->issue[i * s->k + j];
        }
        json_t *one = json_pack("{s:s, s:I, s:I}", "class", s->classes[j], "given",
                                (json_int_t)given, "issues", (json_int_t)issues);
        if (s->predicted) {
            json_object_set_new(one, "precision", json_real(by_class[j].precision));
            json_object_set_new(one, "recall", json_real(by_class[j].recall));
            json_object_set_new(one, "f1", json_real(by_class[j].f1));
        }
        json_array_append_new(list, one);
    }
    return json_object_set_new(w->out, "by_class", list) == 0 ? FW_OK : fw_err_nomem(err);
}

int fw_examine_labelsets(const struct fw_labelsets *s, enum fw_cl_filter filter, uint64_t seed,
                         json_t **out, struct fw_err *err)
{
    struct work w = {.s = s, .figures = json_object()};
    struct fw_prf *by_class = calloc(s->k + 1, sizeof *by_class);
    w.out = json_pack("{s:{s:s, s:I, s:I, s:I}}", "data", "task", "multilabel", "samples",
                      (json_int_t)s->n, "unpredicted", (json_int_t)s->unpredicted, "classes",
                      (json_int_t)s->k);
    int rc = w.figures && by_class && w.out ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && s->predicted)
        rc = put_metrics(&w, seed, by_class, err);
    if (rc == FW_OK && s->probs)
        rc = find_issues(&w, filter, err);
    if (rc == FW_OK)
        rc = put_classes(&w, by_class, err);
    if (rc == FW_OK && s->probs)
        rc = put_suspects(&w, err);
    if (rc == FW_OK && json_object_set(w.out, "figures", w.figures) != 0)
        rc = fw_err_nomem(err);
    json_decref(w.figures);
    free(by_class);
    free(w.issue);
    free(w.class_score);
    if (rc == FW_OK)
        *out = w.out;
    else
        json_decref(w.out);
    return rc;
}
