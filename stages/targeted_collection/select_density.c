/* Information density: the score, weighed by how many candidates lie near. */
#include <math.h>
#include <stdlib.h>

#include "pipeline/base/parallel.h"
#include "stages/targeted_collection/pick.h"

enum { MOST_REFERENCES = 500 };

struct density {
    struct fw_pick *p;
    const size_t *reference;
    size_t n_references;
    double h2; /* squared bandwidth */
};

static int weigh(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct density *d = ctx;
    const struct fw_matrix *pool = d->p->c->pool;
    (void)err;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        double sum = 0;
        for (size_t j = 0; j < d->n_references; j++)
            sum += exp(-fw_matrix_distance2(pool, i, pool, d->reference[j]) / (2 * d->h2));
        d->p->score[i] *= pow(sum / (double)d->n_references, d->p->params->density_weight);
    }
    return FW_OK;
}

/* Squared median of the distances between pairs of references; 1 when they are all alike. */
static int bandwidth(struct density *d, struct fw_err *err)
{
    size_t n = d->n_references < FW_PICK_PROBES ? d->n_references : FW_PICK_PROBES, m = 0;
    double *v = malloc((n * n / 2 + 1) * sizeof *v);
    if (!v)
        return fw_err_nomem(err);
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < a; b++)
            v[m++] =
                fw_matrix_distance2(d->p->c->pool, d->reference[a], d->p->c->pool, d->reference[b]);
    d->h2 = m ? fw_pick_median(v, m) : 1;
    if (m && !(d->h2 > 0)) /* most are equal: the greatest there is */
        d->h2 = v[m - 1];
    d->h2 = d->h2 > 0 ? d->h2 : 1;
    free(v);
    return FW_OK;
}

int fw_pick_dense(struct fw_pick *p, struct fw_err *err)
{
    size_t *order = NULL;
    struct density d = {.p = p, .n_references = p->n < MOST_REFERENCES ? p->n : MOST_REFERENCES};
    int rc = fw_pick_order(p, "density", p->n, &order, err);

    d.reference = order;
    if (rc == FW_OK)
        rc = bandwidth(&d, err);
    if (rc == FW_OK)
        rc = fw_parallel(p->n, 128, weigh, &d, err);
    free(order);
    return rc == FW_OK ? fw_pick_by_score(p, err) : rc;
}
