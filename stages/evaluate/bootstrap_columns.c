/*
 * Sums of per-sample numbers over drawn indices.
 *   log loss, Brier, MAE   one column, the models' values already summed; with weights that and the weight
 *   RMSE, R²               each model's squared error, then y and y² (y less its mean), and the weight
 *   calibration error      each model's confidence less its hit, summed in its bins; and the weight
 */
#include <math.h>
#include <stdlib.h>

#include "stages/evaluate/bootstrap_parts.h"
#include "stages/evaluate/calibration.h"

static double loss_of(const struct fw_boot *b, const struct fw_boot_model *m, size_t i)
{
    const struct fw_truth *t = b->truth;
    if (b->m->id == FW_MAE)
        return fabs(m->value[i] - t->value[i]);
    return b->m->id == FW_LOG_LOSS ? fw_log_loss_of(m->probs + i * b->k, b->k, t->klass[i])
                                   : fw_brier_of(m->probs + i * b->k, b->k, t->klass[i]);
}

static void fill_row(struct fw_boot *b, size_t u, double mean)
{
    size_t i = b->order[u];
    double *col = b->cols + u * b->c, w = fw_boot_weight(b, i);
    for (size_t j = 0; j < b->j; j++) {
        const struct fw_boot_model *m = &b->models[j];
        if (b->kind->way == FW_WAY_SQUARES) {
            double e = m->value[i] - b->truth->value[i];
            col[j] = w * e * e;
        } else if (b->kind->way == FW_WAY_BINS) {
            bool right;
            double sure = fw_confidence_of(m->probs + i * b->k, b->k, b->truth->klass[i], &right);
            b->bins[u * b->j + j] = (unsigned char)fw_confidence_bin(sure, FW_ECE_BINS);
            col[j] = w * (sure - right);
        } else {
            col[0] += w * m->weight * loss_of(b, m, i);
        }
    }
    if (b->kind->way == FW_WAY_SQUARES) {
        double y = b->truth->value[i] - mean;
        col[b->j] = w * y;
        col[b->j + 1] = w * y * y;
    }
    if (b->truth->weight)
        col[b->c - 1] = w;
}

int fw_boot_fill_columns(struct fw_boot *b, struct fw_err *err)
{
    double mean = 0;
    size_t cells;
    b->c = (b->kind->way == FW_WAY_SQUARES ? b->j + 2
            : b->kind->way == FW_WAY_BINS  ? b->j
                                           : 1) +
           (b->truth->weight != NULL);
    if (__builtin_mul_overflow(b->n, b->c * sizeof *b->cols, &cells))
        return fw_err_nomem(err);
    b->cols = calloc(b->n, b->c * sizeof *b->cols);
    b->bins = b->kind->way == FW_WAY_BINS ? malloc(b->n * b->j) : NULL;
    if (!b->cols || (b->kind->way == FW_WAY_BINS && !b->bins))
        return fw_err_nomem(err);
    fw_boot_stratify(b);
    for (size_t u = 0; u < b->n && b->truth->value && !b->truth->klass; u++)
        mean += b->truth->value[b->order[u]] / (double)b->n;
    for (size_t u = 0; u < b->n; u++)
        fill_row(b, u, mean);
    return FW_OK;
}

static double squares_value(const struct fw_boot *b, const double *sum, double n)
{
    double value = 0, spread = sum[b->j + 1] - sum[b->j] * sum[b->j] / n;
    for (size_t j = 0; j < b->j; j++) {
        double square = sum[j];
        double v = b->m->id == FW_RMSE ? sqrt(square / n)
                   : spread > 0        ? 1 - square / spread
                   : square > 0        ? 0
                                       : 1;
        value += b->models[j].weight * v;
    }
    return value;
}

static double bins_value(const struct fw_boot *b, struct fw_draws *d, double *sum)
{
    double n = b->truth->weight ? 0 : (double)b->n, value = 0;
    memset(sum, 0, b->j * FW_ECE_BINS * sizeof *sum);
    for (size_t i = 0; i < b->n_strata; i++) {
        for (size_t u = 0; u < b->strata[i].n; u++) {
            size_t at = b->strata[i].start + fw_draws_below(d, (uint32_t)b->strata[i].n);
            const double *col = b->cols + at * b->c;
            for (size_t j = 0; j < b->j; j++)
                sum[j * FW_ECE_BINS + b->bins[at * b->j + j]] += col[j];
            n += b->truth->weight ? col[b->j] : 0;
        }
    }
    for (size_t j = 0; j < b->j; j++)
        for (size_t bin = 0; bin < FW_ECE_BINS; bin++)
            value += b->models[j].weight * fabs(sum[j * FW_ECE_BINS + bin]) / n;
    return value;
}

double fw_boot_columns_value(const struct fw_boot *b, struct fw_draws *d, struct fw_boot_scratch *s)
{
    if (b->kind->way == FW_WAY_BINS)
        return bins_value(b, d, s->sum);
    memset(s->sum, 0, b->c * sizeof *s->sum);
    for (size_t i = 0; i < b->n_strata; i++) {
        size_t size = b->strata[i].n;
        const double *cols = b->cols + b->strata[i].start * b->c;
        for (size_t u = 0; u < size; u++) {
            const double *col = cols + fw_draws_below(d, (uint32_t)size) * b->c;
            for (size_t c = 0; c < b->c; c++)
                s->sum[c] += col[c];
        }
    }
    double n = b->truth->weight ? s->sum[b->c - 1] : (double)b->n;
    return b->kind->way == FW_WAY_SQUARES ? squares_value(b, s->sum, n) : s->sum[0] / n;
}
