#include "stages/evaluate/calibration.h"

#include <math.h>
#include <stdlib.h>

double fw_confidence_of(const float *probs, size_t k, int truth, bool *right)
{
    size_t best = 0;
    for (size_t j = 1; j < k; j++)
        if (probs[j] > probs[best])
            best = j;
    *right = truth >= 0 && best == (size_t)truth;
    return (double)probs[best];
}

size_t fw_confidence_bin(double confidence, size_t m)
{
    double b = ceil(confidence * (double)m) - 1;
    return b <= 0 ? 0 : b >= (double)m ? m - 1 : (size_t)b;
}

struct item {
    double confidence, weight;
    bool right;
};

static int by_confidence(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->confidence != y->confidence)
        return x->confidence < y->confidence ? -1 : 1;
    if (x->right != y->right)
        return x->right < y->right ? -1 : 1;
    return x->weight < y->weight ? -1 : x->weight > y->weight;
}

/* One sample, or FW_EINVAL; out->weight 0 when it does not count. */
static int read_item(const float *probs, const int *truth, const double *weight, size_t i, size_t k,
                     struct item *out, struct fw_err *err)
{
    out->weight = truth[i] < 0 ? 0 : weight ? weight[i] : 1;
    if (weight && !(weight[i] >= 0 && isfinite(weight[i])))
        return fw_err_set(err, FW_EINVAL, "the weight of sample %zu is %g", i + 1, weight[i]);
    if (out->weight <= 0)
        return FW_OK;
    for (size_t j = 0; j < k; j++)
        if (!(probs[i * k + j] >= 0 && probs[i * k + j] <= 1 + 1e-6f))
            return fw_err_set(err, FW_EINVAL,
                              "probability %g of class %zu of sample %zu is not in [0, 1]",
                              (double)probs[i * k + j], j + 1, i + 1);
    out->confidence = fw_confidence_of(probs + i * k, k, truth[i], &out->right);
    return FW_OK;
}

static void add(struct fw_reliability_bin *b, const struct item *s)
{
    b->n++;
    b->weight += s->weight;
    b->confidence += s->weight * s->confidence;
    b->accuracy += s->right ? s->weight : 0;
}

static int fill_widths(const float *probs, const int *truth, const double *weight, size_t n,
                       size_t k, size_t bins, struct fw_reliability_bin *table, struct fw_err *err)
{
    for (size_t b = 0; b < bins; b++)
        table[b] = (struct fw_reliability_bin){.low = (double)b / (double)bins,
                                               .high = (double)(b + 1) / (double)bins};
    for (size_t i = 0; i < n; i++) {
        struct item s;
        int rc = read_item(probs, truth, weight, i, k, &s, err);
        if (rc != FW_OK)
            return rc;
        if (s.weight > 0)
            add(&table[fw_confidence_bin(s.confidence, bins)], &s);
    }
    return FW_OK;
}

/* A run of equal confidences goes to the bin in which it begins. */
static int fill_masses(const float *probs, const int *truth, const double *weight, size_t n,
                       size_t k, size_t bins, struct fw_reliability_bin *table, struct fw_err *err)
{
    struct item *v = calloc(n + 1, sizeof *v);
    size_t used = 0, bin = 0;
    double all = 0, before = 0;
    int rc = v ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < n && rc == FW_OK; i++) {
        rc = read_item(probs, truth, weight, i, k, &v[used], err);
        if (rc == FW_OK && v[used].weight > 0)
            all += v[used++].weight;
    }
    if (rc == FW_OK) {
        qsort(v, used, sizeof *v, by_confidence);
        for (size_t b = 0; b < bins; b++)
            table[b] = (struct fw_reliability_bin){.low = NAN, .high = NAN};
    }
    for (size_t i = 0; i < used && rc == FW_OK; i++) {
        if (!i || v[i].confidence != v[i - 1].confidence) {
            double at = before / all * (double)bins * (1 + 1e-12);
            bin = at >= (double)bins ? bins - 1 : (size_t)at;
        }
        if (!table[bin].n)
            table[bin].low = v[i].confidence;
        table[bin].high = v[i].confidence;
        add(&table[bin], &v[i]);
        before += v[i].weight;
    }
    free(v);
    return rc;
}

int fw_reliability(const float *probs, const int *truth, const double *weight, size_t n, size_t k,
                   size_t bins, bool equal_mass, struct fw_reliability_bin *table,
                   struct fw_calibration *out, struct fw_err *err)
{
    if (!bins || bins > FW_CALIBRATION_MAX_BINS || !k)
        return fw_err_set(err, FW_EINVAL, "calibration wants 1 to %d bins and a class",
                          FW_CALIBRATION_MAX_BINS);
    struct fw_reliability_bin *t = calloc(bins, sizeof *t);
    if (!t)
        return fw_err_nomem(err);
    int rc = equal_mass ? fill_masses(probs, truth, weight, n, k, bins, t, err)
                        : fill_widths(probs, truth, weight, n, k, bins, t, err);
    if (rc == FW_OK) {
        struct fw_calibration c = {0, 0, 0};
        double all = 0;
        for (size_t b = 0; b < bins; b++)
            all += t[b].weight;
        for (size_t b = 0; b < bins; b++) {
            double gap = fabs(t[b].confidence - t[b].accuracy); /* sums: weight × distance */
            c.n += t[b].n;
            c.ece += gap;
            if (t[b].weight > 0)
                c.mce = fmax(c.mce, gap / t[b].weight);
            t[b].confidence = t[b].weight > 0 ? t[b].confidence / t[b].weight : NAN;
            t[b].accuracy = t[b].weight > 0 ? t[b].accuracy / t[b].weight : NAN;
            table[b] = t[b];
        }
        c.ece = all > 0 ? c.ece / all : NAN;
        c.mce = all > 0 ? c.mce : NAN;
        *out = c;
    }
    free(t);
    return rc;
}
