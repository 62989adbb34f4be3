#include "stages/error_analysis/confident.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double tolerance = 1e-6; /* a probability reaches its threshold up to this */

static const char *const filter_names[FW_CL_FILTERS] = {
    [FW_CL_PRUNE_BY_NOISE_RATE] = "prune_by_noise_rate",
    [FW_CL_PRUNE_BY_CLASS] = "prune_by_class",
    [FW_CL_BOTH] = "both",
    [FW_CL_CONFIDENT_LEARNING] = "confident_learning",
    [FW_CL_PREDICTED_NEQ_GIVEN] = "predicted_neq_given",
    [FW_CL_LOW_NORMALIZED_MARGIN] = "low_normalized_margin",
    [FW_CL_LOW_SELF_CONFIDENCE] = "low_self_confidence",
};
static const char *const score_names[FW_CL_SCORES] = {
    [FW_CL_SELF_CONFIDENCE] = "self_confidence",
    [FW_CL_NORMALIZED_MARGIN] = "normalized_margin",
    [FW_CL_CONFIDENCE_WEIGHTED_ENTROPY] = "confidence_weighted_entropy",
};

const char *fw_cl_filter_name(enum fw_cl_filter f)
{
    return filter_names[f];
}

const char *fw_cl_score_name(enum fw_cl_score s)
{
    return score_names[s];
}

int fw_cl_filter_parse(const char *name, enum fw_cl_filter *out)
{
    for (int i = 0; i < FW_CL_FILTERS; i++) {
        if (!strcmp(name, filter_names[i])) {
            *out = (enum fw_cl_filter)i;
            return FW_OK;
        }
    }
    return FW_ENOTFOUND;
}

int fw_cl_score_parse(const char *name, enum fw_cl_score *out)
{
    for (int i = 0; i < FW_CL_SCORES; i++) {
        if (!strcmp(name, score_names[i])) {
            *out = (enum fw_cl_score)i;
            return FW_OK;
        }
    }
    return FW_ENOTFOUND;
}

static double at(const struct fw_probs *p, size_t i, size_t j)
{
    return p->d ? p->d[i * p->k + j] : (double)p->f[i * p->k + j];
}

int fw_cl_predicted(const struct fw_probs *p, size_t i)
{
    size_t best = 0;
    double most = at(p, i, 0);
    for (size_t j = 1; j < p->k; j++) {
        double v = at(p, i, j);
        if (v > most) {
            most = v;
            best = j;
        }
    }
    return (int)best;
}

double fw_cl_row_sum(const struct fw_probs *p, size_t i)
{
    double sum = 0;
    for (size_t j = 0; j < p->k; j++)
        sum += at(p, i, j);
    return sum > 0 ? sum : 1;
}

void fw_cl_thresholds(const struct fw_probs *p, const int *labels, double *thresholds)
{
    for (size_t j = 0; j < p->k; j++)
        thresholds[j] = 0;
    for (size_t i = 0; i < p->n; i++)
        if (labels[i] >= 0)
            thresholds[labels[i]] += at(p, i, (size_t)labels[i]) / fw_cl_row_sum(p, i);
    for (size_t j = 0; j < p->k; j++) {
        size_t n = 0;
        for (size_t i = 0; i < p->n; i++)
            n += labels[i] == (int)j;
        thresholds[j] = n ? thresholds[j] / (double)n : INFINITY;
    }
}

int fw_cl_confident(const struct fw_probs *p, size_t i, const double *thresholds)
{
    double sum = fw_cl_row_sum(p, i);
    int found = -1;
    for (size_t j = 0; j < p->k; j++) {
        if (at(p, i, j) / sum < thresholds[j] - tolerance)
            continue;
        if (found >= 0)
            return fw_cl_predicted(p, i);
        found = (int)j;
    }
    return found;
}

struct excess {
    double by; /* value − rounded */
    size_t at;
};

static int by_excess(const void *a, const void *b) /* least first; ties: first index first */
{
    const struct excess *x = a, *y = b;
    if (x->by != y->by)
        return x->by < y->by ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

/* Rounds each value to the nearest whole number (half to even); then, until the row sums to what it
 * did, takes one from those rounded up most, or gives one to those rounded down most. */
static void round_row(const double *values, size_t k, struct excess *scratch, uint64_t *out)
{
    double want = 0, have = 0;
    for (size_t j = 0; j < k; j++)
        want += values[j];
    want = nearbyint(want);
    for (size_t j = 0; j < k; j++) {
        double r = nearbyint(values[j]);
        out[j] = (uint64_t)r;
        have += r;
    }
    while (fabs(want - have) > 0.5) {
        double step = want < have ? -1 : 1;
        for (size_t j = 0; j < k; j++)
            scratch[j] = (struct excess){values[j] - (double)out[j], j};
        qsort(scratch, k, sizeof *scratch, by_excess);
        size_t moved = 0;
        for (size_t j = 0; j < k && fabs(want - have) > 0.5; j++) {
            size_t to = scratch[step < 0 ? j : k - 1 - j].at;
            if (step < 0 && out[to] == 0)
                continue; /* counts stay counts */
            out[to] += (uint64_t)(int64_t)step;
            have += step;
            moved++;
        }
        if (!moved)
            return;
    }
}

static int calibrate_rows(uint64_t *joint, size_t k, const size_t *counts, struct fw_err *err)
{
    double *row = malloc(k * sizeof *row);
    struct excess *scratch = malloc(k * sizeof *scratch);
    int rc = row && scratch ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < k && rc == FW_OK; i++) {
        double sum = 0;
        for (size_t j = 0; j < k; j++)
            sum += (double)joint[i * k + j];
        for (size_t j = 0; j < k; j++)
            row[j] = (double)joint[i * k + j] / fmax(sum, 1) * (double)counts[i];
        round_row(row, k, scratch, joint + i * k);
    }
    free(row);
    free(scratch);
    return rc;
}

int fw_cl_joint(const struct fw_probs *p, const int *labels, const double *thresholds,
                bool calibrate, uint64_t *joint, struct fw_err *err)
{
    size_t k = p->k, *counts = calloc(k + 1, sizeof *counts);
    int rc = FW_OK;
    if (!counts)
        return fw_err_nomem(err);
    memset(joint, 0, k * k * sizeof *joint);
    for (size_t i = 0; i < p->n; i++) {
        if (labels[i] < 0)
            continue;
        counts[labels[i]]++;
        int guess = fw_cl_confident(p, i, thresholds);
        if (guess >= 0)
            joint[(size_t)labels[i] * k + (size_t)guess]++;
    }
    for (size_t j = 0; j < k; j++)
        if (!joint[j * k + j])
            joint[j * k + j] = 1;
    if (calibrate)
        rc = calibrate_rows(joint, k, counts, err);
    free(counts);
    return rc;
}

double fw_cl_noise_rate(const uint64_t *joint, size_t k)
{
    double sum = 0, right = 0;
    for (size_t i = 0; i < k; i++) {
        right += (double)joint[i * k + i];
        for (size_t j = 0; j < k; j++)
            sum += (double)joint[i * k + j];
    }
    return sum > 0 ? 1 - right / sum : 0;
}

static double score_of(const struct fw_probs *p, size_t i, int label, enum fw_cl_score score)
{
    double sum = fw_cl_row_sum(p, i), own = at(p, i, (size_t)label) / sum, other = 0, entropy = 0;
    if (score == FW_CL_SELF_CONFIDENCE)
        return own;
    for (size_t j = 0; j < p->k; j++) {
        double v = at(p, i, j) / sum;
        if (j != (size_t)label && v > other)
            other = v;
        if (v > 0)
            entropy -= v * log(v);
    }
    if (score == FW_CL_NORMALIZED_MARGIN)
        return (own - other + 1) / 2;
    double least = 1e-6; /* keeps 0 out of the quotients */
    double h = p->k > 1 ? entropy / log((double)p->k) / fmax(own, least) : 0;
    return log(h + 1) / fmax(h, least);
}

void fw_cl_scores(const struct fw_probs *p, const int *labels, enum fw_cl_score score, double *out)
{
    for (size_t i = 0; i < p->n; i++)
        out[i] = labels[i] < 0 ? NAN : score_of(p, i, labels[i], score);
}
