#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/rng.h"
#include "stages/drift/embeddings.h"
#include "stages/evaluate/compare.h"
#include "stages/train/linear.h"

static const char *const names[] = {"reference", "production"};
static const struct fw_task_info sides = {FW_CLASSIFICATION, names, 2};

struct halves { /* of both sides together, reference first */
    struct fw_matrix learn, judge;
    int *klass;        /* of learn */
    size_t learn_n[2]; /* rows of each side */
    size_t judge_n[2];
};

static void release(struct halves *h)
{
    fw_matrix_release(&h->learn);
    fw_matrix_release(&h->judge);
    free(h->klass);
}

/* Every drawn row goes to one half or the other, by a shuffle. */
static int deal(const struct fw_vectors *of, size_t rows, int side, uint64_t seed, struct halves *h,
                size_t *learnt, size_t *judged, struct fw_err *err)
{
    size_t *row = malloc(rows * sizeof *row), n;
    struct fw_rng rng;
    if (!row)
        return fw_err_nomem(err);
    n = fw_subsample(of->n, rows, seed, row);
    fw_rng_seed(&rng, seed + 7);
    fw_rng_shuffle(&rng, row, n);
    int rc = FW_OK;
    for (size_t i = 0; i < n && rc == FW_OK; i++) {
        bool learn = i < h->learn_n[side];
        size_t at = learn ? (*learnt)++ : (*judged)++;
        float *to = (learn ? h->learn.val : h->judge.val) + at * of->d;
        memcpy(to, of->v + row[i] * of->d, of->d * sizeof *to);
        for (size_t c = 0; c < of->d && rc == FW_OK; c++)
            if (!isfinite(to[c]))
                rc = fw_err_set(err, FW_EINVAL,
                                "row %zu of the embeddings holds a value that is "
                                "not a finite number",
                                row[i] + 1);
        if (learn)
            h->klass[at] = side;
    }
    free(row);
    return rc;
}

static int learn(const struct halves *h, uint64_t seed, struct fw_linear **model,
                 struct fw_err *err)
{
    struct fw_linear_params params = {.C = 1, .tolerance = 0.01, .balanced = true, .seed = seed};
    struct fw_extract_params extract;
    struct fw_extractor *ex = NULL;
    struct fw_matrix x = {0};
    fw_extract_defaults(&extract);
    extract.input = FW_INPUT_FEATURES;
    extract.binned = true;
    extract.bins = 8;
    int rc = fw_extractor_fit(&h->learn, &extract, &ex, err);
    if (rc == FW_OK)
        rc = fw_extractor_apply(ex, &h->learn, &x, err);
    if (rc == FW_OK)
        rc = fw_linear_train(&x, h->klass, NULL, &sides, &params, ex, model, err);
    if (rc != FW_OK)
        fw_extractor_free(ex);
    fw_matrix_release(&x);
    return rc;
}

static int judge(const struct halves *h, const struct fw_linear *model, double level,
                 struct fw_domain *out, struct fw_err *err)
{
    size_t n = h->judge_n[0], m = h->judge_n[1];
    float *probs = malloc(2 * (n + m) * sizeof *probs);
    double *score = malloc((n + m) * sizeof *score), variance;
    struct fw_domain d = {.n = n, .m = m};
    struct fw_matrix x = {0};
    int rc = probs && score ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_extractor_apply(model->ex, &h->judge, &x, err);
    if (rc == FW_OK)
        rc = fw_linear_probs(model, &x, probs, err);
    for (size_t i = 0; rc == FW_OK && i < n + m; i++)
        score[i] = probs[2 * i + 1];
    if (rc == FW_OK)
        rc = fw_auc(score + n, m, score, n, &d.auc, &variance, &d.p, err);
    if (rc == FW_OK) {
        double reach = fw_normal_quantile(0.5 + level / 2) * sqrt(variance);
        d.low = fmax(0, d.auc - reach);
        d.high = fmin(1, d.auc + reach);
        *out = d;
    }
    fw_matrix_release(&x);
    free(probs);
    free(score);
    return rc;
}

int fw_domain_classifier(const struct fw_vectors *a, const struct fw_vectors *b, size_t rows,
                         double level, uint64_t seed, struct fw_domain *out, struct fw_err *err)
{
    struct halves h = {.klass = NULL};
    struct fw_linear *model = NULL;
    size_t learnt = 0, judged = 0;
    if (a->n < 8 || b->n < 8)
        return fw_err_set(err, FW_EINVAL, "too few embeddings to compare: %zu and %zu", a->n, b->n);
    if (a->d != b->d || !a->d)
        return fw_err_set(err, FW_EINVAL,
                          "embeddings are %zu wide on one side and %zu on the other", a->d, b->d);
    rows = rows < 8 ? 8 : rows;
    size_t n = a->n < rows ? a->n : rows, m = b->n < rows ? b->n : rows;
    h.learn_n[0] = n / 2;
    h.learn_n[1] = m / 2;
    h.judge_n[0] = n - n / 2;
    h.judge_n[1] = m - m / 2;
    int rc = fw_matrix_dense(&h.learn, n / 2 + m / 2, a->d, err);
    if (rc == FW_OK)
        rc = fw_matrix_dense(&h.judge, h.judge_n[0] + h.judge_n[1], a->d, err);
    if (rc == FW_OK && !(h.klass = malloc((n + m) * sizeof *h.klass)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = deal(a, n, 0, seed, &h, &learnt, &judged, err);
    if (rc == FW_OK)
        rc = deal(b, m, 1, seed + 1, &h, &learnt, &judged, err);
    if (rc == FW_OK)
        rc = learn(&h, seed, &model, err);
    if (rc == FW_OK)
        rc = judge(&h, model, level, out, err);
    fw_linear_free(model);
    release(&h);
    return rc;
}
