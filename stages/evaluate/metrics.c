#include "stages/evaluate/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/evaluate/metric_kinds.h"

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* F-beta of one class: (1 + β²) hits / (β² true + predicted), whose ends are precision (β = 0) and recall
 * (β = ∞). */
static double f_of(double beta, double diag, double row, double col)
{
    if (isinf(beta))
        return ratio(diag, row);
    return ratio((1 + beta * beta) * diag, beta * beta * row + col);
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
    double n = 0, hits = 0, sum = 0, classes = 0, beta = fw_metric_beta(m);
    size_t c = m->klass < 0 ? 0 : (size_t)m->klass;
    for (size_t j = 0; j < k; j++) {
        n += row[j];
        hits += diag[j];
    }
    if (n <= 0 || !fw_metric_from_confusion(m))
        return NAN;
    if (fw_metric_is_accuracy(m))
        return hits / n;
    if (m->id == FW_MCC)
        return mcc(diag, row, col, k);
    if (m->id == FW_BALANCED_ACCURACY) {
        for (size_t j = 0; j < k; j++) {
            if (row[j] > 0) {
                sum += diag[j] / row[j];
                classes++;
            }
        }
        return sum / classes;
    }
    switch (fw_metric_kind(m)->average) {
    case FW_OF_CLASS:
        return f_of(beta, diag[c], row[c], col[c]);
    case FW_WEIGHTED:
        for (size_t j = 0; j < k; j++)
            sum += row[j] * f_of(beta, diag[j], row[j], col[j]);
        return sum / n;
    default:
        for (size_t j = 0; j < k; j++) {
            if (row[j] + col[j] > 0) {
                sum += f_of(beta, diag[j], row[j], col[j]);
                classes++;
            }
        }
        return sum / classes;
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

bool fw_top_k_hit(const float *probs, size_t k, int truth, size_t top)
{
    size_t before = 0, t = (size_t)truth;
    for (size_t j = 0; j < k; j++)
        before += probs[j] > probs[t] || (probs[j] == probs[t] && j < t);
    return before < (top ? top : 1);
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
