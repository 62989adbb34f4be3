#include "stages/evaluate/compare.h"

#include <math.h>
#include <stdlib.h>

#include "stages/evaluate/bootstrap.h"
#include "stages/evaluate/metric_kinds.h"
#include "stages/evaluate/quantile.h"

/* The mean over seeds. */
static int mean_metric(const struct fw_metric *m, const struct fw_truth *t,
                       const struct fw_scored *s, double *out, struct fw_err *err)
{
    double sum = 0, one;
    for (size_t i = 0; i < s->seeds; i++) {
        struct fw_metric_data in = {t->n,
                                    t->k,
                                    t->klass,
                                    s->pred ? s->pred[i] : NULL,
                                    s->probs ? s->probs[i] : NULL,
                                    t->value,
                                    s->value ? s->value[i] : NULL,
                                    t->weight};
        int rc = fw_metric_measure(m, &in, &one, err);
        if (rc != FW_OK)
            return rc;
        sum += one;
    }
    *out = sum / (double)s->seeds;
    return FW_OK;
}

static int undefined(struct fw_err *err)
{
    fw_err_set(err, FW_EINVAL, "the metric is not defined on these samples");
    fw_err_hint(err,
                "ROC AUC wants samples of the class and of others, average precision samples of "
                "the class");
    return FW_EINVAL;
}

static void add_models(struct fw_boot_model *out, const struct fw_scored *s, double sign)
{
    for (size_t i = 0; i < s->seeds; i++)
        out[i] = (struct fw_boot_model){s->pred ? s->pred[i] : NULL, s->probs ? s->probs[i] : NULL,
                                        s->value ? s->value[i] : NULL, sign / (double)s->seeds};
}

/* Equal models must give a gain of 0, not of a rounding error. */
static double snap(double x)
{
    return fabs(x) < 1e-12 ? 0 : x;
}

static int vote(const struct fw_scored *s, size_t i, size_t *votes, size_t k)
{
    size_t best = 0;
    for (size_t c = 0; c < k; c++)
        votes[c] = 0;
    for (size_t j = 0; j < s->seeds; j++)
        votes[s->pred[j][i]]++;
    for (size_t c = 1; c < k; c++)
        if (votes[c] > votes[best])
            best = c;
    return (int)best;
}

/* What the samples whose vote became right or wrong say, by exact tests; after summarise(). */
static int exact_tests(const struct fw_metric *m, const struct fw_truth *t,
                       const struct fw_scored *before, const struct fw_scored *after,
                       struct fw_comparison *c, struct fw_err *err)
{
    size_t only_before = 0, only_after = 0;
    c->mcnemar_p = NAN;
    if (!t->klass || !before->pred || !after->pred)
        return FW_OK;
    size_t *votes = malloc((t->k + 1) * sizeof *votes);
    if (!votes)
        return fw_err_nomem(err);
    for (size_t i = 0; i < t->n; i++) {
        if (t->klass[i] < 0)
            continue;
        bool was = vote(before, i, votes, t->k) == t->klass[i];
        bool is = vote(after, i, votes, t->k) == t->klass[i];
        only_before += was && !is;
        only_after += is && !was;
    }
    free(votes);
    c->mcnemar_p = fw_mcnemar(only_before, only_after).p;
    c->discordant = only_before + only_after;
    if (fw_metric_is_accuracy(m) && !t->weight) {
        c->p_improved = fmax(c->p_improved, fw_sign_test(only_after, only_before));
        c->p_worse = fmax(c->p_worse, fw_sign_test(only_before, only_after));
    }
    return FW_OK;
}

static void summarise(double *gains, size_t n, double level, struct fw_comparison *c)
{
    double mean = 0, square = 0;
    size_t not_better = 0, not_worse = 0;
    for (size_t i = 0; i < n; i++) {
        gains[i] = snap(gains[i]);
        mean += gains[i] / (double)n;
        not_better += gains[i] <= 0;
        not_worse += gains[i] >= 0;
    }
    for (size_t i = 0; i < n; i++)
        square += (gains[i] - mean) * (gains[i] - mean);
    qsort(gains, n, sizeof *gains, fw_by_number);
    c->low = fw_quantile(gains, n, (1 - level) / 2);
    c->high = fw_quantile(gains, n, (1 + level) / 2);
    c->sd = n > 1 ? sqrt(square / (double)(n - 1)) : 0;
    c->p_improved = (double)(not_better + 1) / (double)(n + 1);
    c->p_worse = (double)(not_worse + 1) / (double)(n + 1);
}

int fw_compare(const struct fw_metric *m, const struct fw_truth *truth,
               const struct fw_scored *before, const struct fw_scored *after, size_t resamples,
               double level, uint64_t seed, struct fw_comparison *out, struct fw_err *err)
{
    struct fw_comparison c = {0};
    size_t n = before->seeds + after->seeds;
    double sign = fw_metric_higher_is_better(m) ? 1 : -1;
    if (!resamples || !before->seeds || !after->seeds)
        return fw_err_set(err, FW_EINVAL,
                          "a comparison needs resamples, and both sides' predictions");
    struct fw_boot_model *models = calloc(n, sizeof *models);
    double *gains = malloc(resamples * sizeof *gains);
    int rc = models && gains ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK) {
        add_models(models, before, -sign);
        add_models(models + before->seeds, after, sign);
        rc = fw_bootstrap(m, truth, models, n, resamples, seed, gains, err);
    }
    if (rc == FW_OK)
        rc = mean_metric(m, truth, before, &c.before, err);
    if (rc == FW_OK)
        rc = mean_metric(m, truth, after, &c.after, err);
    if (rc == FW_OK && (isnan(c.before) || isnan(c.after)))
        rc = undefined(err);
    if (rc == FW_OK) {
        c.gain = snap(sign * (c.after - c.before));
        summarise(gains, resamples, level, &c);
        rc = exact_tests(m, truth, before, after, &c, err);
    }
    if (rc == FW_OK)
        *out = c;
    free(models);
    free(gains);
    return rc;
}

int fw_score_interval(const struct fw_metric *m, const struct fw_truth *truth,
                      const struct fw_scored *model, size_t resamples, double level, uint64_t seed,
                      double *value, double *low, double *high, struct fw_err *err)
{
    if (!resamples || !model->seeds)
        return fw_err_set(err, FW_EINVAL, "an interval needs resamples and predictions");
    struct fw_boot_model *models = calloc(model->seeds, sizeof *models);
    double *values = malloc(resamples * sizeof *values);
    int rc = models && values ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK) {
        add_models(models, model, 1);
        rc = fw_bootstrap(m, truth, models, model->seeds, resamples, seed, values, err);
    }
    double mean = NAN;
    if (rc == FW_OK)
        rc = mean_metric(m, truth, model, &mean, err);
    if (rc == FW_OK) {
        qsort(values, resamples, sizeof *values, fw_by_number);
        *value = mean;
        *low = isnan(mean) ? NAN : fw_quantile(values, resamples, (1 - level) / 2);
        *high = isnan(mean) ? NAN : fw_quantile(values, resamples, (1 + level) / 2);
    }
    free(models);
    free(values);
    return rc;
}
