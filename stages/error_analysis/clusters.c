#include "stages/error_analysis/clusters.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "pipeline/base/rng.h"
#include "stages/train/kmeans.h"

enum { MAX_FIT = 50000, MAX_ITERATIONS = 100, GRAIN = 1024 };

size_t fw_clusters_k(size_t n)
{
    double k = floor(sqrt((double)n / 2));
    return k < 2 ? 2 : k > 20 ? 20 : (size_t)k;
}

static int check_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct fw_matrix *x = ctx;
    for (size_t i = chunk->from; i < chunk->to; i++)
        for (size_t j = 0; j < x->dim; j++)
            if (!isfinite(x->val[i * x->dim + j]))
                return fw_err_set(err, FW_EINVAL, "point %zu: element %zu is not a finite number",
                                  i, j);
    return FW_OK;
}

/* `need` of n rows, ascending, each subset as likely as any other (Knuth 3.4.2, algorithm S). */
static int draw(const struct fw_matrix *x, size_t need, uint64_t seed, struct fw_matrix *out,
                struct fw_err *err)
{
    struct fw_rng rng;
    size_t have = 0;
    int rc = fw_matrix_dense(out, need, x->dim, err);
    fw_rng_seed_named(&rng, seed, "clusters");
    for (size_t i = 0; i < x->n && have < need && rc == FW_OK; i++)
        if (fw_rng_below(&rng, x->n - i) < need - have)
            memcpy(out->val + have++ * x->dim, x->val + i * x->dim, x->dim * sizeof *x->val);
    return rc;
}

/* Leaves out centres that no point is nearest to: copies of others, where few points differ. */
static int drop_empty(struct fw_clusters *c, struct fw_err *err)
{
    uint32_t *to = malloc((c->k + 1) * sizeof *to);
    bool *used = calloc(c->k + 1, sizeof *used);
    size_t kept = 0;
    if (!to || !used) {
        free(to);
        free(used);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < c->n; i++)
        used[c->label[i]] = true;
    for (size_t k = 0; k < c->k; k++) {
        if (!used[k])
            continue;
        memmove(c->centre + kept * c->d, c->centre + k * c->d, c->d * sizeof *c->centre);
        to[k] = (uint32_t)kept++;
    }
    for (size_t i = 0; i < c->n; i++)
        c->label[i] = to[c->label[i]];
    c->k = kept;
    free(to);
    free(used);
    return FW_OK;
}

int fw_clusters(const float *x, size_t n, size_t d, size_t k, uint64_t seed,
                struct fw_clusters *out, struct fw_err *err)
{
    struct fw_clusters c = {.n = n, .d = d, .k = k < n ? k : n};
    struct fw_matrix all = {.n = n, .dim = d, .val = (float *)(uintptr_t)x}, some = {.n = 0};
    size_t cells, points = n < MAX_FIT ? n : MAX_FIT;
    double *distance2 = NULL;
    if (!k || n > UINT32_MAX)
        return fw_err_set(err, FW_EINVAL,
                          "between 1 and 2^32 clusters can be made of fewer than 2^32 points");
    int rc = fw_parallel(n, GRAIN, check_work, &all, err);
    if (rc != FW_OK)
        return rc;
    if (__builtin_mul_overflow(c.k + 1, d + 1, &cells))
        return fw_err_nomem(err);
    c.centre = reallocarray(NULL, cells, sizeof *c.centre);
    c.label = reallocarray(NULL, n + 1, sizeof *c.label);
    c.distance = reallocarray(NULL, n + 1, sizeof *c.distance);
    distance2 = reallocarray(NULL, n + 1, sizeof *distance2);
    rc = c.centre && c.label && c.distance && distance2 ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && n) {
        c.k = c.k < points ? c.k : points;
        if (points < n)
            rc = draw(&all, points, seed, &some, err);
        if (rc == FW_OK)
            rc = fw_kmeans(points < n ? &some : &all, c.k, MAX_ITERATIONS, seed, c.centre, err);
        if (rc == FW_OK)
            rc = fw_kmeans_assign(&all, c.centre, c.k, c.label, distance2, err);
        for (size_t i = 0; i < n && rc == FW_OK; i++)
            c.distance[i] = (float)distance2[i];
        if (rc == FW_OK)
            rc = drop_empty(&c, err);
    }
    fw_matrix_release(&some);
    free(distance2);
    if (rc == FW_OK)
        *out = c;
    else
        fw_clusters_release(&c);
    return rc;
}

void fw_clusters_release(struct fw_clusters *c)
{
    free(c->centre);
    free(c->label);
    free(c->distance);
    memset(c, 0, sizeof *c);
}
