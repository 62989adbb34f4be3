#include "stages/evaluate/multilabel_ranking.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/base/parallel.h"
#include "stages/evaluate/ranking.h"

struct job {
    size_t n, k;
    const unsigned char *given;
    const float *probs;
    const double *weight;
    double *auc, *ap, *size; /* K each */
};

static int rank_labels(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct job *j = ctx;
    uint32_t *order = malloc((j->n + 1) * sizeof *order);
    uint64_t *scratch = malloc((2 * j->n + 1) * sizeof *scratch);
    int *has = malloc((j->n + 1) * sizeof *has);
    int rc = order && scratch && has ? FW_OK : fw_err_nomem(err);
    for (size_t c = chunk->from; c < chunk->to && rc == FW_OK; c++) {
        for (size_t i = 0; i < j->n && rc == FW_OK; i++) {
            has[i] = j->given[i * j->k + c] != 0;
            j->size[c] += has[i] ? (j->weight ? j->weight[i] : 1) : 0;
            if (isnan(j->probs[i * j->k + c]))
                rc = fw_err_set(err, FW_EINVAL, "probability of label %zu of sample %zu is NaN",
                                c + 1, i + 1);
        }
        if (rc != FW_OK)
            break;
        fw_rank_sort(j->probs + c, j->k, j->n, order, scratch);
        j->auc[c] = fw_rank_roc_auc(order, j->n, has, 1, j->weight);
        j->ap[c] = fw_rank_average_precision(order, j->n, has, 1, j->weight);
    }
    free(order);
    free(scratch);
    free(has);
    return rc;
}

/* The mean of what is defined; by size, or each alike. */
static double mean_of(const double *v, const double *size, size_t k)
{
    double sum = 0, all = 0;
    for (size_t c = 0; c < k; c++) {
        double w = isnan(v[c]) ? 0 : size ? size[c] : 1;
        sum += w > 0 ? w * v[c] : 0;
        all += w;
    }
    return all > 0 ? sum / all : NAN;
}

int fw_multilabel_rank(size_t n, size_t k, const unsigned char *given, const float *probs,
                       const double *weight, struct fw_multilabel_ranking *out, double *roc_auc,
                       double *average_precision, struct fw_err *err)
{
    if (!k)
        return fw_err_set(err, FW_EINVAL, "there is no label");
    if (n > FW_RANK_MAX)
        return fw_err_set(err, FW_EINVAL, "more than %d samples to rank", FW_RANK_MAX);
    for (size_t i = 0; weight && i < n; i++)
        if (!(weight[i] >= 0 && isfinite(weight[i])))
            return fw_err_set(err, FW_EINVAL, "the weight of sample %zu is %g", i + 1, weight[i]);
    double *v = calloc(k, 3 * sizeof *v);
    if (!v)
        return fw_err_nomem(err);
    struct job j = {n, k, given, probs, weight, v, v + k, v + 2 * k};
    int rc = fw_parallel(k, 1, rank_labels, &j, err);
    for (size_t c = 0; c < k && rc == FW_OK; c++) {
        if (roc_auc)
            roc_auc[c] = j.auc[c];
        if (average_precision)
            average_precision[c] = j.ap[c];
    }
    if (rc == FW_OK)
        *out = (struct fw_multilabel_ranking){mean_of(j.auc, NULL, k), mean_of(j.auc, j.size, k),
                                              mean_of(j.ap, NULL, k), mean_of(j.ap, j.size, k)};
    free(v);
    return rc;
}
