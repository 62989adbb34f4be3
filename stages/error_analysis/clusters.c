#include "stages/error_analysis/clusters.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "pipeline/base/rng.h"

enum { MAX_FIT = 50000, MAX_ITERATIONS = 100, GRAIN = 1024, LANES = 8 };

struct means {
    const float *x;
    const uint32_t *row; /* of each point fitted: its row in x; NULL: all */
    size_t n, d, k;
    float *centre;
    uint32_t *label;
    float *distance;
    double *sums;   /* chunks × K × D */
    size_t *counts; /* chunks × K */
    size_t *changed;
    size_t latest; /* seeding: the centre that is new */
};

size_t fw_clusters_k(size_t n)
{
    double k = floor(sqrt((double)n / 2));
    return k < 2 ? 2 : k > 20 ? 20 : (size_t)k;
}

/* Eight sums side by side: fast, and always added in the same order. */
static float distance(const float *a, const float *b, size_t d)
{
    float lane[LANES] = {0}, rest = 0;
    size_t i = 0;
    for (; i + LANES <= d; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            float t = a[i + l] - b[i + l];
            lane[l] += t * t;
        }
    }
    for (; i < d; i++)
        rest += (a[i] - b[i]) * (a[i] - b[i]);
    for (size_t l = 0; l < LANES; l++)
        rest += lane[l];
    return rest;
}

static const float *point(const struct means *m, size_t i)
{
    return m->x + (m->row ? m->row[i] : i) * m->d;
}

static int check_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct means *m = ctx;
    for (size_t i = chunk->from; i < chunk->to; i++)
        for (size_t j = 0; j < m->d; j++)
            if (!isfinite(m->x[i * m->d + j]))
                return fw_err_set(err, FW_EINVAL, "point %zu: element %zu is not a finite number",
                                  i, j);
    return FW_OK;
}

static int seed_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct means *m = ctx;
    const float *new = m->centre + m->latest * m->d;
    (void)err;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        float d = distance(point(m, i), new, m->d);
        if (!m->latest || d < m->distance[i])
            m->distance[i] = d;
    }
    return FW_OK;
}

/* k-means++: the next centre is a point drawn by its squared distance from those there are. */
static int seed_centres(struct means *m, struct fw_rng *rng, struct fw_err *err)
{
    size_t at = fw_rng_below(rng, m->n), k = 0;
    while (k < m->k) {
        double sum = 0;
        memcpy(m->centre + k * m->d, point(m, at), m->d * sizeof *m->centre);
        m->latest = k++;
        int rc = fw_parallel(m->n, GRAIN, seed_work, m, err);
        if (rc != FW_OK)
            return rc;
        for (size_t i = 0; i < m->n; i++)
            sum += m->distance[i];
        if (!(sum > 0))
            break; /* every point is a centre */
        double left = fw_rng_double(rng) * sum;
        for (at = 0; at + 1 < m->n; at++)
            if ((left -= m->distance[at]) < 0)
                break;
        while (!(m->distance[at] > 0)) /* rounding went past the last one */
            at = at ? at - 1 : m->n - 1;
    }
    m->k = k;
    return FW_OK;
}

static int assign_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct means *m = ctx;
    size_t changed = 0;
    double *sums = m->sums ? m->sums + chunk->index * m->k * m->d : NULL;
    size_t *counts = m->sums ? m->counts + chunk->index * m->k : NULL;
    (void)err;
    if (sums) {
        memset(sums, 0, m->k * m->d * sizeof *sums);
        memset(counts, 0, m->k * sizeof *counts);
    }
    for (size_t i = chunk->from; i < chunk->to; i++) {
        const float *p = point(m, i);
        uint32_t best = 0;
        float least = INFINITY;
        for (uint32_t c = 0; c < m->k; c++) {
            float d = distance(p, m->centre + c * m->d, m->d);
            if (d < least) {
                least = d;
                best = c;
            }
        }
        changed += m->label[i] != best;
        m->label[i] = best;
        m->distance[i] = least;
        if (!sums)
            continue;
        counts[best]++;
        for (size_t j = 0; j < m->d; j++)
            sums[best * m->d + j] += p[j];
    }
    if (sums)
        m->changed[chunk->index] = changed;
    return FW_OK;
}

static size_t farthest(const struct means *m)
{
    size_t best = 0;
    for (size_t i = 1; i < m->n; i++)
        if (m->distance[i] > m->distance[best])
            best = i;
    return best;
}

/* False when nothing changed. Partial sums are added in the order of the chunks. */
static bool move_centres(struct means *m)
{
    size_t chunks = fw_parallel_chunks(m->n, GRAIN), changed = 0, cells = m->k * m->d;
    for (size_t c = 0; c < chunks; c++)
        changed += m->changed[c];
    for (size_t c = 1; c < chunks; c++) {
        for (size_t i = 0; i < cells; i++)
            m->sums[i] += m->sums[c * cells + i];
        for (size_t i = 0; i < m->k; i++)
            m->counts[i] += m->counts[c * m->k + i];
    }
    for (size_t c = 0; c < m->k; c++) {
        if (!m->counts[c]) {
            size_t far = farthest(m);
            memcpy(m->centre + c * m->d, point(m, far), m->d * sizeof *m->centre);
            m->distance[far] = 0;
            changed++;
            continue;
        }
        for (size_t j = 0; j < m->d; j++)
            m->centre[c * m->d + j] = (float)(m->sums[c * m->d + j] / (double)m->counts[c]);
    }
    return changed > 0;
}

static int fit(struct means *m, uint64_t seed, size_t *iterations, struct fw_err *err)
{
    size_t chunks = fw_parallel_chunks(m->n, GRAIN), cells, bytes;
    struct fw_rng rng;
    fw_rng_seed(&rng, seed);
    int rc = seed_centres(m, &rng, err);
    if (rc != FW_OK)
        return rc;
    if (__builtin_mul_overflow(chunks * m->k, m->d, &cells) ||
        __builtin_mul_overflow(cells, sizeof *m->sums, &bytes))
        return fw_err_nomem(err);
    m->sums = malloc(bytes + 1);
    m->counts = malloc((chunks * m->k + 1) * sizeof *m->counts);
    m->changed = malloc((chunks + 1) * sizeof *m->changed);
    rc = m->sums && m->counts && m->changed ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < m->n; i++)
        m->label[i] = UINT32_MAX;
    bool moved = true;
    for (*iterations = 0; *iterations < MAX_ITERATIONS && moved && rc == FW_OK; ++*iterations) {
        rc = fw_parallel(m->n, GRAIN, assign_work, m, err);
        if (rc == FW_OK)
            moved = move_centres(m);
    }
    free(m->sums);
    free(m->counts);
    free(m->changed);
    m->sums = NULL;
    return rc;
}

/* `need` of n rows, ascending, each subset as likely as any other (Knuth 3.4.2, algorithm S). */
static void draw(uint32_t *row, size_t need, size_t n, uint64_t seed)
{
    struct fw_rng rng;
    size_t have = 0;
    fw_rng_seed_named(&rng, seed, "clusters");
    for (size_t i = 0; i < n && have < need; i++)
        if (fw_rng_below(&rng, n - i) < need - have)
            row[have++] = (uint32_t)i;
}

int fw_clusters(const float *x, size_t n, size_t d, size_t k, uint64_t seed,
                struct fw_clusters *out, struct fw_err *err)
{
    struct fw_clusters c = {.n = n, .d = d};
    struct means m = {.x = x, .n = n, .d = d};
    size_t cells, points = n < MAX_FIT ? n : MAX_FIT;
    if (!k || n > UINT32_MAX)
        return fw_err_set(err, FW_EINVAL,
                          "between 1 and 2^32 clusters can be made of fewer than 2^32 "
                          "points");
    int rc = fw_parallel(n, GRAIN, check_work, &m, err);
    if (rc != FW_OK)
        return rc;
    m.k = k < points ? k : points;
    if (__builtin_mul_overflow(m.k, (d + 1) * sizeof(float), &cells))
        return fw_err_nomem(err);
    uint32_t *row = malloc((points + 1) * sizeof *row);
    m.centre = c.centre = malloc(cells + 1);
    m.label = c.label = malloc((n + 1) * sizeof *c.label);
    m.distance = c.distance = malloc((n + 1) * sizeof *c.distance);
    rc = row && c.centre && c.label && c.distance ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && n) {
        draw(row, points, n, seed);
        m.n = points;
        m.row = row;
        rc = fit(&m, seed, &c.iterations, err);
    }
    if (rc == FW_OK && n) {
        m.n = n;
        m.row = NULL;
        rc = fw_parallel(n, GRAIN, assign_work, &m, err);
    }
    c.k = m.k;
    free(row);
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
