#include "stages/relabel/agreement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "pipeline/base/parallel.h"
#include "stages/evaluate/bootstrap.h"
#include "stages/evaluate/quantile.h"

void fw_coincidences(const struct fw_annotations *a, double *o)
{
    size_t k = a->classes;
    for (size_t t = 0; t < a->tasks; t++) {
        const int32_t *c = a->klass + a->task_at[t];
        size_t m = a->task_at[t + 1] - a->task_at[t];
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < m; j++)
                if (i != j)
                    o[(size_t)c[i] * k + (size_t)c[j]] += 1.0 / (double)(m - 1);
    }
}

/* n_c into n (K), or within the answers of two classes when k is 2. */
static double row_sums(const double *o, size_t k, double *n)
{
    double all = 0;
    for (size_t c = 0; c < k; c++) {
        n[c] = 0;
        for (size_t j = 0; j < k; j++)
            n[c] += o[c * k + j];
        all += n[c];
    }
    return all;
}

static double nominal(const double *o, size_t k, const double *n, double all)
{
    double same = 0, squares = 0;
    for (size_t c = 0; c < k; c++) {
        same += o[c * k + c];
        squares += n[c] * n[c];
    }
    double chance = all * all - squares;
    return chance > 1e-9 * all * all ? 1 - (all - 1) * (all - same) / chance : NAN;
}

double fw_krippendorff_alpha(const double *o, size_t k, enum fw_scale scale, const double *values)
{
    double *n = malloc((2 * k + 1) * sizeof *n), observed = 0, chance = 0;
    if (!n)
        return NAN;
    double *at = n + k, below = 0, all = row_sums(o, k, n);
    if (scale == FW_NOMINAL) {
        double alpha = nominal(o, k, n, all);
        free(n);
        return alpha;
    }
    /* Ordinal: Σ_{g=c..k} n_g − (n_c + n_k)/2 is the distance of the classes' mid-ranks. */
    for (size_t c = 0; c < k; c++) {
        at[c] = scale == FW_ORDINAL ? below + n[c] / 2 : values ? values[c] : (double)c;
        below += n[c];
    }
    for (size_t c = 0; c < k; c++)
        for (size_t j = 0; j < k; j++) {
            double d = (at[c] - at[j]) * (at[c] - at[j]);
            observed += o[c * k + j] * d;
            chance += n[c] * n[j] * d;
        }
    free(n);
    return chance > 0 ? 1 - (all - 1) * observed / chance : NAN;
}

/* alpha of one class against the rest. */
static double class_alpha(double n_c, double o_cc, double all)
{
    double chance = n_c * (all - n_c);
    return chance > 0 ? 1 - (all - 1) * (n_c - o_cc) / chance : NAN;
}

static double pair_alpha(double o_aa, double o_bb, double o_ab)
{
    double n_a = o_aa + o_ab, n_b = o_bb + o_ab, chance = n_a * n_b;
    return chance > 0 ? 1 - (n_a + n_b - 1) * o_ab / chance : NAN;
}

/* Tasks that have the same answers (whoever gave them) are of one kind. */
struct kind {
    size_t task; /* one of them */
    uint64_t tasks;
};

struct kinds {
    size_t n, k;
    struct kind *v;
    size_t *at; /* n + 1: the kind's classes, with counts, in klass and count */
    int32_t *klass;
    uint32_t *count;
    uint64_t tasks, answers;
};

static void kinds_release(struct kinds *s)
{
    free(s->v);
    free(s->at);
    free(s->klass);
    free(s->count);
}

static int by_number(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Runs of the sorted answers of a task, after the last kind of s. Their number. */
static size_t put_runs(struct kinds *s, const int32_t *sorted, size_t m)
{
    size_t from = s->at[s->n], n = 0;
    for (size_t i = 0; i < m; i++) {
        if (n && s->klass[from + n - 1] == sorted[i]) {
            s->count[from + n - 1]++;
            continue;
        }
        s->klass[from + n] = sorted[i];
        s->count[from + n++] = 1;
    }
    return n;
}

static bool same_kind(const struct kinds *s, size_t a, size_t b_from, size_t b_n)
{
    size_t from = s->at[a], n = s->at[a + 1] - from;
    return n == b_n && !memcmp(s->klass + from, s->klass + b_from, n * sizeof *s->klass) &&
           !memcmp(s->count + from, s->count + b_from, n * sizeof *s->count);
}

static int find_kinds(const struct fw_annotations *a, struct kinds *s, struct fw_err *err)
{
    size_t slots = 64, most = 0;
    while (slots < 2 * a->tasks)
        slots *= 2;
    for (size_t t = 0; t < a->tasks; t++)
        most = a->task_at[t + 1] - a->task_at[t] > most ? a->task_at[t + 1] - a->task_at[t] : most;
    uint32_t *slot = calloc(slots, sizeof *slot);
    int32_t *sorted = malloc((most + 1) * sizeof *sorted);
    s->v = malloc((a->tasks + 1) * sizeof *s->v);
    s->at = calloc(a->tasks + 2, sizeof *s->at);
    s->klass = malloc((a->n + 1) * sizeof *s->klass);
    s->count = malloc((a->n + 1) * sizeof *s->count);
    s->k = a->classes;
    int rc = slot && sorted && s->v && s->at && s->klass && s->count ? FW_OK : fw_err_nomem(err);
    for (size_t t = 0; rc == FW_OK && t < a->tasks; t++) {
        size_t m = a->task_at[t + 1] - a->task_at[t], from = s->at[s->n];
        if (m < 2)
            continue;
        memcpy(sorted, a->klass + a->task_at[t], m * sizeof *sorted);
        qsort(sorted, m, sizeof *sorted, by_number);
        size_t runs = put_runs(s, sorted, m);
        size_t h = (size_t)fw_hash64(sorted, m * sizeof *sorted, 0) & (slots - 1);
        while (slot[h] && !same_kind(s, slot[h] - 1, from, runs))
            h = (h + 1) & (slots - 1);
        s->tasks++;
        s->answers += m;
        if (slot[h]) {
            s->v[slot[h] - 1].tasks++;
            continue;
        }
        s->v[s->n] = (struct kind){t, 1};
        slot[h] = (uint32_t)++s->n;
        s->at[s->n] = from + runs;
    }
    free(slot);
    free(sorted);
    return rc;
}

/* What the statistics need, of the kinds each taken `times` times. */
struct sums {
    double *o; /* K × K */
    double *n; /* K: row sums */
    double all, agree, tasks;
};

static void add_up(const struct kinds *s, const uint64_t *times, struct sums *out)
{
    size_t k = s->k;
    memset(out->o, 0, k * k * sizeof *out->o);
    out->agree = out->tasks = 0;
    for (size_t i = 0; i < s->n; i++) {
        double m = 0, w = (double)(times ? times[i] : s->v[i].tasks), same = 0;
        if (w == 0)
            continue;
        for (size_t x = s->at[i]; x < s->at[i + 1]; x++)
            m += s->count[x];
        for (size_t x = s->at[i]; x < s->at[i + 1]; x++) {
            double c = s->count[x];
            double *row = out->o + (size_t)s->klass[x] * k;
            for (size_t y = s->at[i]; y < s->at[i + 1]; y++)
                row[s->klass[y]] += w * c * (x == y ? c - 1 : (double)s->count[y]) / (m - 1);
            same += c * (c - 1);
        }
        out->agree += w * same / (m * (m - 1));
        out->tasks += w;
    }
    out->all = row_sums(out->o, k, out->n);
}

static size_t resampled_pairs(const struct fw_agreement *g)
{
    return g->n_pairs < FW_AGREEMENT_PAIRS ? g->n_pairs : FW_AGREEMENT_PAIRS;
}

/* The statistics in one row: percent, Fleiss, alpha, K classes, then the pairs. */
static void statistics(const struct sums *s, size_t k, const struct fw_agreement *g,
                       const double *values, double *out)
{
    double percent = s->tasks > 0 ? s->agree / s->tasks : NAN, chance = 0;
    for (size_t c = 0; c < k && s->all > 0; c++)
        chance += s->n[c] / s->all * (s->n[c] / s->all);
    out[0] = percent;
    out[1] = s->tasks > 0 && 1 - chance > 1e-15 ? (percent - chance) / (1 - chance) : NAN;
    out[2] = g->scale == FW_NOMINAL ? nominal(s->o, k, s->n, s->all)
                                    : fw_krippendorff_alpha(s->o, k, g->scale, values);
    for (size_t c = 0; c < k; c++)
        out[3 + c] = class_alpha(s->n[c], s->o[c * k + c], s->all);
    for (size_t i = 0; i < resampled_pairs(g); i++) {
        size_t a = g->pairs[i].a, b = g->pairs[i].b;
        out[3 + k + i] = pair_alpha(s->o[a * k + a], s->o[b * k + b], s->o[a * k + b]);
    }
}

static int by_excess(const void *x, const void *y)
{
    const struct fw_pair_agreement *a = x, *b = y;
    if (a->excess != b->excess)
        return a->excess < b->excess ? 1 : -1;
    return a->a != b->a ? (a->a > b->a) - (a->a < b->a) : (a->b > b->b) - (a->b < b->b);
}

static int describe(const struct kinds *kinds, const struct sums *s, struct fw_agreement *g,
                    struct fw_err *err)
{
    size_t k = kinds->k, n = 0;
    double apart = 0;
    uint32_t *both = calloc(k * k + 1, sizeof *both);
    g->classes = calloc(k + 1, sizeof *g->classes);
    for (size_t a = 0; a < k; a++)
        for (size_t b = a + 1; b < k; b++) {
            n += s->o[a * k + b] > 0;
            apart += s->o[a * k + b];
        }
    g->pairs = calloc(n + 1, sizeof *g->pairs);
    g->n_classes = k;
    if (!both || !g->classes || !g->pairs) {
        free(both);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < kinds->n; i++)
        for (size_t x = kinds->at[i]; x < kinds->at[i + 1]; x++) {
            g->classes[kinds->klass[x]].tasks += kinds->v[i].tasks;
            for (size_t y = x + 1; y < kinds->at[i + 1]; y++)
                both[(size_t)kinds->klass[x] * k + (size_t)kinds->klass[y]] +=
                    (uint32_t)kinds->v[i].tasks;
        }
    for (size_t c = 0; c < k; c++) {
        g->classes[c].answers = s->n[c];
        g->classes[c].disagree = s->n[c] - s->o[c * k + c];
    }
    for (size_t a = 0; a < k; a++)
        for (size_t b = a + 1; b < k; b++) {
            double o_ab = s->o[a * k + b], n_a = s->o[a * k + a] + o_ab,
                   n_b = s->o[b * k + b] + o_ab;
            if (!(o_ab > 0))
                continue;
            double chance = n_a + n_b > 1 ? n_a * n_b / (n_a + n_b - 1) : o_ab;
            g->pairs[g->n_pairs++] = (struct fw_pair_agreement){
                .a = a,
                .b = b,
                .disagree = o_ab,
                .share = o_ab / apart,
                .excess = o_ab - (1 - g->target) * chance,
                .tasks = both[a * k + b],
                .alpha = {pair_alpha(s->o[a * k + a], s->o[b * k + b], o_ab), NAN, NAN},
            };
        }
    qsort(g->pairs, g->n_pairs, sizeof *g->pairs, by_excess);
    free(both);
    return FW_OK;
}

/* A block of resamples; statistic i of resample b goes to out[i * resamples + b]. */
struct resampling {
    const struct kinds *kinds;
    const struct fw_agreement *g;
    const double *values;
    uint64_t seed;
    size_t stats;
    double *out;
};

static int resample_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct resampling *r = ctx;
    size_t k = r->kinds->k;
    uint64_t *times = malloc((r->kinds->n + 1) * sizeof *times);
    double *space = malloc((k * k + k + r->stats + 1) * sizeof *space);
    struct sums s = {.o = space, .n = space + k * k};
    int rc = times && space ? FW_OK : fw_err_nomem(err);
    for (size_t b = chunk->from; rc == FW_OK && b < chunk->to; b++) {
        double *row = space + k * k + k;
        struct fw_rng rng;
        fw_rng_seed(&rng, r->seed * 0x9e3779b97f4a7c15u + b);
        /* A multinomial number, one kind after the other. */
        uint64_t left = r->kinds->tasks, of = left;
        for (size_t i = 0; i < r->kinds->n; i++) {
            uint64_t here = r->kinds->v[i].tasks;
            times[i] = left ? fw_binomial(&rng, left, (double)here / (double)of) : 0;
            left -= times[i];
            of -= here;
        }
        add_up(r->kinds, times, &s);
        statistics(&s, k, r->g, r->values, row);
        for (size_t i = 0; i < r->stats; i++)
            r->out[i * r->g->resamples + b] = row[i];
    }
    free(times);
    free(space);
    return rc;
}

/* The percentile interval of the resampled values that are numbers. */
static struct fw_interval interval(double value, double *v, size_t n, double level)
{
    struct fw_interval out = {value, NAN, NAN};
    size_t used = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(v[i]))
            v[used++] = v[i];
    if (!used || isnan(value))
        return out;
    qsort(v, used, sizeof *v, fw_by_number);
    double tail = (1 - level) / 2;
    out.low = v[(size_t)(tail * (double)(used - 1))];
    out.high = v[(size_t)ceil((1 - tail) * (double)(used - 1))];
    return out;
}

static int intervals(const struct kinds *kinds, const struct sums *s, const double *values,
                     uint64_t seed, struct fw_agreement *g, struct fw_err *err)
{
    size_t k = kinds->k, stats = 3 + k + resampled_pairs(g), cells;
    size_t b = g->resamples;
    double *value = malloc(stats * sizeof *value), *v = NULL;
    int rc = value ? FW_OK : fw_err_nomem(err);
    if (__builtin_mul_overflow(stats, b + 1, &cells) || cells > SIZE_MAX / sizeof *v ||
        (rc == FW_OK && !(v = malloc(cells * sizeof *v))))
        rc = fw_err_nomem(err);
    struct resampling r = {kinds, g, values, seed, stats, v};
    if (rc == FW_OK) {
        statistics(s, k, g, values, value);
        rc = fw_parallel(b, 8, resample_work, &r, err);
    }
    for (size_t i = 0; rc == FW_OK && i < stats; i++) {
        struct fw_interval *to = i == 0      ? &g->percent
                                 : i == 1    ? &g->fleiss
                                 : i == 2    ? &g->alpha
                                 : i < 3 + k ? &g->classes[i - 3].alpha
                                             : &g->pairs[i - 3 - k].alpha;
        *to = interval(value[i], v + i * b, b, g->level);
    }
    free(value);
    free(v);
    return rc;
}

int fw_agreement(const struct fw_annotations *a, const struct fw_agreement_options *options,
                 struct fw_agreement *out, struct fw_err *err)
{
    size_t k = a->classes, cells;
    struct fw_agreement g = {.scale = options->scale,
                             .level = options->level,
                             .target = options->target,
                             .resamples = options->resamples};
    struct kinds kinds = {0};
    struct sums s = {0};
    if (options->scale == FW_INTERVAL && !a->class_values) {
        fw_err_set(err, FW_EINVAL, "the interval scale needs classes that are numbers");
        return fw_err_hint(err, "use the nominal or the ordinal scale");
    }
    if (__builtin_mul_overflow(k, k, &cells) || cells > SIZE_MAX / 32)
        return fw_err_nomem(err);
    int rc = find_kinds(a, &kinds, err);
    s.o = calloc(cells + k + 1, sizeof *s.o);
    s.n = s.o ? s.o + cells : NULL;
    if (rc == FW_OK && !s.o)
        rc = fw_err_nomem(err);
    if (rc == FW_OK) {
        /* About 50 ns for a kind and resample. */
        size_t most = 1000000000 / (kinds.n + cells + 1);
        if (g.resamples > most)
            g.resamples = most < 200 ? (g.resamples < 200 ? g.resamples : 200) : most;
        g.tasks = kinds.tasks;
        g.answers = kinds.answers;
        add_up(&kinds, NULL, &s);
        rc = describe(&kinds, &s, &g, err);
    }
    if (rc == FW_OK)
        rc = intervals(&kinds, &s, a->class_values, options->seed, &g, err);
    kinds_release(&kinds);
    free(s.o);
    if (rc != FW_OK) {
        fw_agreement_release(&g);
        return rc;
    }
    *out = g;
    return FW_OK;
}

void fw_agreement_release(struct fw_agreement *g)
{
    free(g->classes);
    free(g->pairs);
    memset(g, 0, sizeof *g);
}
