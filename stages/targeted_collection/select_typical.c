#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "stages/train/kmeans.h"
#include "stages/targeted_collection/pick.h"
#include "stages/targeted_collection/typical.h"
#include "stages/train/nearest.h"

enum {
    MOST_CLUSTERS = 500,
    MOST_CELLS = 1 << 24,
    SAMPLE = 20000,
    ROUNDS = 25,
    NEIGHBOURS = 20,
    MOST_MEMBERS = 5000,
    MOST_REFERENCES = 500,
    SMALL = 5,
};

struct spreading {
    const struct fw_matrix *x;
    const uint32_t *member; /* rows by cluster */
    const size_t *start;    /* clusters + 1 */
    double *spread;
};

/* Mean distance to the k nearest of the references other than itself. */
static double mean_nearest(const struct spreading *s, uint32_t i, const uint32_t *reference,
                           size_t n, size_t k)
{
    double distance2[NEIGHBOURS], sum = 0;
    size_t index[NEIGHBOURS];
    size_t have = fw_nearest(s->x, i, s->x, reference, n, i, k, index, distance2);
    for (size_t j = 0; j < have; j++)
        sum += sqrt(distance2[j]);
    return have ? sum / (double)have : 0;
}

static int spread_cluster(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct spreading *s = ctx;
    (void)err;
    for (size_t c = chunk->from; c < chunk->to; c++) {
        const uint32_t *member = s->member + s->start[c];
        size_t n = s->start[c + 1] - s->start[c];
        size_t measured = n < MOST_MEMBERS ? n : MOST_MEMBERS;
        size_t references = n < MOST_REFERENCES ? n : MOST_REFERENCES;
        size_t k = references / 2 < NEIGHBOURS ? references / 2 : NEIGHBOURS;
        for (size_t j = 0; j < n; j++)
            s->spread[member[j]] =
                j < measured ? mean_nearest(s, member[j], member, references, k ? k : 1) : HUGE_VAL;
    }
    return FW_OK;
}

int fw_typical_spread(const struct fw_matrix *x, const uint32_t *cluster, size_t clusters,
                      const size_t *order, double *spread, struct fw_err *err)
{
    uint32_t *member = malloc((x->n ? x->n : 1) * sizeof *member);
    size_t *start = calloc(clusters + 2, sizeof *start);
    int rc = member && start ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK) {
        /* Counting sort: start[c + 1] runs from the beginning of c to its end. */
        for (size_t i = 0; i < x->n; i++)
            start[cluster[i] + 2]++;
        for (size_t c = 0; c < clusters; c++)
            start[c + 2] += start[c + 1];
        for (size_t i = 0; i < x->n; i++)
            member[start[cluster[order[i]] + 1]++] = (uint32_t)order[i];
        struct spreading s = {x, member, start, spread};
        rc = fw_parallel(clusters, 1, spread_cluster, &s, err);
    }
    free(member);
    free(start);
    return rc;
}

struct cluster {
    size_t size, covered; /* candidates; known and chosen */
    size_t at;            /* next of its candidates in the list by typicality */
};

struct typical {
    struct fw_pick *p;
    size_t clusters;
    float *centres;
    uint32_t *of_pool, *of_known;
    struct cluster *cluster;
    double *spread;
};

static int find_clusters(struct typical *t, struct fw_err *err)
{
    const struct fw_matrix *pool = t->p->c->pool, *known = t->p->c->known;
    size_t n = pool->n + known->n, *order = NULL, cells = pool->dim ? pool->dim : 1;
    size_t sample = n < SAMPLE ? n : SAMPLE, most = MOST_CELLS / cells;
    struct fw_matrix x = {0};
    int rc = fw_pick_order(t->p, "typical", n, &order, err);

    t->clusters = known->n + t->p->params->budget;
    t->clusters = t->clusters < MOST_CLUSTERS ? t->clusters : MOST_CLUSTERS;
    t->clusters = t->clusters < most ? t->clusters : most;
    t->clusters = t->clusters < sample ? t->clusters : sample;
    t->clusters = t->clusters ? t->clusters : 1;
    t->centres = malloc(t->clusters * cells * sizeof *t->centres);
    t->of_pool = malloc(pool->n * sizeof *t->of_pool);
    t->of_known = malloc((known->n ? known->n : 1) * sizeof *t->of_known);
    t->cluster = calloc(t->clusters, sizeof *t->cluster);
    t->spread = malloc(pool->n * sizeof *t->spread);
    if (rc == FW_OK && (!t->centres || !t->of_pool || !t->of_known || !t->cluster || !t->spread))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_matrix_gather(pool, known, order, sample, &x, err);
    if (rc == FW_OK)
        rc = fw_kmeans(&x, t->clusters, ROUNDS, t->p->params->seed, t->centres, err);
    if (rc == FW_OK)
        rc = fw_kmeans_assign(pool, t->centres, t->clusters, t->of_pool, NULL, err);
    if (rc == FW_OK && known->n)
        rc = fw_kmeans_assign(known, t->centres, t->clusters, t->of_known, NULL, err);
    for (size_t i = 0; rc == FW_OK && i < pool->n; i++)
        t->cluster[t->of_pool[i]].size++;
    for (size_t i = 0; rc == FW_OK && i < known->n; i++)
        t->cluster[t->of_known[i]].covered++;
    fw_matrix_release(&x);
    free(order);
    return rc;
}

struct by_typicality {
    uint32_t cluster, i;
    double spread, jitter;
};

static int most_typical_first(const void *a, const void *b)
{
    const struct by_typicality *x = a, *y = b;
    if (x->cluster != y->cluster)
        return x->cluster < y->cluster ? -1 : 1;
    if (x->spread != y->spread)
        return x->spread < y->spread ? -1 : 1;
    if (x->jitter != y->jitter)
        return x->jitter < y->jitter ? 1 : -1;
    return (x->i > y->i) - (x->i < y->i);
}

/* Is a to be taken from before b? Ends of clusters were checked before. */
static bool before(const struct cluster *a, const struct cluster *b)
{
    bool a_small = a->size < SMALL, b_small = b->size < SMALL;
    if (a_small != b_small)
        return b_small;
    return a->covered != b->covered ? a->covered < b->covered : a->size > b->size;
}

static int take_all(struct typical *t, struct fw_err *err)
{
    struct fw_pick *p = t->p;
    struct by_typicality *v = malloc(p->n * sizeof *v);
    if (!v)
        return fw_err_nomem(err);
    for (size_t i = 0; i < p->n; i++)
        v[i] = (struct by_typicality){t->of_pool[i], (uint32_t)i, t->spread[i], p->jitter[i]};
    qsort(v, p->n, sizeof *v, most_typical_first);
    for (size_t i = p->n; i-- > 0;)
        t->cluster[v[i].cluster].at = i;
    while (p->n_out < p->params->budget) {
        struct cluster *best = NULL;
        for (size_t c = 0; c < t->clusters; c++) {
            struct cluster *one = &t->cluster[c];
            if (one->size && one->at < p->n && v[one->at].cluster == c &&
                (!best || before(one, best)))
                best = one;
        }
        if (!best)
            break;
        const struct by_typicality *chosen = &v[best->at++];
        double typicality = isfinite(chosen->spread) ? 1 / (1e-5 + chosen->spread) : 0;
        fw_pick_take(p, chosen->i, -1, typicality);
        best->covered++;
    }
    free(v);
    return FW_OK;
}

int fw_pick_typical(struct fw_pick *p, struct fw_err *err)
{
    struct typical t = {.p = p};
    size_t *order = NULL;
    int rc = find_clusters(&t, err);
    if (rc == FW_OK)
        rc = fw_pick_order(p, "members", p->n, &order, err);
    if (rc == FW_OK)
        rc = fw_typical_spread(p->c->pool, t.of_pool, t.clusters, order, t.spread, err);
    if (rc == FW_OK)
        rc = take_all(&t, err);
    free(order);
    free(t.centres);
    free(t.of_pool);
    free(t.of_known);
    free(t.cluster);
    free(t.spread);
    return rc;
}
