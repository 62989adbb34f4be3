/* The vectors of the samples, and their neighbours: found once, for copies, outliers and order. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/examine/examine.h"

enum { MOST = 200000 }; /* samples: the time grows with their square */

/* Do all samples have features of one width? */
static size_t feature_width(const struct fw_labelled *l)
{
    size_t d = l->data && l->n ? l->data->samples[l->row[0]].n_features : 0;
    for (size_t i = 0; i < l->n && d; i++)
        if (l->data->samples[l->row[i]].n_features != d)
            d = 0;
    return d;
}

/* Each column with mean 0 and standard deviation 1, so that units do not decide what is near; a constant
 * one is 0. */
static float *standardised(const struct fw_labelled *l, size_t d)
{
    float *x = reallocarray(NULL, l->n * d + 1, sizeof *x);
    for (size_t j = 0; x && j < d; j++) {
        double mean = 0, square = 0;
        for (size_t i = 0; i < l->n; i++)
            mean += (double)l->data->samples[l->row[i]].features[j] / (double)l->n;
        for (size_t i = 0; i < l->n; i++) {
            double e = (double)l->data->samples[l->row[i]].features[j] - mean;
            square += e * e / (double)l->n;
        }
        double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (size_t i = 0; i < l->n; i++)
            x[i * d + j] =
                (float)(((double)l->data->samples[l->row[i]].features[j] - mean) * scale);
    }
    return x;
}

int fw_examine_neighbours(struct fw_examine *x, struct fw_err *err)
{
    const struct fw_labelled *l = x->l;
    size_t d = l->embeddings ? l->d : feature_width(l);
    x->neighbours = NULL;
    if (!d || l->n < 2)
        return FW_OK;
    if (l->n > MOST)
        return fw_examine_note(
            x, err,
            "More than %d samples: neighbours are not looked for (near copies by "
            "vectors, outliers by distance, order by vectors).",
            MOST);
    float *own = l->embeddings ? NULL : standardised(l, d);
    struct fw_neighbours *nb = calloc(1, sizeof *nb);
    int rc = nb && (l->embeddings || own) ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_neighbours(l->embeddings ? l->embeddings : own, l->n, d, FW_OUTLIER_K,
                           l->embeddings ? fw_distance_for(d) : FW_EUCLIDEAN, nb, err);
    free(own);
    if (rc == FW_OK)
        x->neighbours = nb;
    else
        free(nb);
    return rc;
}
