#include "stages/train/kmeans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "pipeline/base/rng.h"

/* A row times a dense vector; the order of the additions is fixed. */
static double dot(const struct fw_matrix *x, size_t i, const float *v)
{
    const uint32_t *col;
    const float *val;
    size_t n = fw_matrix_row(x, i, &col, &val), k = 0;
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;

    if (col) {
        for (; k < n; k++)
            s0 += (double)val[k] * v[col[k]];
        return s0;
    }
    for (; k + 4 <= n; k += 4) {
        s0 += (double)val[k] * v[k];
        s1 += (double)val[k + 1] * v[k + 1];
        s2 += (double)val[k + 2] * v[k + 2];
        s3 += (double)val[k + 3] * v[k + 3];
    }
    for (; k < n; k++)
        s0 += (double)val[k] * v[k];
    return s0 + s1 + (s2 + s3);
}

static double length2(const struct fw_matrix *x, size_t i)
{
    const uint32_t *col;
    const float *val;
    size_t n = fw_matrix_row(x, i, &col, &val);
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += (double)val[k] * val[k];
    return sum;
}

struct assigning {
    const struct fw_matrix *x;
    const float *centres;
    size_t clusters;
    double *norm2; /* of the centres */
    uint32_t *cluster;
    double *distance2;
};

static int assign(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct assigning *a = ctx;
    (void)err;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        double least = HUGE_VAL, own = length2(a->x, i);
        uint32_t best = 0;
        for (size_t c = 0; c < a->clusters; c++) {
            double d = a->norm2[c] - 2 * dot(a->x, i, a->centres + c * a->x->dim);
            if (d < least) {
                least = d;
                best = (uint32_t)c;
            }
        }
        a->cluster[i] = best;
        if (a->distance2)
            a->distance2[i] = own + least > 0 ? own + least : 0;
    }
    return FW_OK;
}

int fw_kmeans_assign(const struct fw_matrix *x, const float *centres, size_t clusters,
                     uint32_t *cluster, double *distance2, struct fw_err *err)
{
    struct assigning a = {x, centres, clusters, NULL, cluster, distance2};
    a.norm2 = calloc(clusters ? clusters : 1, sizeof *a.norm2);
    if (!a.norm2)
        return fw_err_nomem(err);
    for (size_t c = 0; c < clusters; c++)
        for (size_t k = 0; k < x->dim; k++)
            a.norm2[c] += (double)centres[c * x->dim + k] * centres[c * x->dim + k];
    int rc = fw_parallel(x->n, 256, assign, &a, err);
    free(a.norm2);
    return rc;
}

static void put_row(const struct fw_matrix *x, size_t i, float *centre)
{
    const uint32_t *col;
    const float *val;
    size_t n = fw_matrix_row(x, i, &col, &val);
    memset(centre, 0, x->dim * sizeof *centre);
    for (size_t k = 0; k < n; k++)
        centre[col ? col[k] : k] = val[k];
}

struct seeding {
    const struct fw_matrix *x;
    size_t newest; /* the row that became a centre last */
    double *least; /* squared distance to the nearest centre so far */
};

static int approach(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct seeding *s = ctx;
    (void)err;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        double d = fw_matrix_distance2_within(s->x, i, s->x, s->newest, s->least[i]);
        if (d < s->least[i])
            s->least[i] = d;
    }
    return FW_OK;
}

/* Each next centre is a row drawn in proportion to its squared distance to the nearest so far. */
static int seed_centres(const struct fw_matrix *x, size_t clusters, uint64_t seed, float *centres,
                        struct fw_err *err)
{
    struct fw_rng rng;
    struct seeding s = {.x = x, .least = malloc(x->n * sizeof *s.least)};
    int rc = s.least ? FW_OK : fw_err_nomem(err);

    fw_rng_seed_named(&rng, seed, "kmeans");
    for (size_t i = 0; rc == FW_OK && i < x->n; i++)
        s.least[i] = HUGE_VAL;
    for (size_t c = 0; rc == FW_OK && c < clusters; c++) {
        double sum = 0, at;
        size_t i = 0;
        if (c == 0) {
            s.newest = (size_t)fw_rng_below(&rng, x->n);
        } else {
            for (i = 0; i < x->n; i++)
                sum += s.least[i];
            at = fw_rng_double(&rng) * sum;
            for (i = 0; i + 1 < x->n && at >= s.least[i]; i++)
                at -= s.least[i];
            while (sum > 0 && i > 0 && !(s.least[i] > 0)) /* rounding at the end of the sum */
                i--;
            s.newest = i;
        }
        put_row(x, s.newest, centres + c * x->dim);
        rc = fw_parallel(x->n, 1024, approach, &s, err);
    }
    free(s.least);
    return rc;
}

/* Means of the rows of each cluster, added up in the order of the rows. */
static void move_centres(const struct fw_matrix *x, size_t clusters, const uint32_t *cluster,
                         double *distance2, double *sum, size_t *count, float *centres)
{
    memset(sum, 0, clusters * x->dim * sizeof *sum);
    memset(count, 0, clusters * sizeof *count);
    for (size_t i = 0; i < x->n; i++) {
        const uint32_t *col;
        const float *val;
        size_t n = fw_matrix_row(x, i, &col, &val);
        double *to = sum + cluster[i] * x->dim;
        for (size_t k = 0; k < n; k++)
            to[col ? col[k] : k] += val[k];
        count[cluster[i]]++;
    }
    for (size_t c = 0; c < clusters; c++) {
        if (count[c]) {
            for (size_t k = 0; k < x->dim; k++)
                centres[c * x->dim + k] = (float)(sum[c * x->dim + k] / (double)count[c]);
            continue;
        }
        size_t far = 0;
        for (size_t i = 1; i < x->n; i++)
            if (distance2[i] > distance2[far])
                far = i;
        distance2[far] = 0;
        put_row(x, far, centres + c * x->dim);
    }
}

int fw_kmeans(const struct fw_matrix *x, size_t clusters, size_t iterations, uint64_t seed,
              float *centres, struct fw_err *err)
{
    size_t cells;
    if (clusters == 0 || clusters > x->n)
        return fw_err_set(err, FW_EINVAL, "%zu samples cannot make %zu clusters", x->n, clusters);
    if (__builtin_mul_overflow(clusters, x->dim, &cells))
        return fw_err_nomem(err);
    uint32_t *cluster = malloc(x->n * sizeof *cluster), *before = malloc(x->n * sizeof *before);
    double *distance2 = malloc(x->n * sizeof *distance2);
    double *sum = calloc(cells ? cells : 1, sizeof *sum);
    size_t *count = calloc(clusters, sizeof *count);
    int rc = cluster && before && distance2 && sum && count
                 ? seed_centres(x, clusters, seed, centres, err)
                 : fw_err_nomem(err);

    for (size_t round = 0; rc == FW_OK && round < iterations; round++) {
        rc = fw_kmeans_assign(x, centres, clusters, cluster, distance2, err);
        if (rc != FW_OK || (round && memcmp(cluster, before, x->n * sizeof *cluster) == 0))
            break;
        memcpy(before, cluster, x->n * sizeof *cluster);
        move_centres(x, clusters, cluster, distance2, sum, count, centres);
    }
    free(cluster);
    free(before);
    free(distance2);
    free(sum);
    free(count);
    return rc;
}
