/*
 * Three ways to draw the same distribution, each for the metrics it is fast for.
 *
 * Grouped: samples of one class whose predictions are the same (in all that the metric sees of
 * them) are one pattern. A resample draws how often each pattern occurs: frequent patterns by a
 * chain of binomials, the rare rest sample by sample. That is the multinomial which drawing indices
 * would give, at a cost that goes with the number of different patterns and not with N.
 *   linear   accuracy, balanced accuracy, recall: a sum over patterns (class sizes are fixed)
 *   margins  F1, precision, MCC: diagonal and column sums of each model's confusion matrix
 * Columns: log loss, Brier, MAE, RMSE, R²: sums of per-sample numbers over drawn indices.
 */
#include "stages/evaluate/bootstrap.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/hash.h"

/* A binomial costs about as much as this many single draws. */
enum { BINOMIAL_FROM = 24, MAX_THREADS = 8 };

struct pattern {
    int truth;
    size_t count; /* samples */
    size_t first; /* one of them */
    double value; /* linear: what each occurrence adds */
};

/* One model's error on a pattern: cells of J × K tables. Hits need no entry: a resample starts from
 * "all right", and few predictions are wrong. */
struct miss {
    uint32_t of, as; /* model j, true class; model j, predicted class */
};

struct stratum {
    size_t n;          /* samples, in the data and in each resample */
    size_t start, end; /* patterns, most frequent first */
    size_t rare;       /* from here on patterns are drawn sample by sample */
    size_t tail_start; /* in tail[]: the pattern of each of these samples */
    size_t tail_n;
};

struct boot {
    const struct fw_metric *m;
    const struct fw_truth *truth;
    const struct fw_boot_model *models;
    size_t j, k, n; /* models, classes, samples with a truth */
    uint64_t seed;
    bool grouped, linear;
    size_t *order; /* n sample indices; grouped: sorted by pattern; else by stratum */
    int *seen;     /* N × J: what the metric sees of each prediction */
    double *value; /* N: linear, per sample */
    struct pattern *patterns;
    size_t n_patterns;
    struct miss *misses;
    size_t *miss_start; /* patterns + 1 */
    struct stratum *strata;
    size_t n_strata;
    uint32_t *tail;
    double *row;  /* K: class sizes */
    double *cols; /* n × C, in the order of `order` */
    size_t c;
    double *out;
};

static bool is_linear(const struct fw_metric *m)
{
    return m->id == FW_ACCURACY || m->id == FW_BALANCED_ACCURACY || m->id == FW_RECALL;
}

/* Of one class's F1 or precision only "this class or not" matters, so other predictions are one. */
static int as_seen(const struct boot *b, int truth, int pred)
{
    int c = b->m->klass;
    if (b->m->id != FW_F1 && b->m->id != FW_PRECISION)
        return pred;
    return pred == c ? c : truth != c ? truth : c ? 0 : (int)b->k - 1;
}

/* What a hit on a sample of class t adds to a linear metric. */
static double hit_worth(const struct boot *b, int t, double classes)
{
    if (b->m->id == FW_ACCURACY)
        return 1 / (double)b->n;
    if (b->m->id == FW_BALANCED_ACCURACY)
        return 1 / (b->row[t] * classes);
    return t == b->m->klass ? 1 / b->row[t] : 0;
}

static int compare_samples(const void *x, const void *y, void *ctx)
{
    const struct boot *b = ctx;
    size_t p = *(const size_t *)x, q = *(const size_t *)y;
    int s = b->truth->klass[p], t = b->truth->klass[q];
    if (s != t)
        return s < t ? -1 : 1;
    if (b->linear) {
        if (b->value[p] != b->value[q])
            return b->value[p] < b->value[q] ? -1 : 1;
        return 0;
    }
    if (b->seen)
        for (size_t j = 0; j < b->j; j++)
            if (b->seen[p * b->j + j] != b->seen[q * b->j + j])
                return b->seen[p * b->j + j] < b->seen[q * b->j + j] ? -1 : 1;
    return 0;
}

static int by_count(const void *x, const void *y)
{
    const struct pattern *p = x, *q = y;
    if (p->truth != q->truth)
        return p->truth < q->truth ? -1 : 1;
    if (p->count != q->count)
        return p->count > q->count ? -1 : 1;
    return p->first < q->first ? -1 : p->first > q->first;
}

/* A stable order makes the draws reproducible: ties by sample index. */
static int compare_stable(const void *x, const void *y, void *ctx)
{
    int d = compare_samples(x, y, ctx);
    size_t p = *(const size_t *)x, q = *(const size_t *)y;
    return d ? d : p < q ? -1 : p > q;
}

static int take_used(struct boot *b, struct fw_err *err)
{
    const struct fw_truth *t = b->truth;
    b->order = malloc((t->n + 1) * sizeof *b->order);
    b->row = calloc(b->k + 1, sizeof *b->row);
    if (!b->order || !b->row)
        return fw_err_nomem(err);
    for (size_t i = 0; i < t->n; i++) {
        if (t->klass ? t->klass[i] < 0 : isnan(t->value[i]))
            continue;
        b->order[b->n++] = i;
        if (t->klass)
            b->row[t->klass[i]]++;
    }
    if (!b->n)
        return fw_err_set(err, FW_EINVAL, "there is no labelled sample to measure on");
    return FW_OK;
}

static int see(struct boot *b, struct fw_err *err)
{
    const int *klass = b->truth->klass;
    double classes = 0;
    size_t cells;
    for (size_t c = 0; c < b->k; c++)
        classes += b->row[c] > 0;
    if (__builtin_mul_overflow(b->truth->n + 1, b->j * sizeof *b->seen, &cells))
        return fw_err_nomem(err);
    b->seen = malloc(cells);
    b->value = calloc(b->truth->n + 1, sizeof *b->value);
    if (!b->seen || !b->value)
        return fw_err_nomem(err);
    for (size_t u = 0; u < b->n; u++) {
        size_t i = b->order[u];
        double hits = 0;
        for (size_t j = 0; j < b->j; j++) {
            int pred = b->models[j].pred[i];
            b->seen[i * b->j + j] = as_seen(b, klass[i], pred);
            hits += pred == klass[i] ? b->models[j].weight : 0;
        }
        b->value[i] = hits * hit_worth(b, klass[i], classes);
    }
    return FW_OK;
}

static int group(struct boot *b, struct fw_err *err)
{
    b->patterns = calloc(b->n, sizeof *b->patterns);
    b->strata = calloc(b->k + 1, sizeof *b->strata);
    b->tail = malloc(b->n * sizeof *b->tail);
    if (!b->patterns || !b->strata || !b->tail)
        return fw_err_nomem(err);
    qsort_r(b->order, b->n, sizeof *b->order, compare_stable, b);
    for (size_t u = 0; u < b->n; u++) {
        size_t i = b->order[u];
        if (u && compare_samples(&b->order[u - 1], &i, b) == 0) {
            b->patterns[b->n_patterns - 1].count++;
            continue;
        }
        b->patterns[b->n_patterns++] = (struct pattern){b->truth->klass[i], 1, i, b->value[i]};
    }
    qsort(b->patterns, b->n_patterns, sizeof *b->patterns, by_count);
    size_t tail = 0;
    for (size_t p = 0; p < b->n_patterns;) {
        struct stratum *s = &b->strata[b->n_strata++];
        int t = b->patterns[p].truth;
        s->start = s->rare = p;
        s->tail_start = tail;
        for (; p < b->n_patterns && b->patterns[p].truth == t; p++) {
            s->n += b->patterns[p].count;
            if (b->patterns[p].count >= BINOMIAL_FROM) {
                s->rare = p + 1;
                continue;
            }
            for (size_t i = 0; i < b->patterns[p].count; i++)
                b->tail[tail++] = (uint32_t)p;
        }
        s->end = p;
        s->tail_n = tail - s->tail_start;
    }
    return FW_OK;
}

/* Which models err on each pattern, and how. */
static int list_misses(struct boot *b, struct fw_err *err)
{
    size_t n = 0, at = 0;
    if (b->j * b->k > UINT32_MAX)
        return fw_err_set(err, FW_EINVAL, "too many classes to compare");
    for (size_t p = 0; p < b->n_patterns; p++)
        for (size_t j = 0; j < b->j; j++)
            n += b->seen[b->patterns[p].first * b->j + j] != b->patterns[p].truth;
    b->misses = malloc((n + 1) * sizeof *b->misses);
    b->miss_start = malloc((b->n_patterns + 1) * sizeof *b->miss_start);
    if (!b->misses || !b->miss_start)
        return fw_err_nomem(err);
    for (size_t p = 0; p < b->n_patterns; p++) {
        const int *seen = b->seen + b->patterns[p].first * b->j;
        int t = b->patterns[p].truth;
        b->miss_start[p] = at;
        for (size_t j = 0; j < b->j; j++)
            if (seen[j] != t)
                b->misses[at++] = (struct miss){(uint32_t)(j * b->k + (size_t)t),
                                                (uint32_t)(j * b->k + (size_t)seen[j])};
    }
    b->miss_start[b->n_patterns] = at;
    return FW_OK;
}

struct draws { /* 32-bit uniform numbers, two from each 64-bit one */
    struct fw_rng rng;
    uint64_t spare;
    bool has;
};

static uint32_t next32(struct draws *d)
{
    if (d->has) {
        d->has = false;
        return (uint32_t)(d->spare >> 32);
    }
    d->spare = fw_rng_u64(&d->rng);
    d->has = true;
    return (uint32_t)d->spare;
}

/* Uniform in [0, n), n < 2^32, unbiased (Lemire 2019). */
static size_t below(struct draws *d, uint32_t n)
{
    uint64_t m = (uint64_t)next32(d) * n;
    if ((uint32_t)m < n) {
        uint32_t floor = -n % n;
        while ((uint32_t)m < floor)
            m = (uint64_t)next32(d) * n;
    }
    return (size_t)(m >> 32);
}

/* times[p]: how often pattern p occurs in one resample. */
static void draw_patterns(const struct boot *b, struct draws *d, uint32_t *times)
{
    for (size_t i = 0; i < b->n_strata; i++) {
        const struct stratum *s = &b->strata[i];
        uint64_t left = s->n, among = s->n;
        for (size_t p = s->start; p < s->rare; p++) {
            uint64_t count = b->patterns[p].count;
            uint64_t x =
                count == among ? left : fw_binomial(&d->rng, left, (double)count / (double)among);
            times[p] = (uint32_t)x;
            left -= x;
            among -= count;
        }
        if (s->rare < s->end)
            memset(times + s->rare, 0, (s->end - s->rare) * sizeof *times);
        for (; left && s->tail_n; left--)
            times[b->tail[s->tail_start + below(d, (uint32_t)s->tail_n)]]++;
    }
}

struct scratch {
    uint32_t *times;        /* patterns */
    double *missed, *taken; /* J × K: errors by true and by predicted class */
    double *sum;            /* C */
};

static double grouped_value(const struct boot *b, struct draws *d, struct scratch *s)
{
    double value = 0;
    draw_patterns(b, d, s->times);
    if (b->linear) {
        for (size_t p = 0; p < b->n_patterns; p++)
            value += s->times[p] * b->patterns[p].value;
        return value;
    }
    size_t cells = b->j * b->k;
    memset(s->missed, 0, cells * sizeof *s->missed);
    memset(s->taken, 0, cells * sizeof *s->taken);
    for (size_t p = 0; p < b->n_patterns; p++) {
        double times = s->times[p];
        for (size_t i = b->miss_start[p]; times > 0 && i < b->miss_start[p + 1]; i++) {
            s->missed[b->misses[i].of] += times;
            s->taken[b->misses[i].as] += times;
        }
    }
    for (size_t j = 0; j < b->j; j++) {
        double *diag = s->missed + j * b->k, *col = s->taken + j * b->k;
        for (size_t c = 0; c < b->k; c++) {
            diag[c] = b->row[c] - diag[c];
            col[c] += diag[c];
        }
        value += b->models[j].weight * fw_metric_of_margins(b->m, diag, b->row, col, b->k);
    }
    return value;
}

/* Columns: one for what is a mean; for RMSE and R² each model's squared error, then y and y². */
static int fill_columns(struct boot *b, struct fw_err *err)
{
    const struct fw_truth *t = b->truth;
    bool squares = b->m->id == FW_RMSE || b->m->id == FW_R2;
    double mean = 0;
    b->c = squares ? b->j + 2 : 1;
    b->cols = calloc(b->n * b->c, sizeof *b->cols);
    b->strata = calloc(b->k + 1, sizeof *b->strata);
    if (!b->cols || !b->strata)
        return fw_err_nomem(err);
    if (t->klass)
        qsort_r(b->order, b->n, sizeof *b->order, compare_stable, b);
    else
        for (size_t u = 0; u < b->n; u++)
            mean += t->value[b->order[u]] / (double)b->n;
    for (size_t u = 0; u < b->n; u++) {
        size_t i = b->order[u];
        double *col = b->cols + u * b->c;
        for (size_t j = 0; j < b->j; j++) {
            const struct fw_boot_model *m = &b->models[j];
            double e = t->klass ? 0 : m->value[i] - t->value[i];
            if (squares)
                col[j] = e * e;
            else if (b->m->id == FW_MAE)
                col[0] += m->weight * fabs(e);
            else
                col[0] += m->weight * (b->m->id == FW_LOG_LOSS
                                           ? fw_log_loss_of(m->probs + i * b->k, b->k, t->klass[i])
                                           : fw_brier_of(m->probs + i * b->k, b->k, t->klass[i]));
        }
        if (squares) {
            col[b->j] = t->value[i] - mean;
            col[b->j + 1] = col[b->j] * col[b->j];
        }
        if (!u || (t->klass && t->klass[i] != t->klass[b->order[u - 1]]))
            b->strata[b->n_strata++].start = u;
        b->strata[b->n_strata - 1].n++;
    }
    return FW_OK;
}

static double columns_value(const struct boot *b, struct draws *d, struct scratch *s)
{
    double n = (double)b->n, value = 0;
    memset(s->sum, 0, b->c * sizeof *s->sum);
    for (size_t i = 0; i < b->n_strata; i++) {
        size_t size = b->strata[i].n;
        const double *cols = b->cols + b->strata[i].start * b->c;
        for (size_t u = 0; u < size; u++) {
            const double *col = cols + below(d, (uint32_t)size) * b->c;
            for (size_t c = 0; c < b->c; c++)
                s->sum[c] += col[c];
        }
    }
    if (b->c == 1)
        return s->sum[0] / n;
    double spread = s->sum[b->j + 1] - s->sum[b->j] * s->sum[b->j] / n;
    for (size_t j = 0; j < b->j; j++) {
        double square = s->sum[j];
        double v = b->m->id == FW_RMSE ? sqrt(square / n)
                   : spread > 0        ? 1 - square / spread
                   : square > 0        ? 0
                                       : 1;
        value += b->models[j].weight * v;
    }
    return value;
}

struct worker {
    const struct boot *b;
    pthread_t thread;
    size_t from, to;
    bool started, failed;
};

static void *resample_work(void *arg)
{
    struct worker *w = arg;
    const struct boot *b = w->b;
    struct scratch s = {
        .times = malloc((b->n_patterns + 1) * sizeof *s.times),
        .missed = malloc((b->j * b->k + 1) * sizeof *s.missed),
        .taken = malloc((b->j * b->k + 1) * sizeof *s.taken),
        .sum = malloc((b->c + 1) * sizeof *s.sum),
    };
    w->failed = !s.times || !s.missed || !s.taken || !s.sum;
    for (size_t i = w->from; i < w->to && !w->failed; i++) {
        struct draws d = {.has = false};
        uint64_t number = i; /* each resample has a stream of its own */
        fw_rng_seed(&d.rng, fw_hash64(&number, sizeof number, b->seed));
        b->out[i] = b->grouped ? grouped_value(b, &d, &s) : columns_value(b, &d, &s);
    }
    free(s.times);
    free(s.missed);
    free(s.taken);
    free(s.sum);
    return NULL;
}

static int resample(const struct boot *b, size_t resamples, struct fw_err *err)
{
    struct worker w[MAX_THREADS];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = cpus < 1 ? 1 : cpus > MAX_THREADS ? MAX_THREADS : (size_t)cpus;
    size_t work = (b->grouped ? b->n_patterns * (b->j + 8) : b->n) * resamples;
    if (work < 2000000) /* a few milliseconds: threads would not pay */
        n = 1;
    bool failed = false;
    for (size_t i = 0; i < n; i++) {
        w[i] = (struct worker){.b = b, .from = resamples * i / n, .to = resamples * (i + 1) / n};
        w[i].started = i && pthread_create(&w[i].thread, NULL, resample_work, &w[i]) == 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (w[i].started)
            pthread_join(w[i].thread, NULL);
        else
            resample_work(&w[i]); /* the first share, and any that got no thread */
        failed |= w[i].failed;
    }
    return failed ? fw_err_nomem(err) : FW_OK;
}

static int check_models(const struct boot *b, struct fw_err *err)
{
    if (!b->j)
        return fw_err_set(err, FW_EINVAL, "there are no predictions to compare");
    for (size_t j = 0; j < b->j; j++) {
        const struct fw_boot_model *m = &b->models[j];
        bool has = b->grouped        ? m->pred != NULL
                   : b->truth->klass ? m->probs != NULL
                                     : m->value != NULL;
        if (!has)
            return fw_err_set(err, FW_EINVAL, "the metric needs %s, which the predictions lack",
                              b->grouped        ? "predicted classes"
                              : b->truth->klass ? "probabilities"
                                                : "predicted values");
    }
    return FW_OK;
}

int fw_bootstrap(const struct fw_metric *m, const struct fw_truth *truth,
                 const struct fw_boot_model *models, size_t n_models, size_t resamples,
                 uint64_t seed, double *out, struct fw_err *err)
{
    struct boot b = {.m = m, .truth = truth, .models = models, .j = n_models, .seed = seed};
    b.k = truth->klass ? truth->k : 0;
    b.grouped = fw_metric_from_confusion(m);
    b.linear = b.grouped && is_linear(m);
    b.out = out;
    int rc = check_models(&b, err);
    if (rc == FW_OK)
        rc = take_used(&b, err);
    if (rc == FW_OK && b.grouped) {
        rc = see(&b, err);
        if (rc == FW_OK)
            rc = group(&b, err);
        if (rc == FW_OK && !b.linear)
            rc = list_misses(&b, err);
    } else if (rc == FW_OK) {
        rc = fill_columns(&b, err);
    }
    if (rc == FW_OK)
        rc = resample(&b, resamples, err);
    free(b.order);
    free(b.seen);
    free(b.value);
    free(b.patterns);
    free(b.misses);
    free(b.miss_start);
    free(b.strata);
    free(b.tail);
    free(b.row);
    free(b.cols);
    return rc;
}
