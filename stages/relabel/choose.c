#include "stages/relabel/choose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/rng.h"

enum fw_method fw_default_method(const struct fw_annotations *a, bool probs, const char **why)
{
    double answers = (double)a->n, w = (double)a->labellers, k = (double)a->classes;
    size_t several = 0;
    for (size_t t = 0; t < a->tasks; t++)
        several += a->task_at[t + 1] - a->task_at[t] > 1;
    if (probs) {
        *why = "there are a model's predictions, which CROWDLAB counts as one labeller more";
        return FW_CROWDLAB;
    }
    if (a->labellers < 3 || 2 * several < a->tasks) {
        *why = "too few tasks have several answers to tell who errs";
        return FW_MAJORITY;
    }
    if (answers >= 5 * w * k * (k - 1)) {
        *why =
            "there are at least 5 answers for each parameter of the labellers' confusion matrices";
        return FW_DAWID_SKENE;
    }
    if (answers >= 5 * w * k) {
        *why = "too few answers a labeller for confusion matrices, enough to see who spams";
        return FW_MACE;
    }
    *why = "too few answers a labeller for more than one accuracy each";
    return FW_ONE_COIN;
}

double fw_gold_accuracy(const struct fw_annotations *a, const int32_t *klass, double *se)
{
    double right = 0, n = 0;
    for (size_t t = 0; a->gold && t < a->tasks; t++)
        if (a->gold[t] >= 0) {
            n++;
            right += a->gold[t] == klass[t];
        }
    double p = n > 0 ? right / n : NAN;
    if (se)
        *se = n > 0 ? sqrt(p * (1 - p) / n) : NAN;
    return p;
}

/* right[m * n + i]: is method m right about gold item i? skip[i] items are left out. */
struct verdicts {
    const bool *tried;
    const unsigned char *right;
    const unsigned char *fold; /* n */
    size_t n;
};

static double share_right(const struct verdicts *v, int m, int skip)
{
    double right = 0, n = 0;
    for (size_t i = 0; i < v->n; i++)
        if (v->fold[i] != skip) {
            right += v->right[(size_t)m * v->n + i];
            n++;
        }
    return n > 0 ? right / n : 0;
}

static double behind(const struct verdicts *v, int best, int m, int skip, double *se)
{
    double sum = 0, squares = 0, n = 0;
    for (size_t i = 0; i < v->n; i++)
        if (v->fold[i] != skip) {
            double d =
                (double)v->right[(size_t)best * v->n + i] - (double)v->right[(size_t)m * v->n + i];
            sum += d;
            squares += d * d;
            n++;
        }
    double mean = sum / n;
    *se = sqrt(fmax(0, squares / n - mean * mean) / n);
    return mean;
}

/* The one-standard-error rule on all items but those of fold `skip` (−1: all). */
static enum fw_method one_standard_error(const struct verdicts *v, int skip, enum fw_method *best)
{
    double most = -1;
    for (int m = 0; m < FW_METHODS; m++) {
        double p = v->tried[m] ? share_right(v, m, skip) : -1;
        if (p > most) {
            most = p;
            *best = (enum fw_method)m;
        }
    }
    for (int m = 0; m < FW_METHODS; m++) {
        double se;
        if (v->tried[m] && behind(v, (int)*best, m, skip, &se) <= se)
            return (enum fw_method)m;
    }
    return *best;
}

static int judge(const unsigned char *right, const bool *tried, uint64_t seed, struct fw_choice *c,
                 struct fw_err *err)
{
    size_t n = c->n_gold, *order = malloc((n + 1) * sizeof *order);
    unsigned char *fold = malloc(n + 1);
    struct verdicts v = {tried, right, fold, n};
    struct fw_rng rng;
    double hit = 0;
    if (!order || !fold) {
        free(order);
        free(fold);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    fw_rng_seed(&rng, seed);
    fw_rng_shuffle(&rng, order, n);
    for (size_t i = 0; i < n; i++)
        fold[order[i]] = (unsigned char)(i % FW_CHOOSE_FOLDS);
    c->chosen = one_standard_error(&v, -1, &c->best);
    for (int m = 0; m < FW_METHODS; m++)
        if (tried[m]) {
            double p = share_right(&v, m, -1);
            c->methods[m].accuracy = p;
            c->methods[m].se = sqrt(p * (1 - p) / (double)n);
            c->methods[m].behind = behind(&v, (int)c->best, m, -1, &c->methods[m].behind_se);
        }
    for (int f = 0; f < FW_CHOOSE_FOLDS; f++) {
        enum fw_method best, chosen = one_standard_error(&v, f, &best);
        for (size_t i = 0; i < n; i++)
            hit += fold[i] == f && right[(size_t)chosen * n + i];
    }
    c->cv_accuracy = hit / (double)n;
    c->cv_se = sqrt(c->cv_accuracy * (1 - c->cv_accuracy) / (double)n);
    free(order);
    free(fold);
    return FW_OK;
}

static void no_measurements(struct fw_choice *c)
{
    memset(c, 0, sizeof *c);
    for (int m = 0; m < FW_METHODS; m++)
        c->methods[m].accuracy = c->methods[m].se = c->methods[m].behind = c->methods[m].behind_se =
            NAN;
    c->accuracy = c->se = c->cv_accuracy = c->cv_se = NAN;
}

/* Matrices of so many cells would be empty, and would not fit into memory. */
static bool hopeless(const struct fw_annotations *a)
{
    double k = (double)a->classes;
    return 20 * (double)a->n < (double)a->labellers * k * (k - 1);
}

static int by_gold(const struct fw_annotations *a, const struct fw_aggregate_options *o,
                   uint64_t seed, struct fw_choice *c, struct fw_aggregate *out, struct fw_err *err)
{
    unsigned char *right = calloc(FW_METHODS * c->n_gold + 1, 1);
    bool tried[FW_METHODS] = {false};
    struct fw_aggregate one;
    int rc = right ? FW_OK : fw_err_nomem(err);
    for (int m = 0; rc == FW_OK && m < FW_METHODS; m++) {
        size_t at = (size_t)m * c->n_gold;
        if ((m == FW_CROWDLAB && !(o && o->probs)) || (m == FW_DAWID_SKENE && hopeless(a)))
            continue;
        rc = fw_aggregate(a, (enum fw_method)m, o, &one, err);
        if (rc != FW_OK)
            break;
        for (size_t t = 0; t < a->tasks; t++)
            if (a->gold[t] >= 0)
                right[at++] = one.klass[t] == a->gold[t];
        tried[m] = c->methods[m].tried = true;
        fw_aggregate_release(&one);
    }
    if (rc == FW_OK)
        rc = judge(right, tried, seed, c, err);
    if (rc == FW_OK)
        rc = fw_aggregate(a, c->chosen, o, out, err);
    free(right);
    return rc;
}

int fw_choose(const struct fw_annotations *a, const struct fw_aggregate_options *options,
              uint64_t seed, struct fw_choice *choice, struct fw_aggregate *out, struct fw_err *err)
{
    struct fw_choice c;
    int rc;
    no_measurements(&c);
    c.n_gold = a->n_gold;
    c.by_gold = a->n_gold >= FW_CHOOSE_MIN_GOLD;
    if (c.by_gold) {
        rc = by_gold(a, options, seed, &c, out, err);
        c.why = c.chosen == c.best
                    ? "the most accurate on the gold items, and nothing simpler is within one "
                      "standard error"
                    : "the simplest that is within one standard error of the most accurate on the "
                      "gold items";
    } else {
        c.chosen = c.best = fw_default_method(a, options && options->probs, &c.why);
        rc = fw_aggregate(a, c.chosen, options, out, err);
        c.methods[c.chosen].tried = true;
    }
    if (rc != FW_OK)
        return rc;
    c.accuracy = fw_gold_accuracy(a, out->klass, &c.se);
    *choice = c;
    return FW_OK;
}
