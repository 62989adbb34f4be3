#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "pipeline/base/rng.h"
#include "stages/drift/embeddings.h"
#include "stages/drift/two_sample.h"

enum { BLOCK = 16, MEDIAN_PAIRS = 200000, GRAIN = 32 };

struct job {
    size_t n, m, all, d;
    float *x;        /* all × d: the rows that are used */
    float *k;        /* all × all kernel; the diagonal is 0 */
    double *row_sum; /* all */
    double scale;    /* −1 / (2 σ²) */
    double observed;
    uint64_t seed;
    bool observing;    /* the first call: the sides as they are */
    size_t *exceeding; /* one a block */
    double total;
};

size_t fw_subsample(size_t n, size_t most, uint64_t seed, size_t *rows)
{
    struct fw_rng rng;
    size_t taken = 0;
    fw_rng_seed(&rng, seed);
    /* Selection sampling (Knuth, The Art of Computer Programming 2, algorithm S). */
    for (size_t i = 0; i < n && taken < most; i++)
        if (n <= most || fw_rng_below(&rng, n - i) < most - taken)
            rows[taken++] = i;
    return taken;
}

static int take_rows(const struct fw_vectors *of, size_t most, uint64_t seed, float *to, size_t *n,
                     struct fw_err *err)
{
    size_t *rows = malloc((most ? most : 1) * sizeof *rows);
    if (!rows)
        return fw_err_nomem(err);
    int rc = FW_OK;
    *n = fw_subsample(of->n, most, seed, rows);
    for (size_t i = 0; i < *n && rc == FW_OK; i++) {
        const float *row = of->v + rows[i] * of->d;
        for (size_t c = 0; c < of->d && rc == FW_OK; c++)
            if (!isfinite(row[c]))
                rc = fw_err_set(err, FW_EINVAL,
                                "row %zu of the embeddings holds a value that is "
                                "not a finite number",
                                rows[i] + 1);
        memcpy(to + i * of->d, row, of->d * sizeof *row);
    }
    free(rows);
    return rc;
}

static double distance2(const float *a, const float *b, size_t d)
{
    float sum[8] = {0};
    double rest = 0;
    size_t i = 0;
    for (; i + 8 <= d; i += 8)
        for (size_t j = 0; j < 8; j++) {
            float e = a[i + j] - b[i + j];
            sum[j] += e * e;
        }
    for (; i < d; i++)
        rest += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    for (size_t j = 0; j < 8; j++)
        rest += sum[j];
    return rest;
}

/* The median over random pairs, or all of them when they are few. */
static int find_bandwidth(struct job *j, double *sigma, struct fw_err *err)
{
    size_t pairs = j->all * (j->all - 1) / 2, used = pairs < MEDIAN_PAIRS ? pairs : MEDIAN_PAIRS;
    double *v = malloc(used * sizeof *v);
    struct fw_rng rng;
    size_t n = 0;
    if (!v)
        return fw_err_nomem(err);
    fw_rng_seed(&rng, j->seed + 2);
    if (used == pairs) {
        for (size_t a = 0; a < j->all; a++)
            for (size_t b = a + 1; b < j->all; b++)
                v[n++] = sqrt(distance2(j->x + a * j->d, j->x + b * j->d, j->d));
    }
    while (n < used) {
        size_t a = fw_rng_below(&rng, j->all), b = fw_rng_below(&rng, j->all - 1);
        b += b >= a;
        v[n++] = sqrt(distance2(j->x + a * j->d, j->x + b * j->d, j->d));
    }
    int rc = fw_sort_numbers(v, n, err);
    if (rc == FW_OK) {
        size_t at = n / 2;
        while (at + 1 < n && !(v[at] > 0)) /* more than half are equal: the least that is not */
            at++;
        *sigma = v[at];
        if (!(*sigma > 0))
            rc = fw_err_set(err, FW_EINVAL, "all embeddings are equal");
    }
    free(v);
    return rc;
}

static int kernel_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct job *j = ctx;
    (void)err;
    for (size_t a = chunk->from; a < chunk->to; a++) {
        float *row = j->k + a * j->all;
        double sum = 0;
        for (size_t b = 0; b < j->all; b++) {
            row[b] = a == b
                         ? 0
                         : (float)exp(j->scale * distance2(j->x + a * j->d, j->x + b * j->d, j->d));
            sum += row[b];
        }
        j->row_sum[a] = sum;
    }
    return FW_OK;
}

/* inside = aᵀ K a of the n rows marked, with = aᵀ K 1 */
static double mmd2(const struct job *j, double inside, double with)
{
    double n = (double)j->n, m = (double)j->m, across = with - inside;
    double other = j->total - inside - 2 * across;
    return inside / (n * (n - 1)) + other / (m * (m - 1)) - 2 * across / (n * m);
}

/* One block of permutations at once: the kernel is read once for all of them. marks: all × BLOCK. */
static void block_sums(const struct job *j, const float *marks, double *inside, double *with)
{
    memset(inside, 0, BLOCK * sizeof *inside);
    memset(with, 0, BLOCK * sizeof *with);
    for (size_t a = 0; a < j->all; a++) {
        const float *row = j->k + a * j->all;
        float sum[BLOCK] = {0};
        for (size_t b = 0; b < j->all; b++)
            for (size_t p = 0; p < BLOCK; p++)
                sum[p] += row[b] * marks[b * BLOCK + p];
        for (size_t p = 0; p < BLOCK; p++) {
            inside[p] += (double)(marks[a * BLOCK + p] * sum[p]);
            with[p] += marks[a * BLOCK + p] > 0 ? j->row_sum[a] : 0;
        }
    }
}

static int permute_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct job *j = ctx;
    float *marks = calloc(j->all, BLOCK * sizeof *marks);
    size_t *order = malloc(j->all * sizeof *order);
    double inside[BLOCK], with[BLOCK];
    int rc = marks && order ? FW_OK : fw_err_nomem(err);
    for (size_t p = chunk->from; rc == FW_OK && p < chunk->to; p++) {
        struct fw_rng rng;
        fw_rng_seed(&rng, j->seed * UINT64_C(0x9e3779b97f4a7c15) + p);
        for (size_t i = 0; i < j->all; i++)
            order[i] = i;
        if (p > 0) /* the first is the sides as they are */
            fw_rng_shuffle(&rng, order, j->all);
        for (size_t i = 0; i < j->n; i++)
            marks[order[i] * BLOCK + (p - chunk->from)] = 1;
    }
    if (rc == FW_OK) {
        block_sums(j, marks, inside, with);
        if (j->observing)
            j->observed = mmd2(j, inside[0], with[0]);
        for (size_t p = chunk->from; p < chunk->to; p++)
            j->exceeding[chunk->index] +=
                p > 0 && mmd2(j, inside[p - chunk->from], with[p - chunk->from]) >= j->observed;
    }
    free(marks);
    free(order);
    return rc;
}

static int run(struct job *j, size_t permutations, struct fw_mmd *out, struct fw_err *err)
{
    double sigma = 0;
    size_t blocks = fw_parallel_chunks(permutations + 1, BLOCK), exceeding = 0;
    int rc = find_bandwidth(j, &sigma, err);
    if (rc != FW_OK)
        return rc;
    j->k =
        j->all <= SIZE_MAX / sizeof(float) / j->all ? malloc(j->all * j->all * sizeof *j->k) : NULL;
    j->row_sum = malloc(j->all * sizeof *j->row_sum);
    j->exceeding = calloc(blocks, sizeof *j->exceeding);
    if (!j->k || !j->row_sum || !j->exceeding)
        return fw_err_nomem(err);
    j->scale = -1 / (2 * sigma * sigma);
    rc = fw_parallel(j->all, GRAIN, kernel_work, j, err);
    for (size_t i = 0; i < j->all; i++)
        j->total += j->row_sum[i];
    j->observing = true;
    if (rc == FW_OK)
        rc = fw_parallel(1, 1, permute_work, j, err);
    j->exceeding[0] = 0;
    j->observing = false;
    if (rc == FW_OK && permutations)
        rc = fw_parallel(permutations + 1, BLOCK, permute_work, j, err);
    for (size_t i = 0; i < blocks; i++)
        exceeding += j->exceeding[i];
    if (rc == FW_OK)
        *out = (struct fw_mmd){
            j->observed, sigma,
            permutations ? (1 + (double)exceeding) / (1 + (double)permutations) : NAN, j->n, j->m};
    return rc;
}

int fw_mmd(const struct fw_vectors *a, const struct fw_vectors *b, size_t rows, size_t permutations,
           uint64_t seed, struct fw_mmd *out, struct fw_err *err)
{
    struct job j = {.d = a->d, .seed = seed};
    if (a->n < 2 || b->n < 2)
        return fw_err_set(err, FW_EINVAL, "too few embeddings to compare: %zu and %zu", a->n, b->n);
    if (a->d != b->d || !a->d)
        return fw_err_set(err, FW_EINVAL,
                          "embeddings are %zu wide on one side and %zu on the other", a->d, b->d);
    rows = rows < 2 ? 2 : rows;
    size_t n = a->n < rows ? a->n : rows, m = b->n < rows ? b->n : rows;
    j.x = n + m <= SIZE_MAX / sizeof(float) / j.d ? malloc((n + m) * j.d * sizeof *j.x) : NULL;
    int rc = j.x ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = take_rows(a, n, seed, j.x, &j.n, err);
    if (rc == FW_OK)
        rc = take_rows(b, m, seed + 1, j.x + n * j.d, &j.m, err);
    j.all = j.n + j.m;
    if (rc == FW_OK)
        rc = run(&j, permutations, out, err);
    free(j.x);
    free(j.k);
    free(j.row_sum);
    free(j.exceeding);
    return rc;
}
