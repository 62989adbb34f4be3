#include "stages/evaluate/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum fw_task task;
    bool of_class, lower_is_better;
} table[FW_METRICS] = {
    [FW_ACCURACY] = {"accuracy", FW_CLASSIFICATION, false, false},
    [FW_BALANCED_ACCURACY] = {"balanced_accuracy", FW_CLASSIFICATION, false, false},
    [FW_MACRO_F1] = {"macro_f1", FW_CLASSIFICATION, false, false},
    [FW_WEIGHTED_F1] = {"weighted_f1", FW_CLASSIFICATION, false, false},
    [FW_MCC] = {"mcc", FW_CLASSIFICATION, false, false},
    [FW_F1] = {"f1", FW_CLASSIFICATION, true, false},
    [FW_PRECISION] = {"precision", FW_CLASSIFICATION, true, false},
    [FW_RECALL] = {"recall", FW_CLASSIFICATION, true, false},
    [FW_LOG_LOSS] = {"log_loss", FW_CLASSIFICATION, false, true},
    [FW_BRIER] = {"brier", FW_CLASSIFICATION, false, true},
    [FW_MAE] = {"mae", FW_REGRESSION, false, true},
    [FW_RMSE] = {"rmse", FW_REGRESSION, false, true},
    [FW_R2] = {"r2", FW_REGRESSION, false, false},
};

static int unknown(const char *text, const struct fw_task_info *task, struct fw_err *err)
{
    char names[256] = "";
    for (int i = 0; i < FW_METRICS; i++) {
        size_t n = strlen(names);
        if (table[i].task == task->task)
            snprintf(names + n, sizeof names - n, "%s%s%s", n ? ", " : "", table[i].name,
                     table[i].of_class ? ":CLASS" : "");
    }
    fw_err_set(err, FW_EINVAL, "unknown metric '%.100s'", text);
    fw_err_hint(err, "metrics are %s", names);
    return FW_EINVAL;
}

int fw_metric_parse(const char *text, const struct fw_task_info *task, struct fw_metric *out,
                    struct fw_err *err)
{
    const char *colon = strchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    int id = 0;
    while (id < FW_METRICS && (strlen(table[id].name) != n || strncmp(text, table[id].name, n)))
        id++;
    if (id == FW_METRICS)
        return unknown(text, task, err);
    if (table[id].task != task->task)
        return fw_err_set(err, FW_EINVAL, "metric '%s' is for %s, and the task is %s",
                          table[id].name,
                          table[id].task == FW_REGRESSION ? "regression" : "classification",
                          task->task == FW_REGRESSION ? "regression" : "classification");
    if (table[id].of_class != (colon && colon[1]))
        return table[id].of_class
                   ? fw_err_set(err, FW_EINVAL, "metric '%s' is of one class: write %s:CLASS",
                                table[id].name, table[id].name)
                   : fw_err_set(err, FW_EINVAL,
                                "metric '%s' is of all classes: leave out ':%.100s'",
                                table[id].name, colon ? colon + 1 : "");
    struct fw_metric m = {(enum fw_metric_id)id, -1};
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
    snprintf(out, size, "%s%s%s", table[m->id].name, known ? ":" : "",
             known ? task->classes[m->klass] : "");
    return out;
}

bool fw_metric_higher_is_better(const struct fw_metric *m)
{
    return !table[m->id].lower_is_better;
}

bool fw_metric_from_confusion(const struct fw_metric *m)
{
    return m->id <= FW_RECALL;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static double f1_of(const double *diag, const double *row, const double *col, size_t c)
{
    return ratio(2 * diag[c], row[c] + col[c]);
}

/* Matthews correlation for K classes: Gorodkin 2004, "Comparing two K-category assignments by a
 * K-category correlation coefficient". 0 when one side is constant. */
static double mcc(const double *diag, const double *row, const double *col, size_t k)
{
    double s = 0, c = 0, cross = 0, rows = 0, cols = 0;
    for (size_t j = 0; j < k; j++) {
        s += row[j];
        c += diag[j];
        cross += row[j] * col[j];
        rows += row[j] * row[j];
        cols += col[j] * col[j];
    }
    double below = sqrt(s * s - cols) * sqrt(s * s - rows);
    return below > 0 ? (c * s - cross) / below : 0;
}

double fw_metric_of_margins(const struct fw_metric *m, const double *diag, const double *row,
                            const double *col, size_t k)
{
    double n = 0, hits = 0, sum = 0, classes = 0;
    size_t c = m->klass < 0 ? 0 : (size_t)m->klass;
    for (size_t j = 0; j < k; j++) {
        n += row[j];
        hits += diag[j];
    }
    if (n <= 0)
        return NAN;
    switch (m->id) {
    case FW_ACCURACY:
        return hits / n;
    case FW_BALANCED_ACCURACY:
        for (size_t j = 0; j < k; j++) {
            if (row[j] > 0) {
                sum += diag[j] / row[j];
                classes++;
            }
        }
        return sum / classes;
    case FW_MACRO_F1:
        for (size_t j = 0; j < k; j++) {
            if (row[j] + col[j] > 0) {
                sum += f1_of(diag, row, col, j);
                classes++;
            }
        }
        return sum / classes;
    case FW_WEIGHTED_F1:
        for (size_t j = 0; j < k; j++)
            sum += row[j] * f1_of(diag, row, col, j);
        return sum / n;
    case FW_MCC:
        return mcc(diag, row, col, k);
    case FW_F1:
        return f1_of(diag, row, col, c);
    case FW_PRECISION:
        return ratio(diag[c], col[c]);
    case FW_RECALL:
        return ratio(diag[c], row[c]);
    default:
        return NAN;
    }
}

static void margins(const double *confusion, size_t k, double *diag, double *row, double *col)
{
    for (size_t t = 0; t < k; t++) {
        diag[t] = confusion[t * k + t];
        row[t] = col[t] = 0;
        for (size_t p = 0; p < k; p++) {
            row[t] += confusion[t * k + p];
            col[t] += confusion[p * k + t];
        }
    }
}

double fw_metric_of_confusion(const struct fw_metric *m, const double *confusion, size_t k)
{
    double small[3 * 64] = {0}, *v = k <= 64 ? small : malloc(3 * k * sizeof *v);
    if (!v)
        return NAN;
    margins(confusion, k, v, v + k, v + 2 * k);
    double value = fw_metric_of_margins(m, v, v + k, v + 2 * k, k);
    if (v != small)
        free(v);
    return value;
}

void fw_confusion_add(double *confusion, size_t k, const int *truth, const int *pred, size_t n,
                      double weight)
{
    for (size_t i = 0; i < n; i++)
        if (truth[i] >= 0)
            confusion[(size_t)truth[i] * k + (size_t)pred[i]] += weight;
}

double fw_log_loss_of(const float *probs, size_t k, int truth)
{
    double sum = 0, p;
    for (size_t j = 0; j < k; j++)
        sum += (double)probs[j];
    p = ratio((double)probs[truth], sum);
    p = p < 1e-15 ? 1e-15 : p > 1 - 1e-15 ? 1 - 1e-15 : p;
    return -log(p);
}

double fw_brier_of(const float *probs, size_t k, int truth)
{
    double sum = 0;
    for (size_t j = 0; j < k; j++) {
        double d = (double)probs[j] - ((size_t)truth == j);
        sum += d * d;
    }
    return sum;
}

static double probability_metric(const struct fw_metric *m, size_t n, size_t k, const int *truth,
                                 const float *probs)
{
    double sum = 0;
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (truth[i] < 0)
            continue;
        used++;
        sum += m->id == FW_LOG_LOSS ? fw_log_loss_of(probs + i * k, k, truth[i])
                                    : fw_brier_of(probs + i * k, k, truth[i]);
    }
    return used ? sum / (double)used : NAN;
}

static double value_metric(const struct fw_metric *m, size_t n, const double *truth,
                           const double *pred)
{
    double used = 0, mean = 0, absolute = 0, square = 0, spread = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(truth[i]))
            continue;
        used++;
        mean += truth[i];
        absolute += fabs(truth[i] - pred[i]);
        square += (truth[i] - pred[i]) * (truth[i] - pred[i]);
    }
    if (used == 0)
        return NAN;
    mean /= used;
    if (m->id == FW_MAE)
        return absolute / used;
    if (m->id == FW_RMSE)
        return sqrt(square / used);
    for (size_t i = 0; i < n; i++)
        if (!isnan(truth[i]))
            spread += (truth[i] - mean) * (truth[i] - mean);
    return spread > 0 ? 1 - square / spread : square > 0 ? 0 : 1;
}

double fw_metric_value(const struct fw_metric *m, size_t n, size_t k, const int *truth,
                       const int *pred, const float *probs, const double *value_true,
                       const double *value_pred)
{
    if (n == 0)
        return NAN;
    if (table[m->id].task == FW_REGRESSION)
        return value_metric(m, n, value_true, value_pred);
    if (!fw_metric_from_confusion(m))
        return probs ? probability_metric(m, n, k, truth, probs) : NAN;
    double *v = calloc(3 * k + 1, sizeof *v);
    if (!v)
        return NAN;
    for (size_t i = 0; i < n; i++) {
        if (truth[i] < 0)
            continue;
        v[k + (size_t)truth[i]]++;
        v[2 * k + (size_t)pred[i]]++;
        v[truth[i]] += truth[i] == pred[i];
    }
    double value = fw_metric_of_margins(m, v, v + k, v + 2 * k, k);
    free(v);
    return value;
}

void fw_class_scores(const double *confusion, size_t k, struct fw_class_score *out)
{
    for (size_t c = 0; c < k; c++) {
        double row = 0, col = 0, hit = confusion[c * k + c];
        for (size_t j = 0; j < k; j++) {
            row += confusion[c * k + j];
            col += confusion[j * k + c];
        }
        out[c] = (struct fw_class_score){(size_t)llround(row), ratio(hit, col), ratio(hit, row),
                                         ratio(2 * hit, row + col)};
    }
}
