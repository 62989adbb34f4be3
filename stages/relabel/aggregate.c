#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "stages/evaluate/compare.h"
#include "stages/relabel/aggregate_parts.h"

static const struct {
    const char *name;
    fw_aggregate_fn *fn;
} methods[FW_METHODS] = {
    [FW_MAJORITY] = {"majority", fw_majority},
    [FW_WEIGHTED] = {"weighted", fw_weighted_vote},
    [FW_ONE_COIN] = {"one-coin", fw_one_coin},
    [FW_MACE] = {"mace", fw_mace},
    [FW_DAWID_SKENE] = {"dawid-skene", fw_dawid_skene},
    [FW_CROWDLAB] = {"crowdlab", fw_crowdlab},
};

const char *fw_method_name(enum fw_method m)
{
    return methods[m].name;
}

int fw_method_parse(const char *name, enum fw_method *out)
{
    for (int m = 0; m < FW_METHODS; m++)
        if (!strcmp(methods[m].name, name)) {
            *out = (enum fw_method)m;
            return FW_OK;
        }
    return FW_ENOTFOUND;
}

void fw_aggregate_defaults(struct fw_aggregate_options *o)
{
    *o = (struct fw_aggregate_options){.max_iterations = 100,
                                       .tolerance = 1e-6,
                                       .smoothing = 0.01,
                                       .restarts = 3,
                                       .level = 0.95,
                                       .seed = 1};
}

void fw_tie_order(const struct fw_annotations *a, size_t *order)
{
    size_t k = a->classes;
    /* By how many classes are before it: K² and without a sort's scratch. Counts stand in order[]
     * first. */
    memset(order, 0, k * sizeof *order);
    size_t *count = calloc(k + 1, sizeof *count);
    if (!count) { /* then by index alone */
        for (size_t c = 0; c < k; c++)
            order[c] = c;
        return;
    }
    for (size_t i = 0; i < a->n; i++)
        count[a->klass[i]]++;
    for (size_t c = 0; c < k; c++)
        for (size_t j = 0; j < k; j++)
            order[c] += count[j] > count[c] || (count[j] == count[c] && j < c);
    free(count);
}

int32_t fw_pick(const float *row, size_t k, const size_t *order)
{
    size_t best = 0;
    for (size_t c = 1; c < k; c++)
        if (row[c] > row[best] || (row[c] == row[best] && order[c] < order[best]))
            best = c;
    return (int32_t)best;
}

double fw_softmax_row(const double *score, size_t k, float *out)
{
    double most = score[0];
    float sum = 0;
    for (size_t c = 1; c < k; c++)
        most = score[c] > most ? score[c] : most;
    for (size_t c = 0; c < k; c++) {
        double d = score[c] - most;
        out[c] = d == 0 ? 1 : d < -80 ? 0 : expf((float)d);
        sum += out[c];
    }
    float scale = 1 / sum;
    for (size_t c = 0; c < k; c++)
        out[c] *= scale;
    return most + (double)logf(sum);
}

struct voting {
    const struct fw_annotations *a;
    const double *trust;
    float *posterior;
};

static int vote_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct voting *v = ctx;
    const struct fw_annotations *a = v->a;
    size_t k = a->classes;
    double *votes = malloc(k * sizeof *votes);
    if (!votes)
        return fw_err_nomem(err);
    for (size_t t = chunk->from; t < chunk->to; t++) {
        double all = 0;
        memset(votes, 0, k * sizeof *votes);
        for (size_t i = a->task_at[t]; i < a->task_at[t + 1]; i++) {
            double w =
                (a->weight ? (double)a->weight[i] : 1) * (v->trust ? v->trust[a->labeller[i]] : 1);
            votes[a->klass[i]] += w;
            all += w;
        }
        for (size_t i = a->task_at[t]; !(all > 0) && i < a->task_at[t + 1]; i++)
            votes[a->klass[i]]++;
        if (!(all > 0))
            all = (double)(a->task_at[t + 1] - a->task_at[t]);
        for (size_t c = 0; c < k; c++)
            v->posterior[t * k + c] = (float)(votes[c] / all);
    }
    free(votes);
    return FW_OK;
}

int fw_vote_shares(const struct fw_annotations *a, const double *trust, float *posterior,
                   struct fw_err *err)
{
    struct voting v = {a, trust, posterior};
    return fw_parallel(a->tasks, FW_TASK_GRAIN, vote_work, &v, err);
}

struct massing {
    const float *posterior;
    size_t k;
    double *part; /* chunks × K */
};

static int mass_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct massing *m = ctx;
    double *sum = m->part + chunk->index * m->k;
    (void)err;
    for (size_t t = chunk->from; t < chunk->to; t++)
        for (size_t c = 0; c < m->k; c++)
            sum[c] += (double)m->posterior[t * m->k + c];
    return FW_OK;
}

int fw_class_mass(const float *posterior, size_t n, size_t k, double *mass, struct fw_err *err)
{
    size_t grain = 16384, chunks = fw_parallel_chunks(n, grain);
    struct massing m = {posterior, k, calloc(chunks * k + 1, sizeof *m.part)};
    if (!m.part)
        return fw_err_nomem(err);
    int rc = fw_parallel(n, grain, mass_work, &m, err);
    for (size_t c = 0; rc == FW_OK && c < k; c++) {
        mass[c] = 0;
        for (size_t i = 0; i < chunks; i++)
            mass[c] += m.part[i * k + c];
    }
    free(m.part);
    return rc;
}

struct finishing {
    const struct fw_annotations *a;
    struct fw_aggregate *g;
    const size_t *order;
    double level;
};

static int consensus_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct finishing *f = ctx;
    (void)err;
    for (size_t t = chunk->from; t < chunk->to; t++) {
        const float *row = f->g->posterior + t * f->g->k;
        f->g->klass[t] = fw_pick(row, f->g->k, f->order);
        f->g->confidence[t] = row[f->g->klass[t]];
    }
    return FW_OK;
}

static int quality_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct finishing *f = ctx;
    const struct fw_annotations *a = f->a;
    struct fw_aggregate *g = f->g;
    (void)err;
    for (size_t w = chunk->from; w < chunk->to; w++) {
        double agree = 0;
        size_t n = 0;
        for (size_t i = a->labeller_at[w]; i < a->labeller_at[w + 1]; i++) {
            size_t t = a->task[i];
            if (a->task_at[t + 1] - a->task_at[t] < 2)
                continue;
            agree += (double)g->posterior[t * g->k + (size_t)a->answer[i]];
            n++;
        }
        g->shared[w] = n;
        g->quality[w] = n ? agree / (double)n : NAN;
        fw_wilson(agree, (double)n, f->level, &g->low[w], &g->high[w]);
    }
    return FW_OK;
}

static int finish(const struct fw_annotations *a, double level, struct fw_aggregate *g,
                  struct fw_err *err)
{
    size_t *order = malloc((g->k + 1) * sizeof *order);
    if (!order)
        return fw_err_nomem(err);
    fw_tie_order(a, order);
    struct finishing f = {a, g, order, level};
    int rc = fw_parallel(g->n, FW_TASK_GRAIN, consensus_work, &f, err);
    if (rc == FW_OK)
        rc = fw_parallel(g->labellers, FW_LABELLER_GRAIN, quality_work, &f, err);
    if (rc == FW_OK)
        rc = fw_class_mass(g->posterior, g->n, g->k, g->prior, err);
    for (size_t c = 0; rc == FW_OK && c < g->k; c++)
        g->prior[c] /= (double)g->n;
    free(order);
    return rc;
}

int fw_aggregate(const struct fw_annotations *a, enum fw_method method,
                 const struct fw_aggregate_options *options, struct fw_aggregate *out,
                 struct fw_err *err)
{
    struct fw_aggregate_options o;
    size_t cells;
    fw_aggregate_defaults(&o);
    if (options)
        o = *options;
    if (!(o.damping >= 0 && o.damping < 1) || !(o.smoothing >= 0) || !(o.tolerance >= 0))
        return fw_err_set(err, FW_EINVAL,
                          "damping must be in [0, 1), smoothing and tolerance at least 0");
    if (__builtin_mul_overflow(a->tasks, a->classes, &cells) ||
        cells > SIZE_MAX / 2 / sizeof(float))
        return fw_err_nomem(err);
    struct fw_aggregate g = {.method = method,
                             .n = a->tasks,
                             .k = a->classes,
                             .labellers = a->labellers,
                             .converged = true,
                             .log_likelihood = NAN,
                             .model_weight = NAN};
    g.posterior = malloc((cells + 1) * sizeof *g.posterior);
    g.klass = malloc((g.n + 1) * sizeof *g.klass);
    g.confidence = malloc((g.n + 1) * sizeof *g.confidence);
    g.prior = calloc(g.k + 1, sizeof *g.prior);
    g.quality = calloc(g.labellers + 1, sizeof *g.quality);
    g.low = calloc(g.labellers + 1, sizeof *g.low);
    g.high = calloc(g.labellers + 1, sizeof *g.high);
    g.shared = calloc(g.labellers + 1, sizeof *g.shared);
    int rc = g.posterior && g.klass && g.confidence && g.prior && g.quality && g.low && g.high &&
                     g.shared
                 ? FW_OK
                 : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = methods[method].fn(a, &o, &g, err);
    if (rc == FW_OK)
        rc = finish(a, o.level, &g, err);
    if (rc != FW_OK) {
        fw_aggregate_release(&g);
        return rc;
    }
    *out = g;
    return FW_OK;
}

void fw_aggregate_release(struct fw_aggregate *g)
{
    free(g->posterior);
    free(g->klass);
    free(g->confidence);
    free(g->prior);
    free(g->quality);
    free(g->low);
    free(g->high);
    free(g->shared);
    memset(g, 0, sizeof *g);
}

void fw_labeller_confusion(const struct fw_annotations *a, const float *posterior, size_t labeller,
                           double *out)
{
    size_t k = a->classes;
    memset(out, 0, k * k * sizeof *out);
    for (size_t i = a->labeller_at[labeller]; i < a->labeller_at[labeller + 1]; i++)
        for (size_t c = 0; c < k; c++)
            out[c * k + (size_t)a->answer[i]] += (double)posterior[a->task[i] * k + c];
}
