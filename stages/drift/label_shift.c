#include "stages/drift/label_shift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "pipeline/base/rng.h"
#include "stages/drift/counts.h"
#include "stages/drift/two_sample.h"
#include "stages/evaluate/bootstrap.h"

enum { ITERATIONS = 100, LAMBDAS = 40 };
/* Bounds of λ: what is solved stays regular, and far above any share. */
static const double lambda_min = 1e-10, lambda_max = 1e9;

struct scratch {
    double *c, *a, *g, *b, *x; /* k × k, k × k, k × k, k, k */
    size_t *pivot;
    double *counts; /* k × k + k: of a resample */
    void *all;
};

struct job {
    const double *confusion, *predicted; /* counts */
    size_t k;
    double n, m, lambda;
    bool regularised;
    const struct fw_label_shift_options *options;
    double *after; /* resamples × k */
};

static int scratch_make(struct scratch *s, size_t k, struct fw_err *err)
{
    size_t numbers = 4 * k * k + 3 * k;
    s->all = malloc(numbers * sizeof(double) + k * sizeof(size_t));
    if (!s->all)
        return fw_err_nomem(err);
    s->c = s->all;
    s->a = s->c + k * k;
    s->g = s->a + k * k;
    s->counts = s->g + k * k;
    s->b = s->counts + k * k + k;
    s->x = s->b + k;
    s->pivot = (size_t *)(void *)(s->c + numbers);
    return FW_OK;
}

static double norm(const double *v, size_t k)
{
    double sum = 0;
    for (size_t i = 0; i < k; i++)
        sum += v[i] * v[i];
    return sqrt(sum);
}

/* y = C x */
static void multiply(const double *c, size_t k, const double *x, double *y)
{
    for (size_t i = 0; i < k; i++) {
        y[i] = 0;
        for (size_t j = 0; j < k; j++)
            y[i] += c[i * k + j] * x[j];
    }
}

static void multiply_transposed(const double *c, size_t k, const double *x, double *y)
{
    memset(y, 0, k * sizeof *y);
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++)
            y[j] += c[i * k + j] * x[i];
}

/* C[predicted][truth] from counts [truth][predicted]. */
static void shares(const double *confusion, size_t k, double n, double *c)
{
    for (size_t t = 0; t < k; t++)
        for (size_t p = 0; p < k; p++)
            c[p * k + t] = confusion[t * k + p] / n;
}

/* The greatest singular value by power iteration on CᵀC, the smallest by inverse iteration. */
static double condition_of(const double *c, size_t k, struct scratch *s)
{
    double most = 0, least = 0;
    memcpy(s->a, c, k * k * sizeof *c);
    if (!fw_lu_factor(s->a, k, s->pivot))
        return INFINITY;
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < k; i++)
            s->x[i] = 1 + (double)(i % 7) / 16; /* any start that is no singular vector */
        for (int i = 0; i < ITERATIONS; i++) {
            double length = norm(s->x, k);
            for (size_t j = 0; j < k; j++)
                s->x[j] /= length;
            if (side == 0) {
                multiply(c, k, s->x, s->b);
                multiply_transposed(c, k, s->b, s->x);
                most = sqrt(norm(s->x, k));
            } else {
                fw_lu_solve(s->a, k, s->pivot, true, s->x);
                fw_lu_solve(s->a, k, s->pivot, false, s->x);
                least = 1 / sqrt(norm(s->x, k));
            }
        }
    }
    return most / least;
}

/* CᵀC, to s->g. */
static void gram(const double *c, size_t k, struct scratch *s)
{
    memset(s->g, 0, k * k * sizeof *s->g);
    for (size_t r = 0; r < k; r++)
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; c[r * k + i] != 0 && j < k; j++)
                s->g[i * k + j] += c[r * k + i] * c[r * k + j];
}

/* b = μ − C 1; θ (s->x) of (CᵀC + λ I) θ = Cᵀ b, with CᵀC in s->g. */
static bool ridge(const double *c, const double *b, size_t k, double lambda, struct scratch *s)
{
    memcpy(s->a, s->g, k * k * sizeof *s->a);
    for (size_t i = 0; i < k; i++)
        s->a[i * k + i] += lambda;
    multiply_transposed(c, k, b, s->x);
    if (!fw_lu_factor(s->a, k, s->pivot))
        return false;
    fw_lu_solve(s->a, k, s->pivot, false, s->x);
    return true;
}

/* The λ at which the ridge solution is that of the unsquared norms: λ = Δ ‖C θ − b‖ / ‖θ‖, found by
 * repeating it. */
static double find_lambda(const double *c, const double *b, size_t k, double n, struct scratch *s)
{
    double delta = 0, lambda;
    for (size_t i = 0; i < k * k; i++)
        delta += c[i] * (1 - c[i]) / n;
    delta = sqrt(delta);
    lambda = fmax(delta, lambda_min);
    gram(c, k, s);
    for (int i = 0; i < LAMBDAS && lambda < lambda_max; i++) {
        double residual = 0, size;
        if (!ridge(c, b, k, lambda, s))
            break;
        for (size_t r = 0; r < k; r++) {
            double e = -b[r];
            for (size_t j = 0; j < k; j++)
                e += c[r * k + j] * s->x[j];
            residual += e * e;
        }
        size = norm(s->x, k);
        double next = size > 0 ? delta * sqrt(residual) / size : lambda_max;
        if (fabs(next - lambda) <= 1e-9 * lambda)
            break;
        lambda = fmax(fmin(next, lambda_max), lambda_min);
    }
    return lambda;
}

/* The weights of one set of counts, to s->x; false: singular. */
static bool solve(const struct job *j, const double *confusion, const double *predicted,
                  struct scratch *s)
{
    size_t k = j->k;
    shares(confusion, k, j->n, s->c);
    if (!j->regularised) {
        for (size_t i = 0; i < k; i++)
            s->x[i] = predicted[i] / j->m;
        memcpy(s->a, s->c, k * k * sizeof *s->c);
        if (!fw_lu_factor(s->a, k, s->pivot))
            return false;
        fw_lu_solve(s->a, k, s->pivot, false, s->x);
    } else {
        for (size_t i = 0; i < k; i++) {
            s->b[i] = predicted[i] / j->m;
            for (size_t t = 0; t < k; t++)
                s->b[i] -= s->c[i * k + t];
        }
        gram(s->c, k, s);
        if (!ridge(s->c, s->b, k, j->lambda, s))
            return false;
        for (size_t i = 0; i < k; i++)
            s->x[i] += 1;
    }
    for (size_t i = 0; i < k; i++)
        s->x[i] = s->x[i] > 0 ? s->x[i] : 0;
    return true;
}

static void class_shares(const double *confusion, size_t k, double n, const double *weight,
                         double *after)
{
    double sum = 0;
    for (size_t t = 0; t < k; t++) {
        double share = 0;
        for (size_t p = 0; p < k; p++)
            share += confusion[t * k + p];
        after[t] = (weight ? weight[t] : 1) * share / n;
        sum += after[t];
    }
    for (size_t t = 0; t < k && sum > 0; t++)
        after[t] /= sum;
}

/* A multinomial draw of `total` with the shares of `of`, cell by cell. */
static void resample(struct fw_rng *rng, const double *of, size_t cells, double total, double *out)
{
    double left = total, rest = total;
    for (size_t i = 0; i < cells; i++) {
        double p = rest > 0 ? fmin(1, of[i] / rest) : 0;
        out[i] = of[i] > 0 && left > 0 ? (double)fw_binomial(rng, (uint64_t)left, p) : 0;
        left -= out[i];
        rest -= of[i];
    }
}

static int resample_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct job *j = ctx;
    struct scratch s = {0};
    size_t k = j->k;
    int rc = scratch_make(&s, k, err);
    for (size_t r = chunk->from; rc == FW_OK && r < chunk->to; r++) {
        struct fw_rng rng;
        fw_rng_seed(&rng, j->options->seed * UINT64_C(0x9e3779b97f4a7c15) + r);
        resample(&rng, j->confusion, k * k, j->n, s.counts);
        resample(&rng, j->predicted, k, j->m, s.counts + k * k);
        double *after = j->after + r * k;
        if (solve(j, s.counts, s.counts + k * k, &s))
            class_shares(s.counts, k, j->n, s.x, after);
        else /* a resample without one of the classes: what it says is no shift */
            class_shares(s.counts, k, j->n, NULL, after);
    }
    free(s.all);
    return rc;
}

static int intervals(struct job *j, struct fw_label_shift *out, struct fw_err *err)
{
    size_t b = j->options->resamples, k = j->k;
    double tail = (1 - j->options->level) / 2;
    double *sorted = malloc(b * sizeof *sorted);
    j->after = b <= SIZE_MAX / sizeof(double) / k ? malloc(b * k * sizeof *j->after) : NULL;
    int rc = sorted && j->after ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_parallel(b, 16, resample_work, j, err);
    for (size_t c = 0; c < k && rc == FW_OK; c++) {
        for (size_t r = 0; r < b; r++)
            sorted[r] = j->after[r * k + c];
        rc = fw_sort_numbers(sorted, b, err);
        out->low[c] = sorted[(size_t)(tail * (double)(b - 1))];
        out->high[c] = sorted[(size_t)ceil((1 - tail) * (double)(b - 1))];
    }
    free(sorted);
    free(j->after);
    return rc;
}

static int check(const double *v, size_t n, double *sum, const char *what, struct fw_err *err)
{
    *sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(v[i] >= 0) || isinf(v[i]))
            return fw_err_set(err, FW_EINVAL, "a count of %s is not a number from 0 up", what);
        *sum += v[i];
    }
    return *sum > 0 ? FW_OK : fw_err_set(err, FW_EINVAL, "there is no %s", what);
}

static int test_predicted(const struct job *j, struct fw_label_shift *out, struct scratch *s,
                          struct fw_err *err)
{
    size_t k = j->k, n = 0;
    double *before = s->counts, *after = s->counts + k, *pooled = s->c, *seen = s->c + k;
    struct fw_homogeneity h;
    bool pool;
    memset(before, 0, k * sizeof *before);
    for (size_t t = 0; t < k; t++)
        for (size_t p = 0; p < k; p++)
            before[p] += j->confusion[t * k + p];
    memcpy(after, j->predicted, k * sizeof *after);
    out->psi = fw_psi(before, after, k);
    int rc = fw_pool_rare(before, after, k, 5, 0, s->pivot, &n, &pool, err);
    if (rc != FW_OK)
        return rc;
    memset(s->c, 0, 2 * k * sizeof *s->c);
    for (size_t i = 0; i < k; i++) {
        pooled[s->pivot[i]] += before[i];
        seen[s->pivot[i]] += after[i];
    }
    rc = fw_chi2_homogeneity(pooled, seen, n, &h, err);
    if (rc == FW_OK) {
        out->chi2 = h.chi2;
        out->df = h.df;
        out->p = h.p;
    }
    return rc;
}

int fw_label_shift(const double *confusion, const double *predicted, size_t k,
                   const struct fw_label_shift_options *options, struct fw_label_shift *out,
                   struct fw_err *err)
{
    struct job j = {confusion, predicted, k, .options = options};
    struct fw_label_shift s = {.k = k};
    struct scratch scratch = {0};
    if (k < 2 || k > 46340)
        return fw_err_set(err, FW_EINVAL, "label shift needs at least two classes, not %zu", k);
    int rc = check(confusion, k * k, &j.n, "labelled samples with predictions", err);
    if (rc == FW_OK)
        rc = check(predicted, k, &j.m, "predictions of production", err);
    if (rc == FW_OK)
        rc = scratch_make(&scratch, k, err);
    if (rc == FW_OK && !(s.weight = calloc(k, 5 * sizeof *s.weight)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK) {
        s.before = s.weight + k;
        s.after = s.weight + 2 * k;
        s.n = j.n;
        s.m = j.m;
        rc = test_predicted(&j, &s, &scratch, err);
    }
    if (rc == FW_OK) {
        shares(confusion, k, j.n, scratch.c);
        s.condition = condition_of(scratch.c, k, &scratch);
        s.regularised = j.regularised = !(s.condition <= options->max_condition);
        if (j.regularised) {
            for (size_t i = 0; i < k; i++) {
                scratch.counts[i] = predicted[i] / j.m;
                for (size_t t = 0; t < k; t++)
                    scratch.counts[i] -= scratch.c[i * k + t];
            }
            j.lambda = find_lambda(scratch.c, scratch.counts, k, j.n, &scratch);
        }
        class_shares(confusion, k, j.n, NULL, s.before);
        if (solve(&j, confusion, predicted, &scratch))
            memcpy(s.weight, scratch.x, k * sizeof *s.weight);
        else
            rc = fw_err_set(err, FW_EINVAL, "the confusion matrix is singular");
        class_shares(confusion, k, j.n, s.weight, s.after);
    }
    if (rc == FW_OK && options->resamples) {
        s.low = s.weight + 3 * k;
        s.high = s.weight + 4 * k;
        rc = intervals(&j, &s, err);
    }
    if (rc == FW_OK)
        *out = s;
    else
        free(s.weight);
    free(scratch.all);
    return rc;
}

void fw_label_shift_release(struct fw_label_shift *s)
{
    free(s->weight);
    *s = (struct fw_label_shift){0};
}
