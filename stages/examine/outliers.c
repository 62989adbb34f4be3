/* Samples unlike the others. */
#include <math.h>
#include <stdlib.h>

#include "stages/examine/examine.h"
#include "stages/quality/outliers.h"

static const double cut = 3.5, share = 0.18; /* as the header of outliers.h advises */

static int by_score(const void *a, const void *b, void *ctx)
{
    const double *score = ctx;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    if (score[x] != score[y])
        return score[x] < score[y] ? -1 : 1;
    return x < y ? -1 : 1;
}

int fw_examine_outliers(const struct fw_examine *x, struct fw_err *err)
{
    const struct fw_labelled *l = x->l;
    struct fw_outliers o = {.n = 0};
    bool near = x->neighbours != NULL;
    if (!near && (!l->probs.n || l->task.n_classes < 2))
        return fw_examine_note(x, err,
                               "There are neither embeddings, features nor probabilities, so "
                               "no outliers are looked for.");
    int rc = near ? fw_outliers_by_distance(x->neighbours, cut, &o, err)
                  : fw_outliers_by_probability(&l->probs, l->klass, share, &o, err);
    if (rc != FW_OK)
        return rc;
    size_t *found = calloc(o.n_outliers + 1, sizeof *found), n = 0;
    json_t *list = found ? json_array() : NULL;
    char id[24];
    for (size_t i = 0; list && i < o.n; i++)
        if (o.outlier[i])
            found[n++] = i;
    if (list)
        qsort_r(found, n, sizeof *found, by_score, o.score);
    for (size_t i = 0; list && i < n && i < x->listed; i++)
        json_array_append_new(list, json_pack("{s:s, s:f}", "id", fw_labelled_id(l, found[i], id),
                                              "score", o.score[found[i]]));
    json_t *part = json_pack("{s:s, s:I, s:f, s:o}", "by", near ? "distance" : "probability", "n",
                             (json_int_t)n, "typical", o.typical, "samples", list);
    if (json_object_set_new(x->out, "outliers", part) != 0)
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_examine_figure(x, "outliers", o.n ? (double)n / (double)o.n : NAN, err);
    free(found);
    fw_outliers_release(&o);
    return rc;
}
