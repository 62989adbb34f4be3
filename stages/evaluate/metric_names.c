#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/evaluate/metric_kinds.h"

static const struct fw_metric_kind table[FW_METRICS] = {
    [FW_ACCURACY] = {"accuracy", FW_WAY_MARGINS, FW_OF_ALL, false},
    [FW_BALANCED_ACCURACY] = {"balanced_accuracy", FW_WAY_MARGINS, FW_OF_ALL, false},
    [FW_MCC] = {"mcc", FW_WAY_MARGINS, FW_OF_ALL, false},
    [FW_F1] = {"f1", FW_WAY_MARGINS, FW_OF_CLASS, false},
    [FW_MACRO_F1] = {"macro_f1", FW_WAY_MARGINS, FW_MACRO, false},
    [FW_MICRO_F1] = {"micro_f1", FW_WAY_MARGINS, FW_MICRO, false},
    [FW_WEIGHTED_F1] = {"weighted_f1", FW_WAY_MARGINS, FW_WEIGHTED, false},
    [FW_PRECISION] = {"precision", FW_WAY_MARGINS, FW_OF_CLASS, false},
    [FW_MACRO_PRECISION] = {"macro_precision", FW_WAY_MARGINS, FW_MACRO, false},
    [FW_MICRO_PRECISION] = {"micro_precision", FW_WAY_MARGINS, FW_MICRO, false},
    [FW_WEIGHTED_PRECISION] = {"weighted_precision", FW_WAY_MARGINS, FW_WEIGHTED, false},
    [FW_RECALL] = {"recall", FW_WAY_MARGINS, FW_OF_CLASS, false},
    [FW_MACRO_RECALL] = {"macro_recall", FW_WAY_MARGINS, FW_MACRO, false},
    [FW_MICRO_RECALL] = {"micro_recall", FW_WAY_MARGINS, FW_MICRO, false},
    [FW_WEIGHTED_RECALL] = {"weighted_recall", FW_WAY_MARGINS, FW_WEIGHTED, false},
    [FW_F_BETA] = {"f*", FW_WAY_MARGINS, FW_OF_CLASS, false},
    [FW_MACRO_F_BETA] = {"macro_f*", FW_WAY_MARGINS, FW_MACRO, false},
    [FW_MICRO_F_BETA] = {"micro_f*", FW_WAY_MARGINS, FW_MICRO, false},
    [FW_WEIGHTED_F_BETA] = {"weighted_f*", FW_WAY_MARGINS, FW_WEIGHTED, false},
    [FW_TOP_K] = {"top_*", FW_WAY_TOP_K, FW_OF_ALL, false},
    [FW_LOG_LOSS] = {"log_loss", FW_WAY_MEAN, FW_OF_ALL, true},
    [FW_BRIER] = {"brier", FW_WAY_MEAN, FW_OF_ALL, true},
    [FW_ECE] = {"ece", FW_WAY_BINS, FW_OF_ALL, true},
    [FW_ROC_AUC] = {"roc_auc", FW_WAY_RANKING, FW_OF_CLASS, false},
    [FW_MACRO_ROC_AUC] = {"macro_roc_auc", FW_WAY_RANKING, FW_MACRO, false},
    [FW_WEIGHTED_ROC_AUC] = {"weighted_roc_auc", FW_WAY_RANKING, FW_WEIGHTED, false},
    [FW_AVERAGE_PRECISION] = {"average_precision", FW_WAY_RANKING, FW_OF_CLASS, false},
    [FW_MACRO_AVERAGE_PRECISION] = {"macro_average_precision", FW_WAY_RANKING, FW_MACRO, false},
    [FW_WEIGHTED_AVERAGE_PRECISION] = {"weighted_average_precision", FW_WAY_RANKING, FW_WEIGHTED,
                                       false},
    [FW_MAE] = {"mae", FW_WAY_MEAN, FW_OF_ALL, true},
    [FW_RMSE] = {"rmse", FW_WAY_SQUARES, FW_OF_ALL, true},
    [FW_R2] = {"r2", FW_WAY_SQUARES, FW_OF_ALL, false},
};

const struct fw_metric_kind *fw_metric_kind(const struct fw_metric *m)
{
    return &table[m->id];
}

enum fw_task fw_metric_task(const struct fw_metric *m)
{
    return m->id >= FW_MAE ? FW_REGRESSION : FW_CLASSIFICATION;
}

bool fw_metric_is_accuracy(const struct fw_metric *m)
{
    return m->id == FW_ACCURACY || m->id == FW_WEIGHTED_RECALL ||
           (table[m->id].way == FW_WAY_MARGINS && table[m->id].average == FW_MICRO);
}

double fw_metric_beta(const struct fw_metric *m)
{
    if (m->id >= FW_F_BETA && m->id <= FW_WEIGHTED_F_BETA)
        return m->param;
    return m->id <= FW_WEIGHTED_F1 ? 1 : m->id <= FW_WEIGHTED_PRECISION ? 0 : INFINITY;
}

static int unknown(const char *text, const struct fw_task_info *task, struct fw_err *err)
{
    fw_err_set(err, FW_EINVAL, "unknown metric '%.100s'", text);
    fw_err_hint(
        err, "%s",
        task->task == FW_REGRESSION
            ? "metrics are mae, rmse, r2"
            : "metrics are accuracy, balanced_accuracy, mcc, top_5, log_loss, brier, ece; and "
              "precision, recall, f1, f2, roc_auc, average_precision, written "
              "recall:CLASS, macro_recall, weighted_recall or micro_recall");
    return FW_EINVAL;
}

/* "top_5" is like "top_*"; the number goes to *param. */
static bool is_like(const char *text, size_t n, const char *name, double *param)
{
    const char *star = strchr(name, '*');
    char number[32];
    if (!star)
        return strlen(name) == n && strncmp(name, text, n) == 0;
    size_t before = (size_t)(star - name), len = n - before;
    if (n <= before || strncmp(name, text, before) != 0 || len >= sizeof number)
        return false;
    memcpy(number, text + before, len);
    number[len] = '\0';
    if (strspn(number, "0123456789.") != len)
        return false;
    char *end;
    *param = strtod(number, &end);
    return *end == '\0';
}

static int check_param(const struct fw_metric *m, const struct fw_task_info *task,
                       struct fw_err *err)
{
    if (m->id == FW_TOP_K) {
        if (!(m->param >= 1 && m->param <= 1e6 && m->param == floor(m->param)))
            return fw_err_set(err, FW_EINVAL, "top_N wants a whole number of guesses, 1 or more");
        if (task->n_classes && m->param >= (double)task->n_classes)
            return fw_err_set(err, FW_EINVAL, "top_%g of %zu classes is always 1", m->param,
                              task->n_classes);
    } else if (strchr(table[m->id].name, '*') && !(m->param >= 1e-3 && m->param <= 1e3)) {
        return fw_err_set(err, FW_EINVAL, "beta of an F score is between 0.001 and 1000");
    }
    return FW_OK;
}

static int check_class(const struct fw_metric_kind *kind, const char *text, const char *colon,
                       struct fw_err *err)
{
    int n = colon ? (int)(colon - text) : (int)strlen(text);
    if ((kind->average == FW_OF_CLASS) == (colon && colon[1]))
        return FW_OK;
    if (kind->average != FW_OF_CLASS)
        return fw_err_set(err, FW_EINVAL, "metric '%.*s' is of all classes: leave out ':%.100s'", n,
                          text, colon ? colon + 1 : "");
    fw_err_set(err, FW_EINVAL, "metric '%.*s' is of one class: write %.*s:CLASS", n, text, n, text);
    fw_err_hint(err, "for the mean over the classes write macro_%.*s", n, text);
    return FW_EINVAL;
}

int fw_metric_parse(const char *text, const struct fw_task_info *task, struct fw_metric *out,
                    struct fw_err *err)
{
    const char *colon = strchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    struct fw_metric m = {FW_ACCURACY, -1, 0};
    int id = 0;
    while (id < FW_METRICS && !is_like(text, n, table[id].name, &m.param))
        id++;
    if (id == FW_METRICS)
        return unknown(text, task, err);
    m.id = (enum fw_metric_id)id;
    if (!strchr(table[id].name, '*'))
        m.param = 0;
    enum fw_task for_task = fw_metric_task(&m);
    if (for_task != task->task)
        return fw_err_set(err, FW_EINVAL, "metric '%.*s' is for %s, and the task is %s", (int)n,
                          text, for_task == FW_REGRESSION ? "regression" : "classification",
                          task->task == FW_REGRESSION ? "regression" : "classification");
    int rc = check_class(&table[id], text, colon, err);
    if (rc == FW_OK)
        rc = check_param(&m, task, err);
    if (rc != FW_OK)
        return rc;
    for (size_t i = 0; colon && i < task->n_classes; i++)
        if (!strcmp(task->classes[i], colon + 1))
            m.klass = (int)i;
    if (colon && task->n_classes && m.klass < 0)
        return fw_err_set(err, FW_EINVAL, "metric '%.100s' names an unknown class", text);
    *out = m;
    return FW_OK;
}

const char *fw_metric_name(const struct fw_metric *m, const struct fw_task_info *task, char *out,
                           size_t size)
{
    bool known = m->klass >= 0 && (size_t)m->klass < task->n_classes;
    const char *name = table[m->id].name, *star = strchr(name, '*');
    char number[32] = "";
    if (star)
        snprintf(number, sizeof number, "%.15g", m->param);
    snprintf(out, size, "%.*s%s%s%s", (int)(star ? star - name : (long)strlen(name)), name, number,
             known ? ":" : "", known ? task->classes[m->klass] : "");
    return out;
}

bool fw_metric_higher_is_better(const struct fw_metric *m)
{
    return !table[m->id].lower_is_better;
}

bool fw_metric_from_confusion(const struct fw_metric *m)
{
    return table[m->id].way == FW_WAY_MARGINS;
}

bool fw_metric_needs_probs(const struct fw_metric *m)
{
    return table[m->id].way != FW_WAY_MARGINS && fw_metric_task(m) == FW_CLASSIFICATION;
}
