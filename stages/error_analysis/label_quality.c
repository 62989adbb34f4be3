#include "stages/error_analysis/label_quality.h"

#include <stdlib.h>

#include "stages/error_analysis/health.h"

static int allocate(struct fw_label_quality *q, struct fw_err *err)
{
    size_t k = q->k, cells;
    if (__builtin_mul_overflow(k, k, &cells) || cells > SIZE_MAX / sizeof(double) - 1)
        return fw_err_set(err, FW_EINVAL, "%zu classes are more than are possible", k);
    q->thresholds = malloc(k * sizeof *q->thresholds);
    q->given_prior = calloc(k, sizeof *q->given_prior);
    q->true_prior = calloc(k, sizeof *q->true_prior);
    q->joint = malloc(cells * sizeof *q->joint);
    q->noise = malloc(cells * sizeof *q->noise);
    q->inverse = malloc(cells * sizeof *q->inverse);
    q->issue = malloc(q->n * sizeof *q->issue);
    return q->thresholds && q->given_prior && q->true_prior && q->joint && q->noise && q->inverse &&
                   q->issue
               ? FW_OK
               : fw_err_nomem(err);
}

/* What follows from the joint alone. */
static void from_joint(struct fw_label_quality *q, const int *labels)
{
    size_t k = q->k;
    double all = 0;
    for (size_t i = 0; i < q->n; i++)
        if (labels[i] >= 0)
            q->given_prior[labels[i]]++;
    for (size_t i = 0; i < k; i++) {
        q->given_prior[i] /= (double)q->labelled;
        for (size_t j = 0; j < k; j++) {
            q->true_prior[j] += (double)q->joint[i * k + j];
            all += (double)q->joint[i * k + j];
        }
    }
    for (size_t j = 0; j < k; j++)
        q->true_prior[j] /= all;
    fw_noise_matrices(q->joint, k, q->noise, q->inverse);
    q->noise_rate = fw_cl_noise_rate(q->joint, k);
    q->health = 1 - q->noise_rate;
}

static int by_score(const void *a, const void *b, void *ctx)
{
    const double *score = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (score[x] != score[y])
        return score[x] < score[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int put_in_order(struct fw_label_quality *q, struct fw_err *err)
{
    size_t at = 0;
    q->order = malloc((q->n_issues + 1) * sizeof *q->order);
    if (!q->order)
        return fw_err_nomem(err);
    for (size_t i = 0; i < q->n; i++)
        if (q->issue[i])
            q->order[at++] = (uint32_t)i;
    qsort_r(q->order, q->n_issues, sizeof *q->order, by_score, q->score);
    return FW_OK;
}

int fw_label_quality(const struct fw_probs *probs, const int *labels, enum fw_cl_filter filter,
                     enum fw_cl_score score, size_t min_per_class, struct fw_label_quality *out,
                     struct fw_err *err)
{
    struct fw_label_quality q = {.n = probs->n, .k = probs->k};
    int rc = fw_cl_check(probs, labels, err);
    for (size_t i = 0; i < q.n && rc == FW_OK; i++)
        q.labelled += labels[i] >= 0;
    if (rc == FW_OK && !q.labelled)
        rc = fw_err_set(err, FW_EINVAL, "none of the %zu samples has a label", q.n);
    if (rc == FW_OK)
        rc = allocate(&q, err);
    if (rc == FW_OK)
        rc = fw_cl_thresholds(probs, labels, q.thresholds, err);
    if (rc == FW_OK)
        rc = fw_cl_joint(probs, labels, q.thresholds, true, q.joint, err);
    if (rc == FW_OK) {
        from_joint(&q, labels);
        rc = fw_cl_issues(probs, labels, filter, min_per_class, q.issue, &q.n_issues, err);
    }
    /* Only now: what the filter needed is free again. */
    if (rc == FW_OK && !(q.score = malloc(q.n * sizeof *q.score)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_cl_scores(probs, labels, score, q.score, err);
    if (rc == FW_OK)
        rc = put_in_order(&q, err);
    if (rc == FW_OK)
        *out = q;
    else
        fw_label_quality_release(&q);
    return rc;
}

void fw_label_quality_release(struct fw_label_quality *q)
{
    free(q->thresholds);
    free(q->joint);
    free(q->given_prior);
    free(q->true_prior);
    free(q->noise);
    free(q->inverse);
    free(q->issue);
    free(q->score);
    free(q->order);
    *q = (struct fw_label_quality){0};
}
