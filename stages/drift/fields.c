/* One field: its statistics, by what it holds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/drift/bins.h"
#include "stages/drift/counts.h"
#include "stages/drift/drift.h"
#include "stages/drift/two_sample.h"

enum { RARE = 5, MAX_CELLS = 1000 };

void fw_drift_test_release(struct fw_drift_test *t)
{
    free(t->bins);
    free(t->counts[0]);
    free(t->cell);
    free(t->words);
}

static int make_counts(struct fw_drift_test *t, size_t k, struct fw_err *err)
{
    t->k = k;
    t->counts[0] = calloc(k ? k : 1, 2 * sizeof(double));
    if (!t->counts[0])
        return fw_err_nomem(err);
    t->counts[1] = t->counts[0] + k;
    return FW_OK;
}

/* PSI, JS and the chi-squared test over the cells. */
static int test_counts(struct fw_drift_test *t, struct fw_err *err)
{
    struct fw_homogeneity h;
    int rc = fw_chi2_homogeneity(t->counts[0], t->counts[1], t->k, &h, err);
    if (rc != FW_OK)
        return rc;
    t->value = fw_psi(t->counts[0], t->counts[1], t->k);
    t->js = fw_jensen_shannon(t->counts[0], t->counts[1], t->k);
    t->chi2 = h.chi2;
    t->df = h.df;
    t->p = h.p;
    t->chance = h.df * t->noise;
    t->effect = fmax(0, t->value - t->chance);
    return FW_OK;
}

static double median(const double *v, size_t n)
{
    return n % 2 ? v[n / 2] : v[n / 2 - 1] / 2 + v[n / 2] / 2;
}

static int test_numbers(struct fw_drift_test *t, struct fw_numbers *of, size_t bins,
                        struct fw_err *err)
{
    struct fw_ks ks;
    int rc = FW_OK;
    for (int s = 0; s < FW_SIDES && rc == FW_OK; s++)
        rc = fw_sort_numbers(of[s].v, of[s].n, err);
    if (rc == FW_OK && !(t->bins = malloc(sizeof *t->bins)))
        rc = fw_err_nomem(err);
    if (rc != FW_OK)
        return rc;
    fw_bins_make(of[0].v, of[0].n, bins, t->bins);
    rc = make_counts(t, t->bins->n, err);
    if (rc != FW_OK)
        return rc;
    for (int s = 0; s < FW_SIDES; s++) {
        fw_bins_count(t->bins, of[s].v, of[s].n, t->counts[s]);
        t->median[s] = median(of[s].v, of[s].n);
    }
    rc = test_counts(t, err);
    if (rc == FW_OK)
        rc = fw_ks_two_sample(of[0].v, of[0].n, of[1].v, of[1].n, &ks, err);
    if (rc != FW_OK)
        return rc;
    t->ks = ks.d;
    t->p = ks.p;
    t->test = "kolmogorov-smirnov";
    t->wasserstein = fw_wasserstein1(of[0].v, of[0].n, of[1].v, of[1].n);
    t->constant = of[0].v[0] == of[0].v[of[0].n - 1] && of[1].v[0] == of[0].v[0] &&
                  of[1].v[of[1].n - 1] == of[0].v[0];
    return FW_OK;
}

static int test_categories(struct fw_drift_test *t, struct fw_err *err)
{
    const struct fw_column *c = t->column;
    size_t k = c->names.n, cells = 0;
    double *all = calloc(k, 2 * sizeof *all);
    t->cell = malloc(k * sizeof *t->cell);
    int rc = all && t->cell ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < k; i++)
        for (size_t s = 0; s < FW_SIDES; s++)
            all[s * k + i] = (double)c->categories[i].n[s];
    if (rc == FW_OK)
        rc = fw_pool_rare(all, all + k, k, RARE, MAX_CELLS, t->cell, &cells, &t->pool, err);
    if (rc == FW_OK)
        rc = make_counts(t, cells, err);
    for (size_t i = 0; rc == FW_OK && i < k; i++)
        for (size_t s = 0; s < FW_SIDES; s++)
            t->counts[s][t->cell[i]] += all[s * k + i];
    if (rc == FW_OK)
        rc = test_counts(t, err);
    t->test = "chi-squared";
    t->constant = k == 1;
    free(all);
    return rc;
}

static int test_missing(struct fw_drift_test *t, const double *present, struct fw_err *err)
{
    int rc = make_counts(t, 2, err);
    for (int s = 0; rc == FW_OK && s < FW_SIDES; s++) {
        t->counts[s][0] = present[s];
        t->counts[s][1] = t->n[s] - present[s];
    }
    t->test = "chi-squared";
    return rc == FW_OK ? test_counts(t, err) : rc;
}

static int test_words(struct fw_drift_test *t, struct fw_err *err)
{
    t->words = malloc(sizeof *t->words);
    if (!t->words)
        return fw_err_nomem(err);
    int rc = fw_vocabulary_compare(t->column->words, t->words, err);
    if (rc != FW_OK)
        return rc;
    const struct fw_vocabulary_drift *w = t->words;
    t->value = w->js;
    t->chance = w->js_chance;
    t->effect = 8 * M_LN2 * fmax(0, w->js - w->js_chance);
    t->noise = w->design * (1 / w->words[0] + 1 / w->words[1]);
    t->df = w->df;
    t->p = w->p;
    t->test = "rao-scott";
    return FW_OK;
}

enum { CATEGORIES = 100 }; /* so few different values are compared as they are written */

size_t fw_drift_of_kind(const struct fw_column *c, int side)
{
    bool texts = 2 * c->texts[0] > c->present[0];
    if (!c->present[0] || c->words || c->names.n <= CATEGORIES)
        return c->present[side];
    return texts ? c->texts[side] : c->present[side] - c->texts[side];
}

int fw_drift_test_run(struct fw_drift_test *t, size_t bins, struct fw_err *err)
{
    struct fw_column *c = t->column;
    const double present[] = {(double)fw_drift_of_kind(c, 0), (double)fw_drift_of_kind(c, 1)};
    t->noise = 1 / t->n[0] + 1 / t->n[1];
    switch (t->part) {
    case FW_DRIFT_MISSING:
        return test_missing(t, present, err);
    case FW_DRIFT_LENGTH:
        return test_numbers(t, c->lengths, bins, err);
    case FW_DRIFT_WORDS:
        return test_words(t, err);
    default:
        return c->names.n ? test_categories(t, err) : test_numbers(t, c->numbers, bins, err);
    }
}
