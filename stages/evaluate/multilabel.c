#include "stages/evaluate/multilabel.h"
#include "stages/evaluate/quantile.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "pipeline/base/parallel.h"
#include "pipeline/base/rng.h"

struct counts {
    double hit, given, said; /* true positives, given, predicted */
};

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static struct fw_prf prf_of(const struct counts *c)
{
    return (struct fw_prf){ratio(c->hit, c->said), ratio(c->hit, c->given),
                           ratio(2 * c->hit, c->given + c->said)};
}

static double jaccard_of(const struct counts *c)
{
    return ratio(c->hit, c->given + c->said - c->hit);
}

static void add(struct fw_prf *to, struct fw_prf v, double w)
{
    to->precision += w * v.precision;
    to->recall += w * v.recall;
    to->f1 += w * v.f1;
}

static void divide(struct fw_prf *v, double by)
{
    v->precision /= by;
    v->recall /= by;
    v->f1 /= by;
}

static double rank_precision(size_t k, const unsigned char *given, const float *probs)
{
    double sum = 0, labels = 0;
    for (size_t j = 0; j < k; j++) {
        double above = 0, right = 0;
        if (!given[j])
            continue;
        labels++;
        for (size_t l = 0; l < k; l++)
            if (probs[l] >= probs[j]) {
                above++;
                right += given[l];
            }
        sum += right / above;
    }
    return labels == 0 || labels == (double)k ? 1 : sum / labels;
}

struct totals {
    double weight, exact, wrong, jaccard, ranked;
    struct fw_prf samples;
};

static void add_sample(struct totals *t, struct counts *of_class, size_t k,
                       const unsigned char *given, const unsigned char *predicted,
                       const float *probs, double w)
{
    struct counts c = {0, 0, 0};
    for (size_t j = 0; j < k; j++) {
        double hit = given[j] && predicted[j];
        of_class[j].hit += w * hit;
        of_class[j].given += w * given[j];
        of_class[j].said += w * predicted[j];
        c.hit += hit;
        c.given += given[j];
        c.said += predicted[j];
    }
    double wrong = c.given + c.said - 2 * c.hit;
    t->weight += w;
    t->exact += w * (wrong == 0);
    t->wrong += w * wrong;
    t->jaccard += w * jaccard_of(&c);
    add(&t->samples, prf_of(&c), w);
    if (probs)
        t->ranked += w * rank_precision(k, given, probs);
}

static void finish(const struct totals *t, const struct counts *of_class, size_t k, bool ranked,
                   struct fw_multilabel_scores *out, struct fw_prf *by_class)
{
    struct counts all = {0, 0, 0};
    struct fw_multilabel_scores s = {.samples = t->samples};
    for (size_t j = 0; j < k; j++) {
        struct fw_prf v = prf_of(&of_class[j]);
        all.hit += of_class[j].hit;
        all.given += of_class[j].given;
        all.said += of_class[j].said;
        add(&s.macro, v, 1.0 / (double)k);
        add(&s.weighted, v, of_class[j].given);
        s.jaccard_macro += jaccard_of(&of_class[j]) / (double)k;
        if (by_class)
            by_class[j] = v;
    }
    if (all.given > 0)
        divide(&s.weighted, all.given);
    divide(&s.samples, t->weight);
    s.micro = prf_of(&all);
    s.subset_accuracy = t->exact / t->weight;
    s.hamming_loss = t->wrong / t->weight / (double)k;
    s.jaccard_samples = t->jaccard / t->weight;
    s.ranking_average_precision = ranked ? t->ranked / t->weight : NAN;
    if (!(t->weight > 0))
        s.macro = s.micro = s.weighted = s.samples = (struct fw_prf){NAN, NAN, NAN};
    if (!(t->weight > 0))
        s.jaccard_macro = NAN;
    *out = s;
}

int fw_multilabel_score(size_t n, size_t k, const unsigned char *given,
                        const unsigned char *predicted, const float *probs, const double *weight,
                        struct fw_multilabel_scores *out, struct fw_prf *by_class,
                        struct fw_err *err)
{
    struct totals t = {.weight = 0};
    struct counts *of_class = calloc(k + 1, sizeof *of_class);
    if (!of_class)
        return fw_err_nomem(err);
    if (!k) {
        free(of_class);
        return fw_err_set(err, FW_EINVAL, "there are no classes");
    }
    for (size_t i = 0; i < n * k && probs; i++)
        if (isnan(probs[i])) {
            free(of_class);
            return fw_err_set(err, FW_EINVAL, "row %zu, column %zu: no probability", i / k, i % k);
        }
    for (size_t i = 0; i < n && weight; i++)
        if (!(weight[i] >= 0 && isfinite(weight[i]))) {
            free(of_class);
            return fw_err_set(err, FW_EINVAL, "weight %zu is %g", i, weight[i]);
        }
    for (size_t i = 0; i < n; i++)
        add_sample(&t, of_class, k, given + i * k, predicted + i * k, probs ? probs + i * k : NULL,
                   weight ? weight[i] : 1);
    finish(&t, of_class, k, probs != NULL, out, by_class);
    free(of_class);
    return FW_OK;
}

enum { NUMBERS = sizeof(struct fw_multilabel_scores) / sizeof(double) };

struct resampling {
    size_t n, k;
    const unsigned char *given, *predicted;
    const float *probs;
    uint64_t seed;
    struct fw_multilabel_scores *out;
};

static int resample_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct resampling *r = ctx;
    double *times = malloc((r->n + 1) * sizeof *times);
    int rc = times ? FW_OK : fw_err_nomem(err);
    for (size_t b = chunk->from; b < chunk->to && rc == FW_OK; b++) {
        struct fw_rng rng;
        uint64_t number = b; /* each resample has a stream of its own */
        fw_rng_seed(&rng, fw_hash64(&number, sizeof number, r->seed));
        memset(times, 0, r->n * sizeof *times);
        for (size_t i = 0; i < r->n; i++)
            times[fw_rng_below(&rng, r->n)]++;
        rc = fw_multilabel_score(r->n, r->k, r->given, r->predicted, r->probs, times, &r->out[b],
                                 NULL, err);
    }
    free(times);
    return rc;
}

int fw_multilabel_interval(size_t n, size_t k, const unsigned char *given,
                           const unsigned char *predicted, const float *probs, size_t resamples,
                           double level, uint64_t seed, struct fw_multilabel_scores *low,
                           struct fw_multilabel_scores *high, struct fw_err *err)
{
    struct resampling r = {n, k, given, predicted, probs, seed, NULL};
    double *v = malloc((resamples + 1) * sizeof *v), lows[NUMBERS], highs[NUMBERS];
    r.out = calloc(resamples + 1, sizeof *r.out);
    int rc = v && r.out ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && (!n || !resamples))
        rc = fw_err_set(err, FW_EINVAL, "an interval needs samples and resamples");
    if (rc == FW_OK)
        rc = fw_parallel(resamples, 16, resample_work, &r, err);
    for (size_t f = 0; f < NUMBERS && rc == FW_OK; f++) {
        for (size_t b = 0; b < resamples; b++)
            memcpy(&v[b], (const char *)&r.out[b] + f * sizeof *v, sizeof *v);
        qsort(v, resamples, sizeof *v, fw_by_number);
        lows[f] = fw_quantile(v, resamples, (1 - level) / 2);
        highs[f] = fw_quantile(v, resamples, (1 + level) / 2);
    }
    if (rc == FW_OK) {
        memcpy(low, lows, sizeof *low);
        memcpy(high, highs, sizeof *high);
    }
    free(v);
    free(r.out);
    return rc;
}
