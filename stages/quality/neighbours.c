#include "stages/quality/neighbours.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "stages/quality/dots.h"

enum {
    MAX_D = 65536,
    BLOCK = 16 * FW_TILE_ROWS, /* queries a chunk: the panel in cache serves all of them */
};

/* One side, prepared: centred and scaled (Euclidean) or of length 1 (cosine), in panels of
 * `columns` rows, each panel d × columns, so that a register holds one dimension of several rows.
 */
struct side {
    const float *x;
    size_t n, panels;
    float *panel; /* base only */
    double *inv;  /* 1 / length; 0 for a row of zeros; cosine only */
    float *slack; /* squared length, less its share of the bound */
};

struct search {
    struct side base, query;
    bool self;
    size_t d, k, keep;
    enum fw_distance how;
    struct fw_tile tile;
    const double *mean;
    double scale;
    struct fw_neighbours *out;
    struct scratch *scratch; /* one a worker */
};

struct kept { /* a heap, the largest on top: by bound, later by distance and index */
    double key;
    uint32_t index;
};

struct scratch {
    float *query;      /* BLOCK × d, prepared */
    struct kept *heap; /* BLOCK × keep */
    size_t *n;         /* BLOCK */
    float limit[BLOCK];
};

enum fw_distance fw_distance_for(size_t d)
{
    return d > 3 ? FW_COSINE : FW_EUCLIDEAN;
}

void fw_neighbours_release(struct fw_neighbours *nb)
{
    free(nb->index);
    free(nb->distance);
    *nb = (struct fw_neighbours){0};
}

static bool less(const struct kept *a, const struct kept *b)
{
    return a->key < b->key || (a->key == b->key && a->index < b->index);
}

static void sift_down(struct kept *h, size_t n, size_t i)
{
    struct kept v = h[i];
    for (size_t c; (c = 2 * i + 1) < n; i = c) {
        if (c + 1 < n && less(&h[c], &h[c + 1]))
            c++;
        if (!less(&v, &h[c]))
            break;
        h[i] = h[c];
    }
    h[i] = v;
}

/* Keeps the `keep` smallest. */
static void offer(struct kept *h, size_t *n, size_t keep, struct kept v)
{
    if (*n == keep) {
        if (less(&v, &h[0])) {
            h[0] = v;
            sift_down(h, keep, 0);
        }
        return;
    }
    size_t i = (*n)++;
    for (; i > 0 && less(&h[(i - 1) / 2], &v); i = (i - 1) / 2)
        h[i] = h[(i - 1) / 2];
    h[i] = v;
}

static void sort_ascending(struct kept *h, size_t n)
{
    while (n > 1) {
        struct kept top = h[0];
        h[0] = h[--n];
        h[n] = top;
        sift_down(h, n, 0);
    }
}

/* Half of the share of (‖x‖² + ‖y‖²) by which 32-bit rounding can move a squared distance: d + 16
 * units of 2^-24 for the two-fold dot product (|fl(x·y) − x·y| ≤ d u ‖x‖ ‖y‖, Higham 2002, section
 * 3.1) and as many again for centring, lengths and the last sums, doubled. */
static double share(size_t d)
{
    return (double)(d + 16) * 0x1p-23;
}

static void prepare_row(const struct search *s, const float *x, double inv, float *out, size_t step,
                        float *slack)
{
    double sum = 0;
    for (size_t j = 0; j < s->d; j++) {
        double v = s->how == FW_COSINE ? x[j] * inv : (x[j] - s->mean[j]) * s->scale;
        out[j * step] = (float)v;
        sum += v * v;
    }
    /* a row of zeros has no direction: it counts as at a right angle to all */
    sum = s->how == FW_COSINE ? 1 : sum;
    *slack = (float)(sum * (1 - share(s->d)) - (double)s->d * FLT_MIN);
}

/* In 64 bits, from the values as given. For cosine half the squared distance of the unit vectors:
 * the same number as 1 − cos, exact near 0 and exactly 0 for equal rows. */
static double exact(const struct search *s, size_t q, size_t b)
{
    const float *x = s->query.x + q * s->d, *y = s->base.x + b * s->d;
    double sum[4] = {0};
    size_t j = 0;
    if (s->how == FW_COSINE) {
        double ix = s->query.inv[q], iy = s->base.inv[b];
        if (ix == 0 || iy == 0)
            return 1;
        for (; j + 4 <= s->d; j += 4)
            for (size_t l = 0; l < 4; l++) {
                double v = x[j + l] * ix - y[j + l] * iy;
                sum[l] += v * v;
            }
        for (; j < s->d; j++)
            sum[0] += (x[j] * ix - y[j] * iy) * (x[j] * ix - y[j] * iy);
        double h = ((sum[0] + sum[1]) + (sum[2] + sum[3])) / 2;
        return h > 2 ? 2 : h;
    }
    for (; j + 4 <= s->d; j += 4)
        for (size_t l = 0; l < 4; l++) {
            double v = (double)x[j + l] - y[j + l];
            sum[l] += v * v;
        }
    for (; j < s->d; j++)
        sum[0] += ((double)x[j] - y[j]) * ((double)x[j] - y[j]);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* A bound on prepared rows in the unit of exact(). */
static double unscaled(const struct search *s, double bound)
{
    return s->how == FW_COSINE ? bound / 2 : bound / s->scale / s->scale;
}

/* The next panel against all queries of the block. */
static void panel_against(const struct search *s, struct scratch *t, size_t p, size_t first,
                          size_t rows)
{
    size_t columns = s->tile.columns, from = p * columns;
    const float *panel = s->base.panel + p * s->d * columns, *slack = s->base.slack + from;
    for (size_t r = 0; r < rows; r += FW_TILE_ROWS) {
        float dots[FW_TILE_ROWS * FW_TILE_MAX_COLUMNS];
        s->tile.fn(t->query + r * s->d, s->d, panel, s->d, dots);
        for (size_t i = r; i < r + FW_TILE_ROWS && i < rows; i++) {
            const float *dot = dots + (i - r) * columns;
            float bound[FW_TILE_MAX_COLUMNS], limit = t->limit[i];
            int any = 0;
            for (size_t c = 0; c < columns; c += 8) /* the compiler vectorises fixed counts */
                for (size_t l = c; l < c + 8; l++) {
                    bound[l] = slack[l] - 2 * dot[l];
                    any |= bound[l] < limit;
                }
            if (!any)
                continue;
            struct kept *heap = t->heap + i * s->keep;
            for (size_t c = 0; c < columns; c++)
                if (bound[c] < limit && !(s->self && from + c == first + i)) {
                    offer(heap, &t->n[i], s->keep, (struct kept){bound[c], (uint32_t)(from + c)});
                    if (t->n[i] == s->keep)
                        limit = (float)heap[0].key;
                }
            t->limit[i] = limit;
        }
    }
}

/* Everything whose bound is no proof against it, compared exactly. */
static void search_again(const struct search *s, size_t q, const float *query, float slack,
                         struct kept *h, size_t k)
{
    size_t columns = s->tile.columns, n = 0;
    /* h holds k exact distances in ascending order: make it a heap */
    for (size_t i = 0; i < k; i++) {
        struct kept v = h[i];
        offer(h, &n, k, v);
    }
    for (size_t p = 0; p < s->base.panels; p++) {
        size_t from = p * columns, end = from + columns < s->base.n ? from + columns : s->base.n;
        float dots[FW_TILE_ROWS * FW_TILE_MAX_COLUMNS];
        if (h[0].key == 0 && h[0].index < from)
            return; /* k equal rows, all before the rest */
        s->tile.fn(query, 0, s->base.panel + p * s->d * columns, s->d, dots);
        for (size_t b = from; b < end; b++) {
            double bound = (double)slack + s->base.slack[b] - 2.0 * dots[b - from];
            if ((s->self && b == q) || unscaled(s, bound) > h[0].key)
                continue;
            bool known = false;
            for (size_t i = 0; i < k && !known; i++)
                known = h[i].index == b;
            if (!known)
                offer(h, &n, k, (struct kept){exact(s, q, b), (uint32_t)b});
        }
    }
}

static int block_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct search *s = ctx;
    struct scratch *t = &s->scratch[chunk->worker];
    size_t rows = chunk->to - chunk->from, k = s->k;
    float slack[BLOCK];
    (void)err;
    memset(t->query, 0, BLOCK * s->d * sizeof *t->query);
    for (size_t i = 0; i < rows; i++) {
        size_t q = chunk->from + i;
        prepare_row(s, s->query.x + q * s->d, s->query.inv ? s->query.inv[q] : 0,
                    t->query + i * s->d, 1, &slack[i]);
        t->n[i] = 0;
        t->limit[i] = INFINITY;
    }
    for (size_t p = 0; p < s->base.panels; p++)
        panel_against(s, t, p, chunk->from, rows);
    for (size_t i = 0; i < rows; i++) {
        size_t q = chunk->from + i, n = t->n[i];
        struct kept *h = t->heap + i * s->keep;
        double left_out = n == s->keep ? unscaled(s, (double)h[0].key + slack[i]) : INFINITY;
        bool all = n + s->self == s->base.n;
        for (size_t m = 0; m < n; m++)
            h[m].key = exact(s, q, h[m].index);
        size_t m = 0;
        for (size_t j = 0; j < n; j++) { /* as a heap again, then in order */
            struct kept v = h[j];
            offer(h, &m, n, v);
        }
        sort_ascending(h, n);
        if (!all && !(h[k - 1].key < left_out)) {
            search_again(s, q, t->query + i * s->d, slack[i], h, k);
            sort_ascending(h, k);
        }
        for (size_t j = 0; j < k; j++) {
            s->out->index[q * k + j] = h[j].index;
            s->out->distance[q * k + j] = (float)(s->how == FW_COSINE ? h[j].key : sqrt(h[j].key));
        }
    }
    return FW_OK;
}

static int check(const float *x, size_t n, size_t d, struct fw_err *err)
{
    for (size_t i = 0; i < n * d; i++)
        if (!isfinite(x[i]))
            return fw_err_set(err, FW_EINVAL, "the value in row %zu, column %zu is %g", i / d,
                              i % d, (double)x[i]);
    return FW_OK;
}

/* Means of the base's columns, and the power of two that brings the largest distance from them, of
 * either side, to about 1, so that squares neither overflow nor vanish. */
static double centre(const struct search *s, double *mean)
{
    double most = 0;
    memset(mean, 0, s->d * sizeof *mean);
    for (size_t i = 0; i < s->base.n; i++)
        for (size_t j = 0; j < s->d; j++)
            mean[j] += s->base.x[i * s->d + j];
    for (size_t j = 0; j < s->d; j++)
        mean[j] /= (double)s->base.n;
    for (int side = 0; side < (s->self ? 1 : 2); side++) {
        const struct side *x = side ? &s->query : &s->base;
        for (size_t i = 0; i < x->n; i++)
            for (size_t j = 0; j < s->d; j++)
                most = fmax(most, fabs(x->x[i * s->d + j] - mean[j]));
    }
    int e = 0;
    if (most > 0)
        frexp(most, &e);
    return ldexp(1, -e);
}

static int lengths(const struct search *s, struct side *side, struct fw_err *err)
{
    if (s->how != FW_COSINE)
        return FW_OK;
    side->inv = calloc(side->n, sizeof *side->inv);
    if (!side->inv)
        return fw_err_nomem(err);
    for (size_t i = 0; i < side->n; i++) {
        double sum = 0;
        for (size_t j = 0; j < s->d; j++)
            sum += (double)side->x[i * s->d + j] * side->x[i * s->d + j];
        side->inv[i] = sum > 0 ? 1 / sqrt(sum) : 0;
    }
    return FW_OK;
}

static int prepare_base(struct search *s, double *mean, struct fw_err *err)
{
    size_t columns = s->tile.columns, room;
    s->scale = 1;
    if (s->how == FW_EUCLIDEAN)
        s->scale = centre(s, mean);
    s->mean = mean;
    s->base.panels = (s->base.n + columns - 1) / columns;
    if (__builtin_mul_overflow(s->base.panels * columns, s->d, &room))
        return fw_err_nomem(err);
    s->base.panel = calloc(room, sizeof *s->base.panel);
    s->base.slack = calloc(s->base.panels * columns, sizeof *s->base.slack);
    if (!s->base.panel || !s->base.slack)
        return fw_err_nomem(err);
    for (size_t i = s->base.n; i < s->base.panels * columns; i++)
        s->base.slack[i] = INFINITY; /* the last panel's empty lanes are never near */
    for (size_t i = 0; i < s->base.n; i++)
        prepare_row(s, s->base.x + i * s->d, s->base.inv ? s->base.inv[i] : 0,
                    s->base.panel + i / columns * s->d * columns + i % columns, columns,
                    &s->base.slack[i]);
    return FW_OK;
}

static int scratch_new(struct search *s, size_t workers, struct fw_err *err)
{
    s->scratch = calloc(workers, sizeof *s->scratch);
    for (size_t i = 0; s->scratch && i < workers; i++) {
        struct scratch *t = &s->scratch[i];
        t->query = calloc(BLOCK * s->d, sizeof *t->query);
        t->heap = calloc(s->keep, BLOCK * sizeof *t->heap);
        t->n = calloc(BLOCK, sizeof *t->n);
        if (!t->query || !t->heap || !t->n)
            return fw_err_nomem(err);
    }
    return s->scratch ? FW_OK : fw_err_nomem(err);
}

static int run(struct search *s, size_t k, struct fw_neighbours *out, struct fw_err *err)
{
    size_t others = s->base.n > (s->self ? 1u : 0u) ? s->base.n - s->self : 0, workers = 0;
    struct fw_neighbours nb = {.n = s->query.n};
    double *mean = NULL;
    if (k == 0 || s->d == 0 || s->d > MAX_D || s->base.n > UINT32_MAX || s->query.n > UINT32_MAX)
        return fw_err_set(
            err, FW_EINVAL,
            "nearest neighbours: k = %zu of %zu rows with %zu columns (columns 1 to %d, "
            "rows below 2^32)",
            k, s->base.n, s->d, MAX_D);
    int rc = check(s->base.x, s->base.n, s->d, err);
    if (rc == FW_OK && !s->self)
        rc = check(s->query.x, s->query.n, s->d, err);
    if (rc != FW_OK)
        return rc;
    nb.k = s->k = k < others ? k : others;
    if (nb.k == 0 || nb.n == 0) {
        *out = nb;
        return FW_OK;
    }
    /* a few more than asked for, so that the bound rarely lies among them */
    s->keep = s->k + 8 + s->k / 4;
    s->keep = s->keep < others ? s->keep : others;
    s->out = &nb;
    s->tile = fw_tile_best();
    nb.index = calloc(nb.n, nb.k * sizeof *nb.index);
    nb.distance = calloc(nb.n, nb.k * sizeof *nb.distance);
    mean = calloc(s->d, sizeof *mean);
    workers = fw_parallel_workers();
    rc = nb.index && nb.distance && mean ? FW_OK : fw_err_nomem(err);
    rc = rc == FW_OK ? lengths(s, &s->base, err) : rc;
    rc = rc == FW_OK && !s->self ? lengths(s, &s->query, err) : rc;
    if (s->self)
        s->query = s->base;
    rc = rc == FW_OK ? prepare_base(s, mean, err) : rc;
    rc = rc == FW_OK ? scratch_new(s, workers, err) : rc;
    rc = rc == FW_OK ? fw_parallel(nb.n, BLOCK, block_work, s, err) : rc;
    for (size_t i = 0; s->scratch && i < workers; i++) {
        free(s->scratch[i].query);
        free(s->scratch[i].heap);
        free(s->scratch[i].n);
    }
    free(s->scratch);
    free(mean);
    free(s->base.panel);
    free(s->base.slack);
    free(s->base.inv);
    if (!s->self)
        free(s->query.inv);
    if (rc == FW_OK)
        *out = nb;
    else
        fw_neighbours_release(&nb);
    return rc;
}

int fw_neighbours(const float *x, size_t n, size_t d, size_t k, enum fw_distance how,
                  struct fw_neighbours *out, struct fw_err *err)
{
    struct search s = {
        .base = {.x = x, .n = n}, .query = {.n = n}, .self = true, .d = d, .how = how};
    return run(&s, k, out, err);
}

int fw_neighbours_in(const float *base, size_t n_base, const float *query, size_t n, size_t d,
                     size_t k, enum fw_distance how, struct fw_neighbours *out, struct fw_err *err)
{
    struct search s = {
        .base = {.x = base, .n = n_base}, .query = {.x = query, .n = n}, .d = d, .how = how};
    return run(&s, k, out, err);
}
