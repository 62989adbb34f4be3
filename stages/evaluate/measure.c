/* One metric of one set of samples: see metrics.h. */
#include <math.h>
#include <stdlib.h>

#include "pipeline/base/parallel.h"
#include "stages/evaluate/calibration.h"
#include "stages/evaluate/metric_kinds.h"
#include "stages/evaluate/ranking.h"

enum {
    GRAIN = 65536, /* samples */
    CLASSES =
        4 /* sorted by one thread at a time: its scratch is as large as four columns of probs */
};

static double weight_of(const struct fw_metric_data *in, size_t i)
{
    return in->weight ? in->weight[i] : 1;
}

static int check_weights(const struct fw_metric_data *in, struct fw_err *err)
{
    for (size_t i = 0; in->weight && i < in->n; i++)
        if (!(in->weight[i] >= 0 && isfinite(in->weight[i])))
            return fw_err_set(err, FW_EINVAL, "the weight of sample %zu is %g", i + 1,
                              in->weight[i]);
    return FW_OK;
}

static int check_classes(const struct fw_metric *m, const struct fw_metric_data *in,
                         struct fw_err *err)
{
    bool probs = fw_metric_needs_probs(m);
    if (!in->truth)
        return fw_err_set(err, FW_EINVAL, "there are no true classes");
    if (probs ? !in->probs : !in->pred)
        return fw_err_set(err, FW_EINVAL, "the metric needs %s, which the predictions lack",
                          probs ? "probabilities" : "predicted classes");
    if (m->klass >= 0 && (size_t)m->klass >= in->k)
        return fw_err_set(err, FW_EINVAL, "the metric is of class %d of %zu", m->klass + 1, in->k);
    for (size_t i = 0; i < in->n; i++) {
        if (in->truth[i] < 0)
            continue;
        if ((size_t)in->truth[i] >= in->k)
            return fw_err_set(err, FW_EINVAL, "the true class of sample %zu is %d of %zu", i + 1,
                              in->truth[i] + 1, in->k);
        if (!probs && (in->pred[i] < 0 || (size_t)in->pred[i] >= in->k))
            return fw_err_set(err, FW_EINVAL, "the predicted class of sample %zu is %d of %zu",
                              i + 1, in->pred[i] + 1, in->k);
    }
    return FW_OK;
}

static int of_margins(const struct fw_metric *m, const struct fw_metric_data *in, double *out,
                      struct fw_err *err)
{
    size_t k = in->k;
    double *v = calloc(3 * k + 1, sizeof *v);
    if (!v)
        return fw_err_nomem(err);
    for (size_t i = 0; i < in->n; i++) {
        if (in->truth[i] < 0)
            continue;
        double w = weight_of(in, i);
        v[k + (size_t)in->truth[i]] += w;
        v[2 * k + (size_t)in->pred[i]] += w;
        v[in->truth[i]] += in->truth[i] == in->pred[i] ? w : 0;
    }
    *out = fw_metric_of_margins(m, v, v + k, v + 2 * k, k);
    free(v);
    return FW_OK;
}

struct job {
    const struct fw_metric *m;
    const struct fw_metric_data *in;
    double *part; /* two for each chunk: sum and weight; or one for each class */
};

static int row_value(const struct job *j, size_t i, double *out, struct fw_err *err)
{
    const struct fw_metric_data *in = j->in;
    const float *row = in->probs + i * in->k;
    bool top = j->m->id == FW_TOP_K;
    for (size_t c = 0; c < in->k; c++)
        if (top ? isnan(row[c]) : !(row[c] >= 0 && row[c] <= 1 + 1e-6f))
            return fw_err_set(err, FW_EINVAL,
                              "probability %g of class %zu of sample %zu is not in [0, 1]",
                              (double)row[c], c + 1, i + 1);
    *out = top                       ? fw_top_k_hit(row, in->k, in->truth[i], (size_t)j->m->param)
           : j->m->id == FW_LOG_LOSS ? fw_log_loss_of(row, in->k, in->truth[i])
                                     : fw_brier_of(row, in->k, in->truth[i]);
    return FW_OK;
}

static int sum_rows(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct job *j = ctx;
    double sum = 0, weight = 0;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        double v = 0, w = weight_of(j->in, i);
        if (j->in->truth[i] < 0 || w == 0)
            continue;
        int rc = row_value(j, i, &v, err);
        if (rc != FW_OK)
            return rc;
        sum += w * v;
        weight += w;
    }
    j->part[2 * chunk->index] = sum;
    j->part[2 * chunk->index + 1] = weight;
    return FW_OK;
}

static int of_rows(const struct fw_metric *m, const struct fw_metric_data *in, double *out,
                   struct fw_err *err)
{
    size_t chunks = fw_parallel_chunks(in->n, GRAIN);
    struct job j = {m, in, calloc(2 * chunks + 1, sizeof *j.part)};
    double sum = 0, weight = 0;
    int rc = j.part ? fw_parallel(in->n, GRAIN, sum_rows, &j, err) : fw_err_nomem(err);
    for (size_t c = 0; c < chunks && rc == FW_OK; c++) {
        sum += j.part[2 * c];
        weight += j.part[2 * c + 1];
    }
    if (rc == FW_OK)
        *out = weight > 0 ? sum / weight : NAN;
    free(j.part);
    return rc;
}

static int of_bins(const struct fw_metric_data *in, double *out, struct fw_err *err)
{
    struct fw_reliability_bin table[FW_ECE_BINS];
    struct fw_calibration c;
    int rc = fw_reliability(in->probs, in->truth, in->weight, in->n, in->k, FW_ECE_BINS, false,
                            table, &c, err);
    if (rc == FW_OK)
        *out = c.ece;
    return rc;
}

/* The classes [from, to) of a chunk; for a metric of one class that class alone. */
static int rank_classes(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct job *j = ctx;
    const struct fw_metric_data *in = j->in;
    uint32_t *order = malloc((in->n + 1) * sizeof *order);
    uint64_t *scratch = malloc((2 * in->n + 1) * sizeof *scratch);
    int rc = order && scratch ? FW_OK : fw_err_nomem(err);
    bool auc = j->m->id <= FW_WEIGHTED_ROC_AUC;
    for (size_t i = chunk->from; i < chunk->to && rc == FW_OK; i++) {
        size_t c = j->m->klass >= 0 ? (size_t)j->m->klass : i;
        for (size_t s = 0; s < in->n && rc == FW_OK; s++)
            if (in->truth[s] >= 0 && weight_of(in, s) > 0 && isnan(in->probs[s * in->k + c]))
                rc = fw_err_set(err, FW_EINVAL, "probability of class %zu of sample %zu is NaN",
                                c + 1, s + 1);
        if (rc != FW_OK)
            break;
        fw_rank_sort(in->probs + c, in->k, in->n, order, scratch);
        j->part[i] = auc ? fw_rank_roc_auc(order, in->n, in->truth, (int)c, in->weight)
                         : fw_rank_average_precision(order, in->n, in->truth, (int)c, in->weight);
    }
    free(order);
    free(scratch);
    return rc;
}

static int of_ranking(const struct fw_metric *m, const struct fw_metric_data *in, double *out,
                      struct fw_err *err)
{
    bool one = m->klass >= 0;
    size_t classes = one ? 1 : in->k;
    struct job j = {m, in, calloc(2 * in->k + 1, sizeof *j.part)};
    double *size = j.part + in->k, sum = 0, all = 0;
    int rc = FW_OK;
    if (!j.part)
        return fw_err_nomem(err);
    if (in->n > FW_RANK_MAX)
        rc = fw_err_set(err, FW_EINVAL, "more than %d samples to rank", FW_RANK_MAX);
    if (rc == FW_OK)
        rc = fw_parallel(classes, CLASSES, rank_classes, &j, err);
    for (size_t i = 0; i < in->n; i++)
        if (in->truth[i] >= 0)
            size[in->truth[i]] += weight_of(in, i);
    bool weighted = fw_metric_kind(m)->average == FW_WEIGHTED;
    for (size_t c = 0; c < classes && rc == FW_OK; c++) {
        double w = weighted ? size[c] : 1;
        if (isnan(j.part[c]))
            continue;
        sum += w * j.part[c];
        all += w;
    }
    if (rc == FW_OK)
        *out = all > 0 ? sum / all : NAN;
    free(j.part);
    return rc;
}

static int of_values(const struct fw_metric *m, const struct fw_metric_data *in, double *out,
                     struct fw_err *err)
{
    const double *truth = in->value_true, *pred = in->value_pred;
    double used = 0, mean = 0, absolute = 0, square = 0, spread = 0;
    if (!truth || !pred)
        return fw_err_set(err, FW_EINVAL, "the metric needs %s values",
                          truth ? "predicted" : "true");
    for (size_t i = 0; i < in->n; i++) {
        double w = weight_of(in, i);
        if (isnan(truth[i]) || w == 0)
            continue;
        if (!isfinite(pred[i]) || isinf(truth[i]))
            return fw_err_set(err, FW_EINVAL, "sample %zu has the value %g, predicted %g", i + 1,
                              truth[i], pred[i]);
        used += w;
        mean += w * truth[i];
        absolute += w * fabs(truth[i] - pred[i]);
        square += w * ((truth[i] - pred[i]) * (truth[i] - pred[i]));
    }
    mean = used > 0 ? mean / used : NAN;
    for (size_t i = 0; i < in->n && m->id == FW_R2; i++)
        if (!isnan(truth[i]))
            spread += weight_of(in, i) * ((truth[i] - mean) * (truth[i] - mean));
    if (used <= 0)
        *out = NAN;
    else if (m->id == FW_MAE)
        *out = absolute / used;
    else if (m->id == FW_RMSE)
        *out = sqrt(square / used);
    else
        *out = spread > 0 ? 1 - square / spread : square > 0 ? 0 : 1;
    return FW_OK;
}

int fw_metric_measure(const struct fw_metric *m, const struct fw_metric_data *in, double *out,
                      struct fw_err *err)
{
    int rc = check_weights(in, err);
    if (rc == FW_OK && in->n == 0) {
        *out = NAN;
        return FW_OK;
    }
    if (rc == FW_OK && fw_metric_task(m) == FW_REGRESSION)
        return of_values(m, in, out, err);
    if (rc == FW_OK)
        rc = check_classes(m, in, err);
    if (rc != FW_OK)
        return rc;
    switch (fw_metric_kind(m)->way) {
    case FW_WAY_MARGINS:
        return of_margins(m, in, out, err);
    case FW_WAY_BINS:
        return of_bins(in, out, err);
    case FW_WAY_RANKING:
        return of_ranking(m, in, out, err);
    default:
        return of_rows(m, in, out, err);
    }
}

double fw_metric_value(const struct fw_metric *m, size_t n, size_t k, const int *truth,
                       const int *pred, const float *probs, const double *value_true,
                       const double *value_pred)
{
    struct fw_metric_data in = {n, k, truth, pred, probs, value_true, value_pred, NULL};
    double value;
    return fw_metric_measure(m, &in, &value, NULL) == FW_OK ? value : NAN;
}
