#include "stages/targeted_collection/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/rng.h"

/* Finding near-duplicates compares pairs; beyond these sizes a seeded sample of the known rows has
 * to do, so that a large pool costs time in proportion to its size. */
enum { MOST_KNOWN = 2000, MOST_PROBES = 500 };

static const char *const strategies[] = {"mixed", "uncertainty", "diversity", "random"};
static const char *const uncertainties[] = {"margin", "least-confident", "entropy"};

int fw_strategy_parse(const char *name, enum fw_strategy *out, struct fw_err *err)
{
    for (int i = 0; i < 4; i++)
        if (strcmp(name, strategies[i]) == 0) {
            *out = (enum fw_strategy)i;
            return FW_OK;
        }
    return fw_err_set(err, FW_EINVAL,
                      "unknown strategy '%s'; one of mixed, uncertainty, diversity, random", name);
}

int fw_uncertainty_parse(const char *name, enum fw_uncertainty *out, struct fw_err *err)
{
    for (int i = 0; i < 3; i++)
        if (strcmp(name, uncertainties[i]) == 0) {
            *out = (enum fw_uncertainty)i;
            return FW_OK;
        }
    return fw_err_set(err, FW_EINVAL,
                      "unknown uncertainty '%s'; one of margin, least-confident, entropy", name);
}

double fw_uncertainty(enum fw_uncertainty how, const float *p, size_t k)
{
    double first = 0, second = 0, h = 0;

    if (k < 2)
        return 0;
    for (size_t c = 0; c < k; c++) {
        if (p[c] > first) {
            second = first;
            first = p[c];
        } else if (p[c] > second) {
            second = p[c];
        }
        if (p[c] > 0)
            h -= p[c] * log(p[c]);
    }
    double u = how == FW_MARGIN            ? 1 - (first - second)
               : how == FW_LEAST_CONFIDENT ? (1 - first) * (double)k / ((double)k - 1)
                                           : h / log((double)k);
    return u < 0 ? 0 : u > 1 ? 1 : u;
}

void fw_quotas(const double *weight, size_t n, size_t budget, size_t *quota)
{
    double sum = 0;
    size_t given = 0;

    for (size_t i = 0; i < n; i++) {
        quota[i] = 0;
        sum += weight[i] > 0 ? weight[i] : 0;
    }
    if (!(sum > 0))
        return;
    for (size_t i = 0; i < n; i++) {
        quota[i] = weight[i] > 0 ? (size_t)((double)budget * weight[i] / sum) : 0;
        given += quota[i];
    }
    for (; given < budget; given++) {
        size_t best = n;
        double most = -HUGE_VAL;
        for (size_t i = 0; i < n; i++) {
            double left = (double)budget * weight[i] / sum - (double)quota[i];
            if (weight[i] > 0 && left > most) {
                most = left;
                best = i;
            }
        }
        quota[best]++;
    }
}

struct pick {
    const struct fw_select_params *params;
    const struct fw_matrix *pool, *train;
    size_t n;
    double *score;    /* n */
    double *distance; /* diversity: n squared distances to the nearest of train and chosen */
    bool *taken;      /* n */
    bool *near;       /* n: found to be a near-duplicate */
    double *jitter;   /* n: seeded, decides between equals */
    double near2;     /* squared distance under which it is the same thing again; < 0: never */
    struct fw_choice *out;
    size_t n_out;
};

static void take(struct pick *p, size_t i, long aim, double score)
{
    p->taken[i] = true;
    p->out[p->n_out++] = (struct fw_choice){i, aim, score};
}

static bool is_near(const struct pick *p, size_t i)
{
    if (p->near2 < 0)
        return false;
    for (size_t j = 0; j < p->train->n; j++)
        if (fw_matrix_distance2(p->pool, i, p->train, j) <= p->near2)
            return true;
    for (size_t j = 0; j < p->n_out; j++)
        if (fw_matrix_distance2(p->pool, i, p->pool, p->out[j].candidate) <= p->near2)
            return true;
    return false;
}

/* value(): greater is better, negative is never. */
typedef double value_fn(const struct pick *p, size_t i, const void *ctx);

static long top(const struct pick *p, value_fn *value, const void *ctx, bool near)
{
    long found = -1;
    double most = -1;

    for (size_t i = 0; i < p->n; i++) {
        if (p->taken[i] || p->near[i] != near)
            continue;
        double v = value(p, i, ctx);
        if (v >= 0 && (v > most || (v == most && p->jitter[i] > p->jitter[found]))) {
            found = (long)i;
            most = v;
        }
    }
    return found;
}

/* The best free candidate; a near-duplicate only when nothing else is left. Only candidates that
 * come up are compared with what is there. -1: none. */
static long best(struct pick *p, value_fn *value, const void *ctx)
{
    for (;;) {
        long i = top(p, value, ctx, false);
        if (i < 0)
            return top(p, value, ctx, true);
        if (!is_near(p, (size_t)i))
            return i;
        p->near[i] = true;
    }
}

static double by_score(const struct pick *p, size_t i, const void *ctx)
{
    (void)ctx;
    return p->score[i];
}

static double by_distance(const struct pick *p, size_t i, const void *ctx)
{
    (void)ctx;
    return p->distance[i];
}

struct for_aim {
    const struct fw_aim *aim;
    const float *probs;
    size_t k;
};

static double belongs(const struct for_aim *a, size_t i)
{
    return a->aim->klass >= 0 ? (double)a->probs[i * a->k + (size_t)a->aim->klass]
                              : (double)a->aim->member[i];
}

/* Unsure, and likely one of those that are wanted; not at all for a candidate that cannot be one.
 */
static double by_aim(const struct pick *p, size_t i, const void *ctx)
{
    double m = belongs(ctx, i);
    return m > 0 ? p->score[i] * m : -1;
}

/* The quotas' part of the budget goes, each time, to the aim that is furthest behind its share;
 * what the others expect of a chosen candidate counts for them too. */
static void pick_quotas(struct pick *p, const float *probs, size_t k, const struct fw_aim *aims,
                        size_t n_aims, const size_t *quota, double *got)
{
    size_t end = 0;
    for (size_t a = 0; a < n_aims; a++)
        end += quota[a];
    while (p->n_out < end) {
        long aim = -1, i = -1;
        for (size_t a = 0; a < n_aims; a++)
            if (quota[a] && got[a] < HUGE_VAL &&
                (aim < 0 || (double)quota[a] - got[a] > (double)quota[aim] - got[aim]))
                aim = (long)a;
        if (aim < 0)
            return;
        struct for_aim ctx = {&aims[aim], probs, k};
        i = best(p, by_aim, &ctx);
        if (i < 0) {
            got[aim] = HUGE_VAL; /* nothing in the pool for this one */
            continue;
        }
        take(p, (size_t)i, aim, p->score[i]);
        for (size_t a = 0; a < n_aims; a++) {
            struct for_aim other = {&aims[a], probs, k};
            got[a] += belongs(&other, (size_t)i);
        }
    }
}

static int pick_mixed(struct pick *p, const float *probs, size_t k, const struct fw_aim *aims,
                      size_t n_aims, struct fw_err *err)
{
    size_t budget = p->params->budget;
    double *weight = calloc(n_aims ? n_aims : 1, sizeof *weight);
    double *got = calloc(n_aims ? n_aims : 1, sizeof *got);
    size_t *quota = calloc(n_aims ? n_aims : 1, sizeof *quota);
    int rc = weight && got && quota ? FW_OK : fw_err_nomem(err);

    for (size_t a = 0; rc == FW_OK && a < n_aims; a++)
        weight[a] = aims[a].weight;
    if (rc == FW_OK) {
        fw_quotas(weight, n_aims, (size_t)((double)budget * p->params->quota_share), quota);
        pick_quotas(p, probs, k, aims, n_aims, quota, got);
    }
    while (rc == FW_OK && p->n_out < budget) {
        long i = best(p, by_score, NULL);
        if (i < 0)
            break;
        take(p, (size_t)i, -1, p->score[i]);
    }
    free(weight);
    free(got);
    free(quota);
    return rc;
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int seeded_order(const struct pick *p, const char *name, size_t n, size_t **order,
                        struct fw_err *err)
{
    struct fw_rng rng;
    size_t *v = malloc((n ? n : 1) * sizeof *v);

    if (!v)
        return fw_err_nomem(err);
    for (size_t i = 0; i < n; i++)
        v[i] = i;
    fw_rng_seed_named(&rng, p->params->seed, name);
    fw_rng_shuffle(&rng, v, n);
    *order = v;
    return FW_OK;
}

/* How near is near: a share of the median distance to the nearest neighbour within the pool. */
static int measure_near(struct pick *p, struct fw_err *err)
{
    size_t n = p->n < MOST_PROBES ? p->n : MOST_PROBES, *order = NULL;
    double *nearest = malloc((n ? n : 1) * sizeof *nearest), share = p->params->near_share;
    int rc = nearest ? seeded_order(p, "near", p->n, &order, err) : fw_err_nomem(err);

    for (size_t a = 0; rc == FW_OK && a < n; a++) {
        nearest[a] = HUGE_VAL;
        for (size_t b = 0; b < n; b++) {
            double d =
                a == b ? HUGE_VAL : fw_matrix_distance2(p->pool, order[a], p->pool, order[b]);
            if (d < nearest[a])
                nearest[a] = d;
        }
    }
    if (rc == FW_OK && n > 1) {
        qsort(nearest, n, sizeof *nearest, by_double);
        p->near2 = share * share * nearest[n / 2];
    }
    free(order);
    free(nearest);
    return rc;
}

static int pick_diverse(struct pick *p, struct fw_err *err)
{
    size_t n_known = p->train->n < MOST_KNOWN ? p->train->n : MOST_KNOWN, *order = NULL;
    int rc = seeded_order(p, "known", p->train->n, &order, err);

    p->distance = calloc(p->n ? p->n : 1, sizeof *p->distance);
    if (rc == FW_OK && !p->distance)
        rc = fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < p->n; i++) {
        p->distance[i] = HUGE_VAL;
        for (size_t j = 0; j < n_known; j++) {
            double d = fw_matrix_distance2(p->pool, i, p->train, order[j]);
            if (d < p->distance[i])
                p->distance[i] = d;
        }
    }
    while (rc == FW_OK && p->n_out < p->params->budget) {
        long i = top(p, by_distance, NULL, false);
        if (i < 0)
            break;
        double far = p->distance[i];
        take(p, (size_t)i, -1, isfinite(far) ? sqrt(far) : 0);
        for (size_t j = 0; j < p->n; j++) {
            double d = p->taken[j] ? 0 : fw_matrix_distance2(p->pool, j, p->pool, (size_t)i);
            if (d < p->distance[j])
                p->distance[j] = d;
        }
    }
    free(order);
    return rc;
}

static int check(const struct fw_select_params *params, const float *probs, size_t k,
                 const struct fw_matrix *pool, const struct fw_matrix *train,
                 const struct fw_aim *aims, size_t n_aims, struct fw_err *err)
{
    if (train->n && (train->dim != pool->dim || !train->start != !pool->start))
        return fw_err_set(err, FW_EINVAL, "pool and train have features of different kinds");
    if (!(params->quota_share >= 0 && params->quota_share <= 1) || !(params->near_share >= 0))
        return fw_err_set(err, FW_EINVAL, "quota_share must be 0 to 1, near_share at least 0");
    if (!probs && params->strategy != FW_RANDOM && params->strategy != FW_DIVERSITY)
        return fw_err_set(err, FW_EINVAL, "uncertainty needs probabilities");
    for (size_t a = 0; a < n_aims; a++)
        if (aims[a].klass >= (long)k || (aims[a].klass < 0 && !aims[a].member))
            return fw_err_set(err, FW_EINVAL, "aim %zu has neither a class nor members", a);
    return FW_OK;
}

static int pick_all(struct pick *p, const float *probs, size_t k, const struct fw_aim *aims,
                    size_t n_aims, struct fw_err *err)
{
    if (p->params->strategy == FW_DIVERSITY)
        return pick_diverse(p, err);
    if (p->params->strategy == FW_MIXED) {
        int rc = p->params->near_share > 0 ? measure_near(p, err) : FW_OK;
        return rc == FW_OK ? pick_mixed(p, probs, k, aims, n_aims, err) : rc;
    }
    while (p->n_out < p->params->budget) {
        long i = best(p, by_score, NULL);
        if (i < 0)
            break;
        take(p, (size_t)i, -1, p->score[i]);
    }
    return FW_OK;
}

int fw_select(const struct fw_select_params *params, const float *probs, size_t k,
              const struct fw_matrix *pool, const struct fw_matrix *train,
              const struct fw_aim *aims, size_t n_aims, struct fw_choice *out, size_t *n_out,
              struct fw_err *err)
{
    struct pick p = {
        .params = params, .pool = pool, .train = train, .n = pool->n, .near2 = -1, .out = out};
    struct fw_rng rng;
    size_t room = pool->n ? pool->n : 1;
    int rc = check(params, probs, k, pool, train, aims, n_aims, err);

    if (rc != FW_OK)
        return rc;
    p.score = calloc(room, sizeof *p.score);
    p.taken = calloc(room, sizeof *p.taken);
    p.near = calloc(room, sizeof *p.near);
    p.jitter = calloc(room, sizeof *p.jitter);
    if (!p.score || !p.taken || !p.near || !p.jitter)
        rc = fw_err_nomem(err);

    fw_rng_seed_named(&rng, params->seed, "select");
    for (size_t i = 0; rc == FW_OK && i < pool->n; i++) {
        p.jitter[i] = fw_rng_double(&rng);
        if (params->strategy == FW_MIXED || params->strategy == FW_UNCERTAINTY)
            p.score[i] = fw_uncertainty(params->uncertainty, probs + i * k, k);
    }
    if (rc == FW_OK)
        rc = pick_all(&p, probs, k, aims, n_aims, err);
    if (rc == FW_OK)
        *n_out = p.n_out;
    free(p.score);
    free(p.taken);
    free(p.near);
    free(p.jitter);
    free(p.distance);
    return rc;
}
