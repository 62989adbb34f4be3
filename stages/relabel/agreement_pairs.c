/* Pairs of labellers, by Cohen's kappa. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "stages/relabel/agreement.h"

static double distance(size_t a, size_t b, enum fw_kappa_weight w)
{
    double d = a > b ? (double)(a - b) : (double)(b - a);
    return w == FW_KAPPA_PLAIN ? d > 0 : w == FW_KAPPA_LINEAR ? d : d * d;
}

/* From the observed disagreement and the two margins (K each), all as counts of n items. */
static double kappa(double apart, const double *x, const double *y, size_t k, double n,
                    enum fw_kappa_weight w)
{
    double chance = 0;
    if (w == FW_KAPPA_PLAIN) {
        for (size_t c = 0; c < k; c++)
            chance += x[c] * y[c];
        chance = n * n - chance;
    } else {
        for (size_t c = 0; c < k; c++)
            for (size_t j = 0; x[c] > 0 && j < k; j++)
                chance += x[c] * y[j] * distance(c, j, w);
    }
    return n > 0 && chance > 0 ? 1 - n * apart / chance : NAN;
}

double fw_weighted_kappa(const int *a, const int *b, size_t n, size_t k, enum fw_kappa_weight w)
{
    double *x = calloc(2 * k + 1, sizeof *x), apart = 0, used = 0;
    if (!x)
        return NAN;
    for (size_t i = 0; i < n; i++) {
        if (a[i] < 0 || b[i] < 0)
            continue;
        used++;
        x[a[i]]++;
        x[k + (size_t)b[i]]++;
        apart += distance((size_t)a[i], (size_t)b[i], w);
    }
    double out = kappa(apart, x, x + k, k, used, w);
    free(x);
    return out;
}

struct pairing {
    const struct fw_annotations *a;
    size_t min_tasks;
    enum fw_kappa_weight w;
    struct found {
        struct fw_labeller_pair *v;
        size_t n, cap;
    } * found; /* by chunk */
};

/* Counts of one labeller against each other one. */
struct others {
    double *x, *y; /* labellers × K: margins of this one and of the other, on common tasks */
    double *apart, *same;
    size_t *tasks;
    uint32_t *met;
    size_t n_met;
};

static void meet(const struct fw_annotations *a, size_t w, enum fw_kappa_weight weight,
                 struct others *o)
{
    size_t k = a->classes;
    for (size_t i = a->labeller_at[w]; i < a->labeller_at[w + 1]; i++) {
        size_t t = a->task[i], mine = (size_t)a->answer[i];
        for (size_t j = a->task_at[t]; j < a->task_at[t + 1]; j++) {
            size_t v = a->labeller[j], its = (size_t)a->klass[j];
            if (v <= w)
                continue;
            if (!o->tasks[v]++)
                o->met[o->n_met++] = (uint32_t)v;
            o->x[v * k + mine]++;
            o->y[v * k + its]++;
            o->same[v] += mine == its;
            o->apart[v] += distance(mine, its, weight);
        }
    }
}

static int by_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int keep(struct found *f, struct fw_labeller_pair pair, struct fw_err *err)
{
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 64;
        struct fw_labeller_pair *v = realloc(f->v, cap * sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        f->v = v;
        f->cap = cap;
    }
    f->v[f->n++] = pair;
    return FW_OK;
}

static int pairs_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct pairing *p = ctx;
    const struct fw_annotations *a = p->a;
    size_t k = a->classes, n = a->labellers;
    struct others o = {.x = calloc(n * k + 1, sizeof *o.x),
                       .y = calloc(n * k + 1, sizeof *o.y),
                       .apart = calloc(n + 1, sizeof *o.apart),
                       .same = calloc(n + 1, sizeof *o.same),
                       .tasks = calloc(n + 1, sizeof *o.tasks),
                       .met = malloc((n + 1) * sizeof *o.met)};
    int rc = o.x && o.y && o.apart && o.same && o.tasks && o.met ? FW_OK : fw_err_nomem(err);
    for (size_t w = chunk->from; rc == FW_OK && w < chunk->to; w++) {
        meet(a, w, p->w, &o);
        qsort(o.met, o.n_met, sizeof *o.met, by_index);
        for (size_t i = 0; i < o.n_met; i++) {
            size_t v = o.met[i];
            double tasks = (double)o.tasks[v];
            struct fw_labeller_pair pair = {
                .a = (uint32_t)w,
                .b = (uint32_t)v,
                .tasks = o.tasks[v],
                .agree = o.same[v] / tasks,
                .kappa = kappa(o.apart[v], o.x + v * k, o.y + v * k, k, tasks, p->w)};
            if (rc == FW_OK && o.tasks[v] >= p->min_tasks)
                rc = keep(&p->found[chunk->index], pair, err);
            memset(o.x + v * k, 0, k * sizeof *o.x);
            memset(o.y + v * k, 0, k * sizeof *o.y);
            o.apart[v] = o.same[v] = 0;
            o.tasks[v] = 0;
        }
        o.n_met = 0;
    }
    free(o.x);
    free(o.y);
    free(o.apart);
    free(o.same);
    free(o.tasks);
    free(o.met);
    return rc;
}

int fw_labeller_pairs(const struct fw_annotations *a, size_t min_tasks, enum fw_kappa_weight w,
                      struct fw_labeller_pair **out, size_t *n, struct fw_err *err)
{
    size_t grain = 64, chunks = fw_parallel_chunks(a->labellers, grain), all = 0, cells;
    if (__builtin_mul_overflow(a->labellers, a->classes, &cells) || cells > SIZE_MAX / 32)
        return fw_err_nomem(err);
    struct pairing p = {a, min_tasks, w, calloc(chunks + 1, sizeof *p.found)};
    if (!p.found)
        return fw_err_nomem(err);
    int rc = fw_parallel(a->labellers, grain, pairs_work, &p, err);
    for (size_t i = 0; i < chunks; i++)
        all += p.found[i].n;
    struct fw_labeller_pair *v = rc == FW_OK ? malloc((all + 1) * sizeof *v) : NULL;
    if (rc == FW_OK && !v)
        rc = fw_err_nomem(err);
    if (rc == FW_OK) {
        *out = v;
        *n = all;
    }
    for (size_t i = 0; i < chunks; i++) {
        if (rc == FW_OK && p.found[i].n) {
            memcpy(v, p.found[i].v, p.found[i].n * sizeof *v);
            v += p.found[i].n;
        }
        free(p.found[i].v);
    }
    free(p.found);
    return rc;
}
