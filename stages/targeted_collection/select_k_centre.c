/* Greedy k-centre: the candidate farthest from everything known and chosen, again and again. */
#include <math.h>
#include <stdlib.h>

#include "pipeline/base/parallel.h"
#include "stages/targeted_collection/pick.h"

enum { GRAIN = 512 };

struct cover {
    struct fw_pick *p;
    double *distance2; /* n: to the nearest of known and chosen */
    const size_t *known;
    size_t n_known, chosen;
};

static int from_known(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct cover *v = ctx;
    const struct fw_candidates *c = v->p->c;
    (void)err;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        double least = HUGE_VAL;
        for (size_t j = 0; j < v->n_known; j++) {
            double d = fw_matrix_distance2_within(c->pool, i, c->known, v->known[j], least);
            if (d < least)
                least = d;
        }
        v->distance2[i] = least;
    }
    return FW_OK;
}

static int from_chosen(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct cover *v = ctx;
    const struct fw_matrix *pool = v->p->c->pool;
    (void)err;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        if (v->p->taken[i])
            continue;
        double d = fw_matrix_distance2_within(pool, i, pool, v->chosen, v->distance2[i]);
        if (d < v->distance2[i])
            v->distance2[i] = d;
    }
    return FW_OK;
}

static long farthest(const struct cover *v)
{
    const struct fw_pick *p = v->p;
    long found = -1;
    for (size_t i = 0; i < p->n; i++)
        if (!p->taken[i] &&
            (found < 0 || v->distance2[i] > v->distance2[found] ||
             (v->distance2[i] == v->distance2[found] && p->jitter[i] > p->jitter[found])))
            found = (long)i;
    return found;
}

int fw_pick_k_centre(struct fw_pick *p, struct fw_err *err)
{
    size_t n_known = p->c->known->n, *order = NULL;
    struct cover v = {.p = p, .distance2 = calloc(p->n ? p->n : 1, sizeof *v.distance2)};
    int rc = v.distance2 ? fw_pick_order(p, "known", n_known, &order, err) : fw_err_nomem(err);

    v.known = order;
    v.n_known = n_known < FW_PICK_KNOWN ? n_known : FW_PICK_KNOWN;
    if (rc == FW_OK)
        rc = fw_parallel(p->n, GRAIN, from_known, &v, err);
    while (rc == FW_OK && p->n_out < p->params->budget) {
        long i = farthest(&v);
        if (i < 0)
            break;
        double far = v.distance2[i];
        fw_pick_take(p, (size_t)i, -1, isfinite(far) ? sqrt(far) : 0);
        v.chosen = (size_t)i;
        rc = fw_parallel(p->n, 8 * GRAIN, from_chosen, &v, err);
    }
    free(order);
    free(v.distance2);
    return rc;
}
