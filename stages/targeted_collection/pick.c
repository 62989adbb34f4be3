#include "stages/targeted_collection/pick.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/base/rng.h"
#include "stages/evaluate/quantile.h"

struct ranked {
    double value, jitter;
    uint32_t i;
};

static int better_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? 1 : -1;
    if (x->jitter != y->jitter)
        return x->jitter < y->jitter ? 1 : -1;
    return (x->i > y->i) - (x->i < y->i);
}

int fw_queue_fill(struct fw_queue *q, const struct fw_pick *p, const double *value,
                  struct fw_err *err)
{
    size_t n = 0;
    struct ranked *v = malloc((p->n ? p->n : 1) * sizeof *v);
    if (!v)
        return fw_err_nomem(err);
    for (size_t i = 0; i < p->n; i++)
        if (value[i] >= 0)
            v[n++] = (struct ranked){value[i], p->jitter[i], (uint32_t)i};
    qsort(v, n, sizeof *v, better_first);
    *q = (struct fw_queue){.order = malloc((n ? n : 1) * sizeof *q->order), .n = n};
    for (size_t i = 0; q->order && i < n; i++)
        q->order[i] = v[i].i;
    free(v);
    return q->order ? FW_OK : fw_err_nomem(err);
}

void fw_queue_release(struct fw_queue *q)
{
    free(q->order);
    *q = (struct fw_queue){0};
}

static bool is_near(const struct fw_pick *p, size_t i)
{
    const struct fw_matrix *pool = p->c->pool, *known = p->c->known;
    if (p->near2 < 0)
        return false;
    for (size_t j = 0; j < known->n; j++)
        if (fw_matrix_distance2_within(pool, i, known, j, p->near2) <= p->near2)
            return true;
    for (size_t j = 0; j < p->n_out; j++)
        if (fw_matrix_distance2_within(pool, i, pool, p->out[j].candidate, p->near2) <= p->near2)
            return true;
    return false;
}

long fw_queue_next(struct fw_queue *q, struct fw_pick *p)
{
    for (; q->at < q->n; q->at++) {
        size_t i = q->order[q->at];
        if (p->taken[i] || p->near[i])
            continue;
        if (!is_near(p, i))
            return (long)i;
        p->near[i] = true;
    }
    for (; q->near_at < q->n; q->near_at++)
        if (!p->taken[q->order[q->near_at]])
            return (long)q->order[q->near_at];
    return -1;
}

void fw_pick_take(struct fw_pick *p, size_t i, long aim, double score)
{
    p->taken[i] = true;
    p->out[p->n_out++] = (struct fw_choice){i, aim, score};
}

int fw_pick_order(const struct fw_pick *p, const char *name, size_t n, size_t **order,
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

double fw_pick_median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, fw_by_number);
    return v[n / 2];
}

int fw_pick_measure_near(struct fw_pick *p, struct fw_err *err)
{
    size_t n = p->n < FW_PICK_PROBES ? p->n : FW_PICK_PROBES, *order = NULL;
    double *nearest = malloc((n ? n : 1) * sizeof *nearest), share = p->params->near_share;
    int rc = nearest ? fw_pick_order(p, "near", p->n, &order, err) : fw_err_nomem(err);

    for (size_t a = 0; rc == FW_OK && a < n; a++) {
        nearest[a] = HUGE_VAL;
        for (size_t b = 0; b < n; b++) {
            double d = a == b ? HUGE_VAL
                              : fw_matrix_distance2_within(p->c->pool, order[a], p->c->pool,
                                                           order[b], nearest[a]);
            if (d < nearest[a])
                nearest[a] = d;
        }
    }
    if (rc == FW_OK && n > 1)
        p->near2 = share * share * fw_pick_median(nearest, n);
    free(order);
    free(nearest);
    return rc;
}
