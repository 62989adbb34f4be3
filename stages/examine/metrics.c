/* How good the predictions are. */
#include <math.h>
#include <stdlib.h>

#include "stages/evaluate/calibration.h"
#include "stages/evaluate/scorecard.h"
#include "stages/examine/examine.h"

enum {
    RANKED = 2000000, /* samples up to which probabilities are ranked: that takes a sorted copy */
    CLASSES = 100,    /* up to which each class has lines of its own */
    RESAMPLED = 1000000
};

static size_t resamples_for(size_t n)
{
    return n <= 20000 ? 2000 : n <= RESAMPLED ? 200 : 0;
}

/* A resample of a ranking visits every sample for every class. */
static size_t ranked_resamples(size_t n, size_t k)
{
    double most = 1e8 / ((double)n * (double)(k ? k : 1) + 1);
    return most >= 2000 ? 2000 : most >= 100 ? (size_t)most : 0;
}

/* NULL, or the probabilities as float32: mapped ones as they are, others copied to *own. */
static int float_probs(const struct fw_labelled *l, float **own, const float **out,
                       struct fw_err *err)
{
    size_t cells;
    *own = NULL;
    *out = l->probs.f;
    if (!l->probs.d)
        return FW_OK;
    if (__builtin_mul_overflow(l->probs.n, l->probs.k, &cells) ||
        !(*own = reallocarray(NULL, cells + 1, sizeof **own)))
        return fw_err_nomem(err);
    for (size_t i = 0; i < cells; i++)
        (*own)[i] = (float)l->probs.d[i];
    *out = *own;
    return FW_OK;
}

static json_t *line_json(const struct fw_examine *x, const struct fw_score_line *line)
{
    char name[300];
    return json_pack("{s:s, s:o, s:o, s:o}", "metric",
                     fw_metric_name(&line->metric, &x->l->task, name, sizeof name), "value",
                     fw_examine_number(line->value), "low", fw_examine_number(line->low), "high",
                     fw_examine_number(line->high));
}

/* What needs no sorting, for sets too large to be ranked. */
static int put_plain(const struct fw_examine *x, const struct fw_metric_data *data, json_t *list,
                     struct fw_err *err)
{
    static const char *const names[] = {"log_loss", "brier", "ece"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct fw_score_line line = {.low = NAN, .high = NAN};
        int rc = fw_metric_parse(names[i], &x->l->task, &line.metric, err);
        if (rc == FW_OK)
            rc = fw_metric_measure(&line.metric, data, &line.value, err);
        if (rc != FW_OK)
            return rc;
        json_array_append_new(list, line_json(x, &line));
        rc = fw_examine_figure(x, names[i], line.value, err);
        if (rc != FW_OK)
            return rc;
    }
    return FW_OK;
}

/* The lines that need probabilities, or those that do not. */
static int put_card(const struct fw_examine *x, const struct fw_scorecard *card, bool probs,
                    json_t *list, struct fw_err *err)
{
    int rc = FW_OK;
    char name[300];
    for (size_t i = 0; i < card->n_lines && rc == FW_OK; i++) {
        const struct fw_score_line *line = &card->groups[0].lines[i];
        if (isnan(line->value) || fw_metric_needs_probs(&line->metric) != probs)
            continue;
        json_array_append_new(list, line_json(x, line));
        if (line->metric.klass >= 0)
            continue; /* fw_examine_value() measures these when they are required */
        rc = fw_examine_figure(x, fw_metric_name(&line->metric, &x->l->task, name, sizeof name),
                               line->value, err);
    }
    return rc;
}

static json_t *confusion_json(const struct fw_labelled *l)
{
    size_t k = l->task.n_classes;
    double *counts = calloc(k * k + 1, sizeof *counts);
    json_t *rows = counts ? json_array() : NULL;
    if (counts)
        fw_confusion_add(counts, k, l->klass, l->pred, l->n, 1);
    for (size_t i = 0; rows && i < k; i++) {
        json_t *row = json_array();
        for (size_t j = 0; j < k; j++)
            json_array_append_new(row, json_integer((json_int_t)counts[i * k + j]));
        json_array_append_new(rows, row);
    }
    free(counts);
    return rows;
}

static json_t *reliability_json(const struct fw_labelled *l, const float *probs)
{
    struct fw_reliability_bin bin[FW_ECE_BINS];
    struct fw_calibration c;
    if (fw_reliability(probs, l->klass, NULL, l->n, l->task.n_classes, FW_ECE_BINS, false, bin, &c,
                       NULL) != FW_OK)
        return NULL;
    json_t *list = json_array();
    for (size_t b = 0; b < FW_ECE_BINS; b++)
        json_array_append_new(list, json_pack("{s:f, s:f, s:I, s:o, s:o}", "low", bin[b].low,
                                              "high", bin[b].high, "n", (json_int_t)bin[b].n,
                                              "confidence", fw_examine_number(bin[b].confidence),
                                              "accuracy", fw_examine_number(bin[b].accuracy)));
    return list;
}

int fw_examine_metrics(const struct fw_examine *x, struct fw_err *err)
{
    const struct fw_labelled *l = x->l;
    bool regression = l->task.task == FW_REGRESSION;
    size_t k = l->task.n_classes;
    if (!l->pred && !l->predicted)
        return fw_examine_note(x, err, "Without predictions nothing is measured.");
    float *own = NULL;
    const float *probs = NULL;
    struct fw_scorecard card = {.n_groups = 0};
    json_t *part = json_object(), *list = json_array();
    int rc = part && list ? float_probs(l, &own, &probs, err) : fw_err_nomem(err);
    bool ranked = l->n <= RANKED;
    struct fw_scorecard_in in = {.data = {.n = l->n,
                                          .k = k,
                                          .truth = l->klass,
                                          .pred = l->pred,
                                          .value_true = l->value,
                                          .value_pred = l->predicted},
                                 .level = 0.95,
                                 .resamples = resamples_for(l->n),
                                 .seed = x->seed,
                                 .per_class = k <= CLASSES};
    if (rc == FW_OK)
        rc = fw_scorecard(&in, &card, err);
    if (rc == FW_OK)
        rc = put_card(x, &card, false, list, err);
    if (rc == FW_OK && probs && ranked) {
        fw_scorecard_release(&card);
        card = (struct fw_scorecard){.n_groups = 0};
        in.data.probs = probs;
        in.resamples = ranked_resamples(l->n, k);
        rc = fw_scorecard(&in, &card, err);
        if (rc == FW_OK)
            rc = put_card(x, &card, true, list, err);
        if (rc == FW_OK && !in.resamples)
            rc = fw_examine_note(x, err,
                                 "Metrics of probabilities have no interval: resampling so "
                                 "many samples and classes would take long.");
    }
    if (rc == FW_OK && probs && !ranked) {
        in.data.probs = probs;
        rc = put_plain(x, &in.data, list, err);
        if (rc == FW_OK)
            rc = fw_examine_note(x, err,
                                 "More than %d samples: probabilities are not ranked (ROC AUC, "
                                 "average precision), and there are no bootstrap intervals.",
                                 RANKED);
    }
    if (rc == FW_OK)
        json_object_set(part, "overall", list);
    if (rc == FW_OK && !regression && k <= CLASSES)
        json_object_set_new(part, "confusion", confusion_json(l));
    if (rc == FW_OK && probs && !regression)
        json_object_set_new(part, "reliability", reliability_json(l, probs));
    if (rc == FW_OK && json_object_set(x->out, "metrics", part) != 0)
        rc = fw_err_nomem(err);
    fw_scorecard_release(&card);
    free(own);
    json_decref(list);
    json_decref(part);
    return rc;
}
