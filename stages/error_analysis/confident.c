#include "stages/error_analysis/confident.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"

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

enum { GRAIN = 8192 }; /* rows a thread takes at once */

static double at(const struct fw_probs *p, size_t i, size_t j)
{
    return p->d ? p->d[i * p->k + j] : (double)p->f[i * p->k + j];
}

static size_t grain(const struct fw_probs *p)
{
    size_t rows = (size_t)GRAIN * 16 / (p->k + 1);
    return rows < 64 ? 64 : rows;
}

double fw_cl_row_sum(const struct fw_probs *p, size_t i)
{
    double a = 0, b = 0, c = 0, d = 0;
    size_t j = 0;
    for (; j + 4 <= p->k; j += 4) {
        a += at(p, i, j);
        b += at(p, i, j + 1);
        c += at(p, i, j + 2);
        d += at(p, i, j + 3);
    }
    for (; j < p->k; j++)
        a += at(p, i, j);
    double sum = a + b + (c + d);
    return sum > 0 ? sum : 1;
}

int fw_cl_predicted(const struct fw_probs *p, size_t i)
{
    size_t best = 0;
    if (p->f) {
        const float *v = p->f + i * p->k;
        for (size_t j = 1; j < p->k; j++)
            best = v[j] > v[best] ? j : best;
    } else {
        const double *v = p->d + i * p->k;
        for (size_t j = 1; j < p->k; j++)
            best = v[j] > v[best] ? j : best;
    }
    return (int)best;
}

/* What all passes over the rows share. */
struct pass {
    const struct fw_probs *p;
    const int *labels;
    const double *cut; /* K: what a probability must reach */
    double *sums;      /* chunks × K */
    uint64_t *joint;   /* workers × K × K */
    int *found;
    enum fw_cl_score score;
    double *out;
};

static int check_row(const struct fw_probs *p, size_t i, struct fw_err *err)
{
    double sum = 0;
    for (size_t j = 0; j < p->k; j++) {
        double v = at(p, i, j);
        if (!(v >= -1e-6 && v <= 1 + 1e-6))
            return fw_err_set(err, FW_EINVAL,
                              "row %zu, column %zu: %g is no probability from 0 to 1", i, j, v);
        sum += v;
    }
    if (fabs(sum - 1) > 1e-3) {
        fw_err_set(err, FW_EINVAL, "row %zu: the probabilities sum to %.6g, not 1", i, sum);
        return fw_err_hint(err, "scores that are no probabilities go through a softmax first");
    }
    return FW_OK;
}

static int check_work(void *ctx, const struct fw_chunk *c, struct fw_err *err)
{
    const struct pass *w = ctx;
    for (size_t i = c->from; i < c->to; i++) {
        int rc = check_row(w->p, i, err);
        if (rc != FW_OK)
            return rc;
        if (w->labels[i] >= 0 && (size_t)w->labels[i] >= w->p->k)
            return fw_err_set(err, FW_EINVAL, "row %zu: label %d is not one of the %zu classes", i,
                              w->labels[i], w->p->k);
    }
    return FW_OK;
}

int fw_cl_check(const struct fw_probs *p, const int *labels, struct fw_err *err)
{
    struct pass w = {.p = p, .labels = labels};
    if (!p->k)
        return fw_err_set(err, FW_EINVAL, "there are no classes");
    if (p->n >= UINT32_MAX)
        return fw_err_set(err, FW_EINVAL,
                          "%zu samples are more than the 4 294 967 294 that are "
                          "possible",
                          p->n);
    return fw_parallel(p->n, grain(p), check_work, &w, err);
}

static int threshold_work(void *ctx, const struct fw_chunk *c, struct fw_err *err)
{
    const struct pass *w = ctx;
    double *sums = w->sums + c->index * w->p->k;
    (void)err;
    for (size_t i = c->from; i < c->to; i++)
        if (w->labels[i] >= 0)
            sums[w->labels[i]] += at(w->p, i, (size_t)w->labels[i]) / fw_cl_row_sum(w->p, i);
    return FW_OK;
}

int fw_cl_thresholds(const struct fw_probs *p, const int *labels, double *thresholds,
                     struct fw_err *err)
{
    size_t k = p->k,
           rows = grain(p) > 4 * k ? grain(p) : 4 * k; /* the sums stay small beside them */
    size_t chunks = fw_parallel_chunks(p->n, rows), *counts = calloc(k + 1, sizeof *counts);
    struct pass w = {.p = p, .labels = labels, .sums = calloc(chunks * k + 1, sizeof *w.sums)};
    int rc =
        w.sums && counts ? fw_parallel(p->n, rows, threshold_work, &w, err) : fw_err_nomem(err);
    if (rc == FW_OK) {
        for (size_t i = 0; i < p->n; i++)
            if (labels[i] >= 0)
                counts[labels[i]]++;
        for (size_t j = 0; j < k; j++) {
            double sum = 0;
            for (size_t c = 0; c < chunks; c++)
                sum += w.sums[c * k + j];
            thresholds[j] = counts[j] ? sum / (double)counts[j] : INFINITY;
        }
    }
    free(w.sums);
    free(counts);
    return rc;
}

/* The only class that reaches its cut, the most probable one when several do, or -1. */
static int confident_of(const struct pass *w, size_t i)
{
    size_t k = w->p->k, reached = 0, j = 0;
    double sum = fw_cl_row_sum(w->p, i);
    if (w->p->f) {
        const float *v = w->p->f + i * k;
        for (size_t c = 0; c < k; c++)
            reached += (double)v[c] >= w->cut[c] * sum;
    } else {
        const double *v = w->p->d + i * k;
        for (size_t c = 0; c < k; c++)
            reached += v[c] >= w->cut[c] * sum;
    }
    while (reached == 1 && at(w->p, i, j) < w->cut[j] * sum)
        j++;
    return !reached ? -1 : reached == 1 ? (int)j : fw_cl_predicted(w->p, i);
}

/* The thresholds less the tolerance: K, malloc'd, NULL when memory is out. */
static double *make_cuts(const double *thresholds, size_t k)
{
    double *cut = malloc((k + 1) * sizeof *cut);
    for (size_t j = 0; cut && j < k; j++)
        cut[j] = thresholds[j] - tolerance;
    return cut;
}

static int found_work(void *ctx, const struct fw_chunk *c, struct fw_err *err)
{
    const struct pass *w = ctx;
    (void)err;
    for (size_t i = c->from; i < c->to; i++)
        w->found[i] = w->labels[i] < 0 ? -1 : confident_of(w, i);
    return FW_OK;
}

int fw_cl_confident(const struct fw_probs *p, const int *labels, const double *thresholds,
                    int *found, struct fw_err *err)
{
    double *cut = make_cuts(thresholds, p->k);
    struct pass w = {.p = p, .labels = labels, .found = found, .cut = cut};
    int rc = cut ? fw_parallel(p->n, grain(p), found_work, &w, err) : fw_err_nomem(err);
    free(cut);
    return rc;
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

static int joint_work(void *ctx, const struct fw_chunk *c, struct fw_err *err)
{
    const struct pass *w = ctx;
    size_t k = w->p->k;
    uint64_t *joint = w->joint + c->worker * k * k;
    (void)err;
    for (size_t i = c->from; i < c->to; i++) {
        int guess = w->labels[i] < 0 ? -1 : confident_of(w, i);
        if (guess >= 0)
            joint[(size_t)w->labels[i] * k + (size_t)guess]++;
    }
    return FW_OK;
}

static int shared_joint_work(void *ctx, const struct fw_chunk *c, struct fw_err *err)
{
    const struct pass *w = ctx;
    (void)err;
    for (size_t i = c->from; i < c->to; i++) {
        int guess = w->labels[i] < 0 ? -1 : confident_of(w, i);
        if (guess >= 0)
            __atomic_fetch_add(&w->joint[(size_t)w->labels[i] * w->p->k + (size_t)guess], 1,
                               __ATOMIC_RELAXED);
    }
    return FW_OK;
}

/* Counts are whole, so that the order in which the threads add them up does not matter. Each thread has
 * counts of its own while they are small beside the matrix; where they are not, the classes are many and
 * the threads seldom meet at one count. */
static int count_joint(struct pass *w, uint64_t *joint, struct fw_err *err)
{
    const struct fw_probs *p = w->p;
    size_t cells = p->k * p->k, workers = fw_parallel_workers();
    memset(joint, 0, cells * sizeof *joint);
    if (workers > p->n / (16 * p->k)) {
        w->joint = joint;
        return fw_parallel(p->n, grain(p), shared_joint_work, w, err);
    }
    w->joint = calloc(workers * cells, sizeof *w->joint);
    if (!w->joint)
        return fw_err_nomem(err);
    int rc = fw_parallel(p->n, grain(p), joint_work, w, err);
    for (size_t i = 0; i < workers * cells; i++)
        joint[i % cells] += w->joint[i];
    free(w->joint);
    return rc;
}

int fw_cl_joint(const struct fw_probs *p, const int *labels, const double *thresholds,
                bool calibrate, uint64_t *joint, struct fw_err *err)
{
    size_t k = p->k, *counts = calloc(k + 1, sizeof *counts);
    double *cut = make_cuts(thresholds, k);
    struct pass w = {.p = p, .labels = labels, .cut = cut};
    int rc = counts && cut ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = count_joint(&w, joint, err);
    if (rc == FW_OK) {
        for (size_t i = 0; i < p->n; i++)
            if (labels[i] >= 0)
                counts[labels[i]]++;
        for (size_t j = 0; j < k; j++)
            if (!joint[j * k + j])
                joint[j * k + j] = 1;
        if (calibrate)
            rc = calibrate_rows(joint, k, counts, err);
    }
    free(cut);
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
    if (score == FW_CL_NORMALIZED_MARGIN) {
        for (size_t j = 0; j < p->k; j++)
            if (j != (size_t)label)
                other = fmax(other, at(p, i, j) / sum);
        return (own - other + 1) / 2;
    }
    for (size_t j = 0; j < p->k; j++) {
        double v = at(p, i, j) / sum;
        if (v > 0)
            entropy -= v * log(v);
    }
    double least = 1e-6; /* keeps 0 out of the quotients */
    double h = p->k > 1 ? entropy / log((double)p->k) / fmax(own, least) : 0;
    return log(h + 1) / fmax(h, least);
}

static int score_work(void *ctx, const struct fw_chunk *c, struct fw_err *err)
{
    const struct pass *w = ctx;
    (void)err;
    for (size_t i = c->from; i < c->to; i++)
        w->out[i] = w->labels[i] < 0 ? NAN : score_of(w->p, i, w->labels[i], w->score);
    return FW_OK;
}

int fw_cl_scores(const struct fw_probs *p, const int *labels, enum fw_cl_score score, double *out,
                 struct fw_err *err)
{
    struct pass w = {.p = p, .labels = labels, .score = score, .out = out};
    return fw_parallel(p->n, grain(p), score_work, &w, err);
}
