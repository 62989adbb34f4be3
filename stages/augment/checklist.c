#include "stages/augment/checklist.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/base/parallel.h"
#include "pipeline/base/rng.h"
#include "stages/evaluate/quantile.h"
#include "stages/train/nearest.h"

enum { MOST_REFERENCES = 5000, MOST_PROBES = 500 };

struct fw_checklist {
    struct fw_checklist_params params;
    const struct fw_matrix *real;
    const int *klass;
    size_t k, n_references, n_usual;
    uint32_t *reference; /* rows of real */
    double *usual;       /* ascending: distances of real samples to their nearest */
};

void fw_checklist_free(struct fw_checklist *c)
{
    if (!c)
        return;
    free(c->reference);
    free(c->usual);
    free(c);
}

/* Mean distance of row i of x to its nearest; NaN when there are none. */
static double spread(const struct fw_checklist *c, const struct fw_matrix *x, size_t i, size_t skip)
{
    double distance2[FW_CHECKLIST_NEIGHBOURS], sum = 0;
    size_t index[FW_CHECKLIST_NEIGHBOURS];
    size_t n = fw_nearest(x, i, c->real, c->reference, c->n_references, skip, c->params.neighbours,
                          index, distance2);
    for (size_t j = 0; j < n; j++)
        sum += sqrt(distance2[j]);
    return n ? sum / (double)n : NAN;
}

static int measure(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct fw_checklist *c = ctx;
    (void)err;
    for (size_t i = chunk->from; i < chunk->to; i++)
        c->usual[i] = spread(c, c->real, c->reference[i], c->reference[i]);
    return FW_OK;
}

static int check(const struct fw_checklist_params *p, struct fw_err *err)
{
    if (!(p->realistic >= 0 && p->realistic <= 1) || !(p->confident >= 0 && p->confident <= 1) ||
        !(p->poor >= 0))
        return fw_err_set(err, FW_EINVAL,
                          "realistic and confident must be 0 to 1, poor at least 0");
    if (p->neighbours < 1 || p->neighbours > FW_CHECKLIST_NEIGHBOURS)
        return fw_err_set(err, FW_EINVAL, "neighbours must be 1 to %d", FW_CHECKLIST_NEIGHBOURS);
    return FW_OK;
}

int fw_checklist_open(const struct fw_matrix *real, const int *klass, size_t k,
                      const struct fw_checklist_params *params, struct fw_checklist **out,
                      struct fw_err *err)
{
    size_t n = real->n, *order = NULL;
    struct fw_checklist *c = NULL;
    struct fw_rng rng;
    int rc = check(params, err);

    if (rc != FW_OK)
        return rc;
    if (n > UINT32_MAX)
        return fw_err_set(err, FW_EINVAL, "%zu samples are too many", n);
    c = calloc(1, sizeof *c);
    order = calloc(n ? n : 1, sizeof *order);
    if (!c || !order)
        goto nomem;
    *c = (struct fw_checklist){.params = *params, .real = real, .klass = klass, .k = k};
    c->n_references = n < MOST_REFERENCES ? n : MOST_REFERENCES;
    c->n_usual = n < 2 ? 0 : n < MOST_PROBES ? n : MOST_PROBES;
    c->reference = calloc(c->n_references + 1, sizeof *c->reference);
    c->usual = calloc(c->n_usual + 1, sizeof *c->usual);
    if (!c->reference || !c->usual)
        goto nomem;
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    fw_rng_seed_named(&rng, params->seed, "checklist");
    fw_rng_shuffle(&rng, order, n);
    for (size_t i = 0; i < c->n_references; i++)
        c->reference[i] = (uint32_t)order[i];
    rc = fw_parallel(c->n_usual, 16, measure, c, err);
    if (rc != FW_OK)
        goto out;
    qsort(c->usual, c->n_usual, sizeof *c->usual, fw_by_number);
    *out = c;
    c = NULL;
    goto out;
nomem:
    rc = fw_err_nomem(err);
out:
    free(order);
    fw_checklist_free(c);
    return rc;
}

/* Share of real samples that lie at least as far from their nearest; NaN with nothing to compare. */
static double realistic(const struct fw_checklist *c, const struct fw_matrix *x, size_t i)
{
    double d = spread(c, x, i, SIZE_MAX);
    size_t below = 0, end = c->n_usual;
    if (!end || isnan(d))
        return NAN;
    while (below < end) { /* the first that is not below d */
        size_t middle = below + (end - below) / 2;
        if (c->usual[middle] < d)
            below = middle + 1;
        else
            end = middle;
    }
    return (double)(c->n_usual - below) / (double)c->n_usual;
}

/* The label's share of the votes; *other: the greatest share of another class. NaN: no votes. */
static int vote(const struct fw_checklist *c, const struct fw_matrix *x, size_t i,
                const struct fw_copy *copy, double *label, double *other, struct fw_err *err)
{
    double distance2[FW_CHECKLIST_NEIGHBOURS];
    size_t index[FW_CHECKLIST_NEIGHBOURS];
    size_t n = fw_nearest(x, i, c->real, c->reference, c->n_references, copy->parent,
                          c->params.neighbours, index, distance2);
    double voters = (n ? 1 : 0) + (copy->probs ? 1 : 0);
    double *share = calloc(c->k + 1, sizeof *share);

    if (!share)
        return fw_err_nomem(err);
    for (size_t j = 0; j < n; j++)
        share[c->klass[index[j]]] += 1 / ((double)n * voters);
    for (size_t j = 0; copy->probs && j < c->k; j++)
        share[j] += copy->probs[j] / voters;
    int own = c->klass[copy->parent];
    *label = voters > 0 ? share[own] : NAN;
    *other = 0;
    for (size_t j = 0; j < c->k; j++)
        if ((int)j != own && share[j] > *other)
            *other = share[j];
    free(share);
    return FW_OK;
}

int fw_checklist_ask(const struct fw_checklist *c, const struct fw_matrix *x, size_t i,
                     const struct fw_copy *copy, struct fw_answers *out, struct fw_err *err)
{
    const struct fw_checklist_params *p = &c->params;
    struct fw_answers a = {.clear = NAN};
    double other = 0;
    int rc = FW_OK;

    if (x->dim != c->real->dim || !x->start != !c->real->start || i >= x->n)
        return fw_err_set(err, FW_EINVAL, "the copy has features of another kind");
    if (copy->parent >= c->real->n)
        return fw_err_set(err, FW_EINVAL, "the copy has no parent among the real samples");
    a.realistic = realistic(c, x, i);
    if (c->klass)
        rc = vote(c, x, i, copy, &a.clear, &other, err);
    if (rc != FW_OK)
        return rc;
    a.poor = fmax(copy->loss, copy->slice_loss); /* of a number and NaN: the number */
    if (p->realistic > 0 && a.realistic < p->realistic)
        a.failed |= FW_NOT_REALISTIC;
    if (p->confident < 1 && a.clear < other && other >= p->confident && !copy->parent_wrong)
        a.failed |= FW_NOT_CLEAR;
    if (p->poor > 0 && a.poor < p->poor)
        a.failed |= FW_NOT_POOR;
    *out = a;
    return FW_OK;
}
