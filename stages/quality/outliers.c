#include "stages/quality/outliers.h"

#include <math.h>
#include <stdlib.h>

#include "stages/quality/robust.h"

void fw_outliers_release(struct fw_outliers *o)
{
    free(o->score);
    free(o->outlier);
    *o = (struct fw_outliers){0};
}

static int start(struct fw_outliers *o, size_t n, struct fw_err *err)
{
    o->n = n;
    o->score = calloc(n ? n : 1, sizeof *o->score);
    o->outlier = calloc(n ? n : 1, sizeof *o->outlier);
    return o->score && o->outlier ? FW_OK : fw_err_nomem(err);
}

/* o->score holds the mean distances; turns them into scores and flags. log: room for n. */
static int judge_distances(struct fw_outliers *o, double cut, double *log_of, struct fw_err *err)
{
    struct fw_robust r;
    for (size_t i = 0; i < o->n; i++)
        log_of[i] = o->score[i] > 0 ? log(o->score[i]) : NAN;
    int rc = fw_robust_of(log_of, o->n, &r, err);
    if (rc != FW_OK)
        return rc;
    o->typical = r.n ? exp(r.median) : 0;
    for (size_t i = 0; i < o->n; i++) {
        double over = log_of[i] - r.median;
        o->outlier[i] = r.spread > 1e-9 ? over > cut * r.spread : over > log(2);
        o->n_outliers += o->outlier[i];
        o->score[i] = r.n ? fmax(exp(-o->score[i] / o->typical), 1e-300) : 1;
    }
    return FW_OK;
}

int fw_outliers_by_distance(const struct fw_neighbours *nb, double cut, struct fw_outliers *out,
                            struct fw_err *err)
{
    struct fw_outliers o = {0};
    if (!(cut > 0))
        return fw_err_set(err, FW_EINVAL, "the cut for outliers is %g; it must be above 0", cut);
    int rc = start(&o, nb->n, err);
    double *log_of = calloc(nb->n ? nb->n : 1, sizeof *log_of);
    if (rc == FW_OK && !log_of)
        rc = fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < nb->n; i++) {
        double sum = 0;
        for (size_t j = 0; j < nb->k; j++) {
            float v = nb->distance[i * nb->k + j];
            if (!(v >= 0) || isinf(v))
                rc = fw_err_set(err, FW_EINVAL, "row %zu has a distance of %g", i, (double)v);
            sum += v;
        }
        o.score[i] = nb->k ? sum / (double)nb->k : 0;
    }
    if (rc == FW_OK)
        rc = judge_distances(&o, cut, log_of, err);
    free(log_of);
    if (rc == FW_OK)
        *out = o;
    else
        fw_outliers_release(&o);
    return rc;
}

static double prob(const struct fw_probs *p, size_t i, size_t j)
{
    return p->f ? (double)p->f[i * p->k + j] : p->d[i * p->k + j];
}

static int check(const struct fw_probs *p, const int *labels, struct fw_err *err)
{
    if (p->k < 2)
        return fw_err_set(err, FW_EINVAL, "probabilities of %zu class: at least 2 are needed",
                          p->k);
    for (size_t i = 0; i < p->n; i++) {
        double sum = 0;
        for (size_t j = 0; j < p->k; j++) {
            double v = prob(p, i, j);
            if (!(v >= 0) || isinf(v))
                return fw_err_set(err, FW_EINVAL, "row %zu has a probability of %g for class %zu",
                                  i, v, j);
            sum += v;
        }
        if (sum <= 0 || isinf(sum))
            return fw_err_set(err, FW_EINVAL, "the probabilities of row %zu sum to %g", i, sum);
        if (labels && labels[i] >= 0 && (size_t)labels[i] >= p->k)
            return fw_err_set(err, FW_EINVAL, "row %zu has class %d of %zu", i, labels[i], p->k);
    }
    return FW_OK;
}

/* shift: what is added to each class's probability. */
static int shifts(const struct fw_probs *p, const int *labels, double *shift, struct fw_err *err)
{
    double most = 0, sum = 0;
    size_t known = 0;
    int rc = fw_cl_thresholds(p, labels, shift, err);
    if (rc != FW_OK)
        return rc;
    for (size_t j = 0; j < p->k; j++)
        if (isfinite(shift[j])) {
            sum += shift[j];
            known++;
        }
    for (size_t j = 0; j < p->k; j++) {
        if (!isfinite(shift[j]))
            shift[j] = known ? sum / (double)known : 0;
        most = fmax(most, shift[j]);
    }
    for (size_t j = 0; j < p->k; j++)
        shift[j] = most - shift[j];
    return FW_OK;
}

static double certainty(const struct fw_probs *p, size_t i, const double *shift)
{
    double sum = 0, h = 0, row = 0;
    for (size_t j = 0; j < p->k; j++)
        row += prob(p, i, j);
    for (size_t j = 0; j < p->k; j++)
        sum += prob(p, i, j) / row + shift[j];
    for (size_t j = 0; j < p->k; j++) {
        double q = (prob(p, i, j) / row + shift[j]) / sum;
        h -= q > 0 ? q * log(q) : 0;
    }
    return fmin(fmax(1 - h / log((double)p->k), 1e-12), 1);
}

int fw_outliers_by_probability(const struct fw_probs *p, const int *labels, double share,
                               struct fw_outliers *out, struct fw_err *err)
{
    struct fw_outliers o = {0};
    struct fw_robust r = {0};
    if (!(share >= 0 && share <= 1))
        return fw_err_set(err, FW_EINVAL, "the share for outliers is %g; it must be in 0..1",
                          share);
    int rc = check(p, labels, err);
    if (rc != FW_OK)
        return rc;
    double *shift = calloc(p->k, sizeof *shift);
    rc = start(&o, p->n, err);
    if (rc == FW_OK && !shift)
        rc = fw_err_nomem(err);
    if (rc == FW_OK && labels)
        rc = shifts(p, labels, shift, err);
    for (size_t i = 0; rc == FW_OK && i < p->n; i++)
        o.score[i] = certainty(p, i, shift);
    rc = rc == FW_OK ? fw_robust_of(o.score, p->n, &r, err) : rc;
    free(shift);
    if (rc != FW_OK) {
        fw_outliers_release(&o);
        return rc;
    }
    o.typical = r.n ? r.median : 0;
    for (size_t i = 0; i < p->n; i++) {
        o.outlier[i] = o.score[i] < share * o.typical;
        o.n_outliers += o.outlier[i];
    }
    *out = o;
    return FW_OK;
}
