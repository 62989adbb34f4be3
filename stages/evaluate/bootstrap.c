/*
 * Three ways to draw the same distribution, each for the metrics it is fast for: grouped
 * (bootstrap_grouped.c), columns (bootstrap_columns.c) and ranking (bootstrap_ranking.c).
 */
#include "stages/evaluate/bootstrap.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/base/hash.h"
#include "pipeline/base/parallel.h"
#include "stages/evaluate/bootstrap_parts.h"
#include "stages/evaluate/calibration.h"

enum { MOST_SAMPLES = 0x7fffffff };

static int check_sample(const struct fw_boot *b, size_t i, struct fw_err *err)
{
    const struct fw_truth *t = b->truth;
    if (t->klass && (size_t)t->klass[i] >= b->k)
        return fw_err_set(err, FW_EINVAL, "the true class of sample %zu is %d of %zu", i + 1,
                          t->klass[i] + 1, b->k);
    for (size_t j = 0; j < b->j; j++) {
        const struct fw_boot_model *m = &b->models[j];
        if (!t->klass) {
            if (!isfinite(m->value[i]) || isinf(t->value[i]))
                return fw_err_set(err, FW_EINVAL, "sample %zu has the value %g, predicted %g",
                                  i + 1, t->value[i], m->value[i]);
        } else if (b->kind->way == FW_WAY_MARGINS) {
            if (m->pred[i] < 0 || (size_t)m->pred[i] >= b->k)
                return fw_err_set(err, FW_EINVAL, "the predicted class of sample %zu is %d of %zu",
                                  i + 1, m->pred[i] + 1, b->k);
        } else {
            for (size_t c = 0; c < b->k; c++)
                if (isnan(m->probs[i * b->k + c]))
                    return fw_err_set(err, FW_EINVAL,
                                      "probability of class %zu of sample %zu is NaN", c + 1,
                                      i + 1);
        }
    }
    return FW_OK;
}

static int take_used(struct fw_boot *b, struct fw_err *err)
{
    const struct fw_truth *t = b->truth;
    int rc = FW_OK;
    b->order = malloc((t->n + 1) * sizeof *b->order);
    b->row = calloc(b->k + 1, sizeof *b->row);
    b->strata = calloc(b->k + 1, sizeof *b->strata);
    if (!b->order || !b->row || !b->strata)
        return fw_err_nomem(err);
    for (size_t i = 0; i < t->n && rc == FW_OK; i++) {
        double w = fw_boot_weight(b, i);
        if (!(w >= 0 && isfinite(w)))
            return fw_err_set(err, FW_EINVAL, "the weight of sample %zu is %g", i + 1, w);
        if ((t->klass ? t->klass[i] < 0 : isnan(t->value[i])) || w == 0)
            continue;
        rc = check_sample(b, i, err);
        b->order[b->n++] = i;
        if (rc == FW_OK && t->klass)
            b->row[t->klass[i]] += w;
    }
    if (rc == FW_OK && !b->n)
        rc = fw_err_set(err, FW_EINVAL, "there is no labelled sample to measure on");
    if (rc == FW_OK && b->n > MOST_SAMPLES)
        rc = fw_err_set(err, FW_EINVAL, "more than %d samples to resample", MOST_SAMPLES);
    return rc;
}

static int check_models(const struct fw_boot *b, struct fw_err *err)
{
    bool probs = fw_metric_needs_probs(b->m);
    if (!b->j)
        return fw_err_set(err, FW_EINVAL, "there are no predictions to compare");
    if (b->truth->klass ? fw_metric_task(b->m) != FW_CLASSIFICATION
                        : fw_metric_task(b->m) != FW_REGRESSION || !b->truth->value)
        return fw_err_set(err, FW_EINVAL, "the metric is of the other task");
    if (b->m->klass >= 0 && b->k && (size_t)b->m->klass >= b->k)
        return fw_err_set(err, FW_EINVAL, "the metric is of class %d of %zu", b->m->klass + 1,
                          b->k);
    for (size_t j = 0; j < b->j; j++) {
        const struct fw_boot_model *m = &b->models[j];
        bool has = !b->truth->klass ? m->value != NULL : probs ? m->probs != NULL : m->pred != NULL;
        if (!has)
            return fw_err_set(err, FW_EINVAL, "the metric needs %s, which the predictions lack",
                              !b->truth->klass ? "predicted values"
                              : probs          ? "probabilities"
                                               : "predicted classes");
    }
    return FW_OK;
}

static int by_class(const void *x, const void *y, void *ctx)
{
    const struct fw_boot *b = ctx;
    size_t p = *(const size_t *)x, q = *(const size_t *)y;
    int s = b->truth->klass[p], t = b->truth->klass[q];
    return s != t ? (s < t ? -1 : 1) : p < q ? -1 : p > q;
}

void fw_boot_stratify(struct fw_boot *b)
{
    const int *klass = b->truth->klass;
    if (klass)
        qsort_r(b->order, b->n, sizeof *b->order, by_class, b);
    for (size_t u = 0; u < b->n; u++) {
        if (!u || (klass && klass[b->order[u]] != klass[b->order[u - 1]]))
            b->strata[b->n_strata++].start = u;
        b->strata[b->n_strata - 1].n++;
    }
}

static int make_scratch(struct fw_boot *b, struct fw_err *err)
{
    size_t sums = b->c + 1;
    if (b->kind->way == FW_WAY_BINS)
        sums = b->j * FW_ECE_BINS;
    else if (b->kind->way == FW_WAY_RANKING)
        sums = b->n;
    b->workers = fw_parallel_workers();
    b->scratch = calloc(b->workers, sizeof *b->scratch);
    if (!b->scratch)
        return fw_err_nomem(err);
    for (size_t w = 0; w < b->workers; w++) {
        struct fw_boot_scratch *s = &b->scratch[w];
        s->times = malloc((b->n_patterns + 1) * sizeof *s->times);
        s->missed = malloc((b->j * b->k + 1) * sizeof *s->missed);
        s->taken = malloc((b->j * b->k + 1) * sizeof *s->taken);
        s->row = malloc((b->k + 1) * sizeof *s->row);
        s->sum = malloc(sums * sizeof *s->sum);
        if (!s->times || !s->missed || !s->taken || !s->row || !s->sum)
            return fw_err_nomem(err);
    }
    return FW_OK;
}

static int resample_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct fw_boot *b = ctx;
    (void)err;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        struct fw_boot_scratch *s = &b->scratch[chunk->worker];
        struct fw_draws d = {.has = false};
        uint64_t number = i; /* each resample has a stream of its own */
        fw_rng_seed(&d.rng, fw_hash64(&number, sizeof number, b->seed));
        b->out[i] = b->patterns                      ? fw_boot_grouped_value(b, &d, s)
                    : b->kind->way == FW_WAY_RANKING ? fw_boot_ranked_value(b, &d, s)
                                                     : fw_boot_columns_value(b, &d, s);
    }
    return FW_OK;
}

/* Chunks of about a millisecond's work, so that threads pay and share it evenly. */
static size_t grain_of(const struct fw_boot *b)
{
    size_t work = b->patterns                      ? b->n_patterns * (b->j + 8)
                  : b->kind->way == FW_WAY_RANKING ? b->n * b->ranked * b->j
                                                   : b->n;
    return 1 + 1000000 / (work + 1);
}

static void release(struct fw_boot *b)
{
    for (size_t w = 0; b->scratch && w < b->workers; w++) {
        free(b->scratch[w].times);
        free(b->scratch[w].missed);
        free(b->scratch[w].taken);
        free(b->scratch[w].row);
        free(b->scratch[w].sum);
    }
    void *owned[] = {b->scratch, b->order,      b->seen,   b->value, b->patterns,
                     b->misses,  b->miss_start, b->strata, b->tail,  b->row,
                     b->cols,    b->bins,       b->ranks,  b->klass, b->rank_weight};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
}

int fw_bootstrap(const struct fw_metric *m, const struct fw_truth *truth,
                 const struct fw_boot_model *models, size_t n_models, size_t resamples,
                 uint64_t seed, double *out, struct fw_err *err)
{
    struct fw_boot b = {.m = m, .truth = truth, .models = models, .j = n_models, .seed = seed};
    b.kind = fw_metric_kind(m);
    b.k = truth->klass ? truth->k : 0;
    b.out = out;
    int rc = check_models(&b, err);
    if (rc == FW_OK)
        rc = take_used(&b, err);
    if (rc == FW_OK)
        rc = b.kind->way == FW_WAY_MARGINS || b.kind->way == FW_WAY_TOP_K ? fw_boot_group(&b, err)
             : b.kind->way == FW_WAY_RANKING                              ? fw_boot_rank(&b, err)
                                             : fw_boot_fill_columns(&b, err);
    if (rc == FW_OK)
        rc = make_scratch(&b, err);
    if (rc == FW_OK)
        rc = fw_parallel(resamples, grain_of(&b), resample_work, &b, err);
    release(&b);
    return rc;
}
