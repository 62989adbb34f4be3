/* Permutation of metrics: by per-sample values, by margins, or by measuring swapped copies. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "stages/evaluate/metric_kinds.h"
#include "stages/evaluate/permutation_parts.h"

struct swaps {
    const struct fw_metric *m;
    const struct fw_truth *truth;
    const struct fw_scored *side[2]; /* before, after */
    size_t seeds, k, n;
    size_t *at; /* the samples that differ */
    double sign;
    bool margins;
    double *row, *base;    /* K; sides × seeds × (diag, col) of K each, nothing swapped */
    double **room;         /* for each worker: as base */
    struct copies *copies; /* one: measuring uses threads itself or is given one thread */
};

struct copies { /* of both sides' seeds, swapped */
    int *pred;
    float *probs;
    double *value;
};

static double weight_of(const struct fw_truth *t, size_t i)
{
    return t->weight ? t->weight[i] : 1;
}

static bool is_used(const struct fw_truth *t, size_t i)
{
    return (t->klass ? t->klass[i] >= 0 : !isnan(t->value[i])) && weight_of(t, i) > 0;
}

/* One model's part of a metric that is a mean. */
static double value_of(const struct swaps *s, const struct fw_scored *side, size_t seed, size_t i)
{
    const struct fw_truth *t = s->truth;
    switch (s->m->id) {
    case FW_MAE:
        return fabs(side->value[seed][i] - t->value[i]);
    case FW_LOG_LOSS:
        return fw_log_loss_of(side->probs[seed] + i * s->k, s->k, t->klass[i]);
    case FW_BRIER:
        return fw_brier_of(side->probs[seed] + i * s->k, s->k, t->klass[i]);
    case FW_TOP_K:
        return fw_top_k_hit(side->probs[seed] + i * s->k, s->k, t->klass[i], (size_t)s->m->param);
    default:
        return side->pred[seed][i] == t->klass[i];
    }
}

static bool is_mean(const struct fw_metric *m)
{
    enum fw_metric_way way = fw_metric_kind(m)->way;
    return way == FW_WAY_MEAN || way == FW_WAY_TOP_K || fw_metric_is_accuracy(m);
}

static int permute_values(const struct swaps *s, size_t resamples, uint64_t seed,
                          struct fw_permutation *out, struct fw_err *err)
{
    size_t n = 0;
    double *d = malloc((s->n + 1) * sizeof *d), *w = malloc((s->n + 1) * sizeof *w);
    int rc = d && w ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < s->n && rc == FW_OK; i++) {
        if (!is_used(s->truth, i))
            continue;
        double mean[2] = {0, 0};
        for (int side = 0; side < 2; side++)
            for (size_t j = 0; j < s->side[side]->seeds; j++)
                mean[side] += value_of(s, s->side[side], j, i) / (double)s->side[side]->seeds;
        double apart = mean[1] - mean[0];
        d[n] = s->sign * (fabs(apart) < 1e-14 ? 0 : apart);
        w[n++] = weight_of(s->truth, i);
    }
    if (rc == FW_OK)
        rc = fw_permute_mean(d, w, n, resamples, seed, out, err);
    free(d);
    free(w);
    return rc;
}

static bool differs(const struct swaps *s, size_t i)
{
    for (size_t j = 0; j < s->seeds; j++) {
        if (s->margins        ? s->side[0]->pred[j][i] != s->side[1]->pred[j][i]
            : s->truth->klass ? memcmp(s->side[0]->probs[j] + i * s->k,
                                       s->side[1]->probs[j] + i * s->k, s->k * sizeof(float)) != 0
                              : s->side[0]->value[j][i] != s->side[1]->value[j][i])
            return true;
    }
    return false;
}

/* Adds a sample's prediction to one model's diagonal and column sums. */
static void count(const struct swaps *s, double *tables, int side, size_t seed, size_t i, int pred,
                  double w)
{
    double *diag = tables + ((size_t)side * s->seeds + seed) * 2 * s->k;
    diag[s->k + (size_t)pred] += w;
    if (pred == s->truth->klass[i])
        diag[pred] += w;
}

static int margins_gain(void *ctx, const uint64_t *swap, size_t worker, double *gain,
                        struct fw_err *err)
{
    const struct swaps *s = ctx;
    double *tables = s->room[worker], value[2] = {0, 0};
    (void)err;
    memcpy(tables, s->base, 4 * s->seeds * s->k * sizeof *tables);
    for (size_t d = 0; d < s->n; d++) {
        if (!(swap[d / 64] >> (d % 64) & 1))
            continue;
        size_t i = s->at[d];
        double w = weight_of(s->truth, i);
        for (size_t j = 0; j < s->seeds; j++)
            for (int side = 0; side < 2; side++) {
                count(s, tables, side, j, i, s->side[side]->pred[j][i], -w);
                count(s, tables, side, j, i, s->side[1 - side]->pred[j][i], w);
            }
    }
    for (size_t t = 0; t < 2 * s->seeds; t++) {
        const double *diag = tables + t * 2 * s->k;
        value[t >= s->seeds] += fw_metric_of_margins(s->m, diag, s->row, diag + s->k, s->k);
    }
    *gain = s->sign * (value[1] - value[0]) / (double)s->seeds;
    return FW_OK;
}

static int prepare_margins(struct swaps *s, struct fw_err *err)
{
    size_t cells = 4 * s->seeds * s->k + 1, workers = fw_parallel_workers();
    s->row = calloc(s->k + 1, sizeof *s->row);
    s->base = calloc(cells, sizeof *s->base);
    s->room = calloc(workers, sizeof *s->room);
    if (!s->row || !s->base || !s->room)
        return fw_err_nomem(err);
    for (size_t w = 0; w < workers; w++)
        if (!(s->room[w] = malloc(cells * sizeof **s->room)))
            return fw_err_nomem(err);
    for (size_t i = 0; i < s->truth->n; i++) {
        if (!is_used(s->truth, i))
            continue;
        s->row[s->truth->klass[i]] += weight_of(s->truth, i);
        for (int side = 0; side < 2; side++)
            for (size_t j = 0; j < s->seeds; j++)
                count(s, s->base, side, j, i, s->side[side]->pred[j][i], weight_of(s->truth, i));
    }
    return FW_OK;
}

/* One seed's prediction of sample i for each side, taken from the sides as told. */
static void copy_sample(const struct swaps *s, size_t seed, size_t i, bool swapped)
{
    for (int side = 0; side < 2; side++) {
        const struct fw_scored *from = s->side[swapped ? 1 - side : side];
        struct copies *to = &s->copies[side];
        if (s->truth->klass)
            memcpy(to->probs + i * s->k, from->probs[seed] + i * s->k, s->k * sizeof(float));
        else
            to->value[i] = from->value[seed][i];
    }
}

static int measured_gain(void *ctx, const uint64_t *swap, size_t worker, double *gain,
                         struct fw_err *err)
{
    const struct swaps *s = ctx;
    const struct fw_truth *t = s->truth;
    double value[2] = {0, 0}, one;
    (void)worker;
    for (size_t j = 0; j < s->seeds; j++) {
        for (size_t i = 0; i < t->n; i++)
            copy_sample(s, j, i, false);
        for (size_t d = 0; d < s->n; d++)
            if (swap[d / 64] >> (d % 64) & 1)
                copy_sample(s, j, s->at[d], true);
        for (int side = 0; side < 2; side++) {
            struct fw_metric_data in = {t->n,
                                        t->k,
                                        t->klass,
                                        NULL,
                                        s->copies[side].probs,
                                        t->value,
                                        s->copies[side].value,
                                        t->weight};
            int rc = fw_metric_measure(s->m, &in, &one, err);
            if (rc != FW_OK)
                return rc;
            value[side] += one;
        }
    }
    *gain = s->sign * (value[1] - value[0]) / (double)s->seeds;
    return FW_OK;
}

static int prepare_copies(struct swaps *s, struct fw_err *err)
{
    size_t cells;
    if (__builtin_mul_overflow(s->truth->n, (s->k + 1) * sizeof(float), &cells))
        return fw_err_nomem(err);
    s->copies = calloc(2, sizeof *s->copies);
    for (int side = 0; s->copies && side < 2; side++) {
        struct copies *c = &s->copies[side];
        c->probs = s->truth->klass ? malloc(cells + 1) : NULL;
        c->value = s->truth->klass ? NULL : malloc((s->truth->n + 1) * sizeof *c->value);
        if (!c->probs && !c->value)
            return fw_err_nomem(err);
    }
    return s->copies ? FW_OK : fw_err_nomem(err);
}

static int permute_swaps(struct swaps *s, size_t resamples, uint64_t seed,
                         struct fw_permutation *out, struct fw_err *err)
{
    size_t n = s->n;
    s->at = malloc((n + 1) * sizeof *s->at);
    int rc = s->at ? FW_OK : fw_err_nomem(err);
    s->n = 0;
    for (size_t i = 0; i < n && rc == FW_OK; i++)
        if (is_used(s->truth, i) && differs(s, i))
            s->at[s->n++] = i;
    if (rc == FW_OK)
        rc = s->margins ? prepare_margins(s, err) : prepare_copies(s, err);
    if (rc == FW_OK)
        rc = fw_permute_run(s->margins ? margins_gain : measured_gain, s, s->n, resamples, seed,
                            !s->margins, out, err);
    for (size_t w = 0; s->room && w < fw_parallel_workers(); w++)
        free(s->room[w]);
    for (int side = 0; s->copies && side < 2; side++) {
        free(s->copies[side].probs);
        free(s->copies[side].value);
    }
    free(s->room);
    free(s->copies);
    free(s->row);
    free(s->base);
    free(s->at);
    return rc;
}

/* Each model once as it is: says what is missing or out of range. */
static int check(const struct swaps *s, struct fw_err *err)
{
    const struct fw_truth *t = s->truth;
    for (int side = 0; side < 2; side++) {
        const struct fw_scored *p = s->side[side];
        for (size_t j = 0; j < p->seeds; j++) {
            double value;
            struct fw_metric_data in = {t->n,
                                        t->k,
                                        t->klass,
                                        p->pred ? p->pred[j] : NULL,
                                        p->probs ? p->probs[j] : NULL,
                                        t->value,
                                        p->value ? p->value[j] : NULL,
                                        t->weight};
            int rc = fw_metric_measure(s->m, &in, &value, err);
            if (rc == FW_OK && isnan(value))
                rc = fw_err_set(err, FW_EINVAL, "the metric is not defined on these samples");
            if (rc != FW_OK)
                return rc;
        }
    }
    return FW_OK;
}

int fw_permute(const struct fw_metric *m, const struct fw_truth *truth,
               const struct fw_scored *before, const struct fw_scored *after, size_t resamples,
               uint64_t seed, struct fw_permutation *out, struct fw_err *err)
{
    struct swaps s = {.m = m, .truth = truth, .side = {before, after}, .seeds = before->seeds};
    s.n = truth->n;
    s.k = truth->klass ? truth->k : 0;
    s.sign = fw_metric_higher_is_better(m) ? 1 : -1;
    s.margins = fw_metric_from_confusion(m);
    if (!before->seeds || !after->seeds)
        return fw_err_set(err, FW_EINVAL, "a comparison needs both sides' predictions");
    int rc = check(&s, err);
    if (rc != FW_OK)
        return rc;
    if (is_mean(m))
        return permute_values(&s, resamples, seed, out, err);
    if (before->seeds != after->seeds)
        return fw_err_set(err, FW_EINVAL,
                          "swapping predictions needs as many seeds before (%zu) as after (%zu)",
                          before->seeds, after->seeds);
    return permute_swaps(&s, resamples, seed, out, err);
}
