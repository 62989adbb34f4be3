/*
 * ROC AUC and average precision: each model's samples are sorted once for each class; a resample is a
 * weight for each sample, and one sweep over each order. Time: resamples × models × classes × N; memory:
 * 4 bytes for each model, class and sample.
 */
#include <math.h>
#include <stdlib.h>

#include "pipeline/base/parallel.h"
#include "stages/evaluate/bootstrap_parts.h"
#include "stages/evaluate/ranking.h"

static size_t class_of(const struct fw_boot *b, size_t at)
{
    return b->m->klass >= 0 ? (size_t)b->m->klass : at;
}

/* Items are models × classes. */
static int sort_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct fw_boot *b = ctx;
    float *score = malloc(b->n * sizeof *score);
    uint64_t *scratch = malloc(2 * b->n * sizeof *scratch);
    int rc = score && scratch ? FW_OK : fw_err_nomem(err);
    for (size_t i = chunk->from; i < chunk->to && rc == FW_OK; i++) {
        const float *probs = b->models[i / b->ranked].probs;
        size_t c = class_of(b, i % b->ranked);
        for (size_t u = 0; u < b->n; u++)
            score[u] = probs[b->order[u] * b->k + c];
        fw_rank_sort(score, 1, b->n, b->ranks + i * b->n, scratch);
    }
    free(score);
    free(scratch);
    return rc;
}

int fw_boot_rank(struct fw_boot *b, struct fw_err *err)
{
    size_t cells;
    b->ranked = b->m->klass >= 0 ? 1 : b->k;
    if (b->n > FW_RANK_MAX ||
        __builtin_mul_overflow(b->n, b->ranked * b->j * sizeof *b->ranks, &cells))
        return fw_err_set(err, FW_EINVAL, "too many samples, classes and models to rank");
    fw_boot_stratify(b);
    b->ranks = malloc(cells);
    b->klass = malloc(b->n * sizeof *b->klass);
    b->rank_weight = b->truth->weight ? malloc(b->n * sizeof *b->rank_weight) : NULL;
    if (!b->ranks || !b->klass || (b->truth->weight && !b->rank_weight))
        return fw_err_nomem(err);
    for (size_t u = 0; u < b->n; u++) {
        b->klass[u] = b->truth->klass[b->order[u]];
        if (b->rank_weight)
            b->rank_weight[u] = b->truth->weight[b->order[u]];
    }
    return fw_parallel(b->ranked * b->j, 1, sort_work, b, err);
}

double fw_boot_ranked_value(const struct fw_boot *b, struct fw_draws *d, struct fw_boot_scratch *s)
{
    bool auc = b->m->id <= FW_WEIGHTED_ROC_AUC;
    double value = 0;
    memset(s->sum, 0, b->n * sizeof *s->sum);
    for (size_t i = 0; i < b->n_strata; i++)
        for (size_t u = 0; u < b->strata[i].n; u++) {
            size_t at = b->strata[i].start + fw_draws_below(d, (uint32_t)b->strata[i].n);
            s->sum[at] += b->rank_weight ? b->rank_weight[at] : 1;
        }
    memset(s->row, 0, b->k * sizeof *s->row);
    for (size_t u = 0; u < b->n; u++)
        s->row[b->klass[u]] += s->sum[u];
    for (size_t j = 0; j < b->j; j++) {
        double sum = 0, all = 0;
        for (size_t r = 0; r < b->ranked; r++) {
            size_t c = class_of(b, r);
            const uint32_t *order = b->ranks + (j * b->ranked + r) * b->n;
            double w = b->kind->average == FW_WEIGHTED ? s->row[c] : 1;
            double v = s->row[c] <= 0 ? NAN
                       : auc          ? fw_rank_roc_auc(order, b->n, b->klass, (int)c, s->sum)
                             : fw_rank_average_precision(order, b->n, b->klass, (int)c, s->sum);
            if (isnan(v))
                continue;
            sum += w * v;
            all += w;
        }
        value += b->models[j].weight * (all > 0 ? sum / all : NAN);
    }
    return value;
}
