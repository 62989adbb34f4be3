#include "stages/error_analysis/exchange.h"
#include "stages/evaluate/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "pipeline/base/parallel.h"
#include "pipeline/base/rng.h"

enum { RESAMPLES = 2000, LEAST_RESAMPLES = 200, MANY_SAMPLES = 20000, GRAIN = 8, EXPONENTS = 60 };
#define LEAST_EXPONENT 0.05
#define MOST_EXPONENT 3.0

const char *fw_advice_name(enum fw_advice advice)
{
    static const char *const names[] = {NULL, "clean", "collect", "either", "neither"};
    return names[advice];
}

struct work {
    const struct fw_exchange_input *in;
    size_t models, k, n, resamples; /* points and trusted; classes; samples with a truth */
    size_t *order;                  /* n sample indices, by class */
    size_t *start;                  /* strata + 1, in order */
    size_t strata;
    double sign;   /* −1 where lower is better */
    double *cell;  /* models × N: a sample's part of the metric; NULL for confusions */
    double *score; /* (resamples + 1) × models, signed; the first row is the data themselves */
};

static const struct fw_exchange_point *model(const struct fw_exchange_input *in, size_t j)
{
    return j < in->n_points ? &in->points[j] : in->trusted;
}

static int check(const struct fw_exchange_input *in, struct fw_err *err)
{
    if (in->n_points < 2)
        return fw_err_set(err, FW_EINVAL, "a learning curve needs at least two points");
    for (size_t j = 0; j < in->n_points; j++)
        if (!(in->points[j].n > (j ? in->points[j - 1].n : 0)) || !isfinite(in->points[j].n))
            return fw_err_set(err, FW_EINVAL, "the sizes of the learning curve do not ascend");
    if (in->trusted && !(in->trusted->n > 0 && in->trusted->n <= in->points[in->n_points - 1].n))
        return fw_err_set(err, FW_EINVAL, "the trusted part is not a part of the train split");
    if (!(in->cost_label > 0) || !(in->cost_sample > 0) || isinf(in->cost_label) ||
        isinf(in->cost_sample))
        return fw_err_set(err, FW_EINVAL, "the costs of a label and of a sample must be positive");
    return FW_OK;
}

/* Samples in the order of their classes, and where each class begins. */
static int stratify(struct work *w, struct fw_err *err)
{
    const struct fw_truth *t = &w->in->truth;
    w->strata = t->klass ? t->k : 1;
    w->order = malloc((t->n + 1) * sizeof *w->order);
    w->start = calloc(w->strata + 2, sizeof *w->start);
    if (!w->order || !w->start)
        return fw_err_nomem(err);
    for (size_t i = 0; i < t->n; i++)
        if (t->klass ? t->klass[i] >= 0 : !isnan(t->value[i]))
            w->start[(t->klass ? (size_t)t->klass[i] : 0) + 1]++;
    for (size_t c = 0; c < w->strata; c++)
        w->start[c + 1] += w->start[c];
    w->n = w->start[w->strata];
    size_t *next = malloc((w->strata + 1) * sizeof *next);
    if (!next)
        return fw_err_nomem(err);
    memcpy(next, w->start, (w->strata + 1) * sizeof *next);
    for (size_t i = 0; i < t->n; i++)
        if (t->klass ? t->klass[i] >= 0 : !isnan(t->value[i]))
            w->order[next[t->klass ? (size_t)t->klass[i] : 0]++] = i;
    free(next);
    return w->n ? FW_OK
                : fw_err_set(err, FW_EINVAL, "there is no labelled dev sample to measure on");
}

/* What one sample adds to a metric that is a mean (or, RMSE and R², a function of one). */
static double cell_of(const struct work *w, const struct fw_exchange_point *p, size_t i)
{
    const struct fw_truth *t = &w->in->truth;
    switch (w->in->metric.id) {
    case FW_LOG_LOSS:
        return fw_log_loss_of(p->probs + i * w->k, w->k, t->klass[i]);
    case FW_BRIER:
        return fw_brier_of(p->probs + i * w->k, w->k, t->klass[i]);
    case FW_MAE:
        return fabs(p->value[i] - t->value[i]);
    default:
        return (p->value[i] - t->value[i]) * (p->value[i] - t->value[i]);
    }
}

static int fill_cells(struct work *w, struct fw_err *err)
{
    bool confusion = fw_metric_from_confusion(&w->in->metric);
    size_t cells;
    if (!confusion) {
        if (__builtin_mul_overflow(w->models, w->in->truth.n * sizeof *w->cell, &cells) ||
            !(w->cell = malloc(cells + 1)))
            return fw_err_nomem(err);
    }
    for (size_t j = 0; j < w->models; j++) {
        const struct fw_exchange_point *p = model(w->in, j);
        if (confusion ? !p->pred : w->in->truth.klass ? !p->probs : !p->value)
            return fw_err_set(err, FW_EINVAL, "the metric needs %s, which the predictions lack",
                              confusion            ? "predicted classes"
                              : w->in->truth.klass ? "probabilities"
                                                   : "predicted values");
        for (size_t u = 0; u < w->n && !confusion; u++)
            w->cell[j * w->in->truth.n + w->order[u]] = cell_of(w, p, w->order[u]);
    }
    return FW_OK;
}

/* The metric of model j on n drawn samples. margins: 3 K. */
static double score_of(const struct work *w, size_t j, const size_t *drawn, double *margins)
{
    const struct fw_metric *m = &w->in->metric;
    const struct fw_truth *t = &w->in->truth;
    double n = (double)w->n, sum = 0, truth = 0, square = 0;
    if (!w->cell) {
        double *diag = margins, *row = margins + w->k, *col = margins + 2 * w->k;
        const int *pred = model(w->in, j)->pred;
        memset(margins, 0, 3 * w->k * sizeof *margins);
        for (size_t u = 0; u < w->n; u++) {
            int a = t->klass[drawn[u]], b = pred[drawn[u]];
            row[a]++;
            if (b >= 0 && (size_t)b < w->k)
                col[b]++;
            diag[a] += a == b;
        }
        return w->sign * fw_metric_of_margins(m, diag, row, col, w->k);
    }
    const double *cell = w->cell + j * t->n;
    for (size_t u = 0; u < w->n; u++)
        sum += cell[drawn[u]];
    if (m->id == FW_RMSE)
        return w->sign * sqrt(sum / n);
    if (m->id != FW_R2)
        return w->sign * sum / n;
    for (size_t u = 0; u < w->n; u++)
        truth += t->value[drawn[u]] / n;
    for (size_t u = 0; u < w->n; u++)
        square += (t->value[drawn[u]] - truth) * (t->value[drawn[u]] - truth);
    return square > 0 ? 1 - sum / square : sum > 0 ? 0 : 1;
}

/* Rows of w->score; row 0 is the data as they are. */
static int score_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct work *w = ctx;
    size_t *drawn = malloc((w->n + 1) * sizeof *drawn);
    double *margins = malloc((3 * w->k + 1) * sizeof *margins);
    int rc = drawn && margins ? FW_OK : fw_err_nomem(err);
    for (size_t b = chunk->from; b < chunk->to && rc == FW_OK; b++) {
        struct fw_rng rng;
        uint64_t number = b; /* each resample has a stream of its own */
        fw_rng_seed(&rng, fw_hash64(&number, sizeof number, w->in->seed));
        for (size_t c = 0; c < w->strata; c++) {
            size_t from = w->start[c], size = w->start[c + 1] - from;
            for (size_t u = 0; u < size; u++)
                drawn[from + u] = w->order[from + (b ? fw_rng_below(&rng, size) : u)];
        }
        for (size_t j = 0; j < w->models; j++)
            w->score[b * w->models + j] = score_of(w, j, drawn, margins);
    }
    free(drawn);
    free(margins);
    return rc;
}

/* Weighted least squares y = a + b x. False when x does not vary. */
static bool line(const double *x, const double *y, const double *weight, size_t n, double *a,
                 double *b)
{
    double w = 0, mx = 0, my = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        w += weight[i];
        mx += weight[i] * x[i];
        my += weight[i] * y[i];
    }
    mx /= w;
    my /= w;
    for (size_t i = 0; i < n; i++) {
        xx += weight[i] * (x[i] - mx) * (x[i] - mx);
        xy += weight[i] * (x[i] - mx) * (y[i] - my);
    }
    if (!(xx > 0))
        return false;
    *b = xy / xx;
    *a = my - *b * mx;
    return true;
}

struct power {
    double limit, scale, exponent, rms;
};

/* x, weight: scratch and weights of n entries. score is signed: higher is better. False when the
 * best exponent lies at an end of the grid, or the limit cannot be reached. */
static bool fit_power(const struct fw_exchange_input *in, const double *score, double *x,
                      const double *weight, struct power *out)
{
    size_t best = 0;
    double least = INFINITY, full = in->points[in->n_points - 1].n;
    double most = fw_metric_higher_is_better(&in->metric) ? 1 : 0;
    for (size_t e = 0; e < EXPONENTS; e++) {
        double c =
            LEAST_EXPONENT * pow(MOST_EXPONENT / LEAST_EXPONENT, (double)e / (EXPONENTS - 1));
        double a, b, rest = 0;
        for (size_t i = 0; i < in->n_points; i++)
            x[i] = pow(in->points[i].n / full, -c);
        if (!line(x, score, weight, in->n_points, &a, &b) || b >= 0 || a > most)
            continue;
        for (size_t i = 0; i < in->n_points; i++)
            rest += (score[i] - a - b * x[i]) * (score[i] - a - b * x[i]);
        if (rest < least) {
            least = rest;
            best = e;
            *out = (struct power){a, -b * pow(full, c), c, sqrt(rest / (double)in->n_points)};
        }
    }
    return isfinite(least) && best > 0 && best < EXPONENTS - 1;
}

/* The percentile interval of n values, which are sorted. Linear between order statistics. */
static void interval(double *v, size_t n, double level, struct fw_estimate *out)
{
    double tail = (1 - level) / 2, at[2] = {tail, 1 - tail}, q[2];
    qsort(v, n, sizeof *v, fw_by_number);
    for (int i = 0; i < 2; i++) {
        double p = at[i] * (double)(n - 1);
        size_t k = (size_t)p;
        double part = p - (double)k;
        q[i] = part > 0 && k + 1 < n && isfinite(v[k]) ? v[k] + part * (v[k + 1] - v[k]) : v[k];
    }
    out->low = q[0];
    out->high = q[1];
}

/* All that follows from one row of scores. */
struct row {
    double slope, sample, cleaning, label, corrected, difference, rate;
};

static struct row derive(const struct fw_exchange_input *in, const struct fw_exchange *x,
                         const double *score, const double *ln, const double *weight)
{
    struct row r = {
        .cleaning = NAN, .label = NAN, .corrected = NAN, .difference = NAN, .rate = NAN};
    double a, full = in->points[in->n_points - 1].n;
    line(ln, score, weight, in->n_points, &a, &r.slope);
    r.sample = r.slope / full;
    if (!in->trusted || !(x->suspects > 0))
        return r;
    r.cleaning =
        score[in->n_points] - score[in->n_points - 1] + r.slope * log(full / in->trusted->n);
    r.label = r.cleaning / x->suspects;
    r.corrected = x->wrong > 0 ? r.cleaning / x->wrong : NAN;
    r.difference = r.label / in->cost_label - r.sample / in->cost_sample;
    r.rate = r.label / in->cost_label * in->cost_sample / r.sample;
    if (!(r.sample > 0)) /* samples bring nothing: a label that does is worth any number of them */
        r.rate = r.label > 0 ? INFINITY : 0;
    return r;
}

static void decide(struct fw_exchange *x, const struct fw_estimate *d, double share)
{
    if (x->nothing_to_clean) {
        x->advice = x->sample.low > 0 ? FW_ADVISE_COLLECT : FW_ADVISE_NEITHER;
        x->share_to_clean = 0;
        return;
    }
    if (isnan(d->value))
        return;
    if (d->low > 0 && x->label.value > 0)
        x->advice = FW_ADVISE_CLEAN;
    else if (d->high < 0 && x->sample.value > 0)
        x->advice = FW_ADVISE_COLLECT;
    else if (x->label.low > 0 || x->sample.low > 0)
        x->advice = FW_ADVISE_EITHER;
    else
        x->advice = FW_ADVISE_NEITHER;
    if (x->advice != FW_ADVISE_NEITHER)
        x->share_to_clean = share;
}

/* One column of the resampled rows becomes an estimate. */
static void estimate(const struct row *rows, size_t n, size_t offset, double level, double *v,
                     struct fw_estimate *out)
{
    *out = (struct fw_estimate){NAN, NAN, NAN};
    memcpy(&out->value, (const char *)&rows[0] + offset, sizeof(double));
    if (isnan(out->value))
        return;
    for (size_t b = 1; b < n; b++)
        memcpy(&v[b - 1], (const char *)&rows[b] + offset, sizeof(double));
    interval(v, n - 1, level, out);
}

/* The exchange rate of the values; without a number when a sample may be worth nothing. */
static void finish(const struct work *w, struct row *rows, double level, double *v,
                   struct fw_exchange *x)
{
    size_t n = w->resamples + 1;
    double share = 0;
    struct fw_estimate d;
    for (size_t b = 1; b < n; b++)
        share += rows[b].difference > 0 ? 1 : rows[b].difference < 0 ? 0 : 0.5;
    share /= (double)w->resamples;
    estimate(rows, n, offsetof(struct row, slope), level, v, &x->slope);
    estimate(rows, n, offsetof(struct row, sample), level, v, &x->sample);
    estimate(rows, n, offsetof(struct row, cleaning), level, v, &x->cleaning);
    estimate(rows, n, offsetof(struct row, label), level, v, &x->label);
    estimate(rows, n, offsetof(struct row, corrected), level, v, &x->corrected);
    estimate(rows, n, offsetof(struct row, difference), level, v, &d);
    x->rate = (struct fw_estimate){NAN, NAN, NAN};
    if (x->sample.low > 0 && !x->nothing_to_clean)
        estimate(rows, n, offsetof(struct row, rate), level, v, &x->rate);
    decide(x, &d, share);
}

/* Standard error of a column of scores. */
static double spread(const struct work *w, size_t j)
{
    double mean = 0, square = 0, n = (double)w->resamples;
    for (size_t b = 1; b <= w->resamples; b++)
        mean += w->score[b * w->models + j] / n;
    for (size_t b = 1; b <= w->resamples; b++)
        square += pow(w->score[b * w->models + j] - mean, 2) / n;
    return sqrt(square);
}

static void extrapolate(const struct work *w, double level, const double *weight, double *scratch,
                        double *v, struct fw_exchange *x)
{
    const struct fw_exchange_input *in = w->in;
    struct power p, q;
    double full = in->points[in->n_points - 1].n, error = INFINITY;
    size_t good = 0;
    x->doubled = (struct fw_estimate){NAN, NAN, NAN};
    x->limit = x->scale = x->exponent = NAN;
    if (in->n_points < 3 || !fit_power(in, w->score, scratch, weight, &p))
        return;
    for (size_t j = 0; j < in->n_points; j++)
        error = fmin(error, spread(w, j));
    for (size_t b = 1; b <= w->resamples; b++)
        if (fit_power(in, w->score + b * w->models, scratch, weight, &q))
            v[good++] = w->sign * (q.limit - q.scale * pow(2 * full, -q.exponent));
    if (p.rms > error || (double)good < 0.9 * (double)w->resamples)
        return;
    x->has_power_law = true;
    x->limit = w->sign * p.limit;
    x->scale = w->sign * p.scale;
    x->exponent = p.exponent;
    x->doubled.value = w->sign * (p.limit - p.scale * pow(2 * full, -p.exponent));
    interval(v, good, level, &x->doubled);
}

static int conclude(const struct work *w, double level, struct fw_exchange *x,
                    struct fw_estimate *points, struct fw_err *err)
{
    const struct fw_exchange_input *in = w->in;
    size_t n = w->resamples + 1, p = in->n_points;
    struct row *rows = calloc(n, sizeof *rows);
    double *v = malloc(n * sizeof *v), *ln = malloc(3 * p * sizeof *ln);
    int rc = rows && v && ln ? FW_OK : fw_err_nomem(err);
    double *weight = ln ? ln + p : NULL, *scratch = ln ? ln + 2 * p : NULL;
    for (size_t j = 0; j < w->models && rc == FW_OK; j++)
        if (!isfinite(w->score[j]))
            rc = fw_err_set(err, FW_EINVAL, "the metric of the learning curve is not a number");
    if (rc == FW_OK) {
        for (size_t j = 0; j < p; j++) {
            ln[j] = log(in->points[j].n);
            weight[j] = in->points[j].n / in->points[p - 1].n;
        }
        for (size_t b = 0; b < n; b++)
            rows[b] = derive(in, x, w->score + b * w->models, ln, weight);
        finish(w, rows, level, v, x);
        for (size_t j = 0; j < w->models; j++) {
            struct fw_estimate *e = j < p ? &points[j] : &x->trusted_score;
            for (size_t b = 1; b < n; b++)
                v[b - 1] = w->sign * w->score[b * w->models + j];
            e->value = w->sign * w->score[j];
            interval(v, n - 1, level, e);
        }
        extrapolate(w, level, weight, scratch, v, x);
    }
    free(rows);
    free(v);
    free(ln);
    return rc;
}

int fw_exchange(const struct fw_exchange_input *in, struct fw_exchange *out,
                struct fw_estimate *out_points, struct fw_err *err)
{
    struct work w = {.in = in, .models = in->n_points + (in->trusted != NULL)};
    struct fw_exchange x = {.trusted_score = {NAN, NAN, NAN}, .share_to_clean = 0.5};
    size_t cells;
    int rc = check(in, err);
    if (rc != FW_OK)
        return rc;
    w.k = in->truth.klass ? in->truth.k : 0;
    w.sign = fw_metric_higher_is_better(&in->metric) ? 1 : -1;
    rc = stratify(&w, err);
    if (rc == FW_OK)
        rc = fill_cells(&w, err);
    w.resamples = in->resamples ? in->resamples : RESAMPLES;
    if (!in->resamples && w.n > MANY_SAMPLES)
        w.resamples = (size_t)fmax(LEAST_RESAMPLES, (double)RESAMPLES * MANY_SAMPLES / (double)w.n);
    if (rc == FW_OK &&
        (__builtin_mul_overflow(w.resamples + 1, w.models * sizeof *w.score, &cells) ||
         !(w.score = malloc(cells))))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_parallel(w.resamples + 1, GRAIN, score_work, &w, err);
    if (in->trusted) {
        double full = in->points[in->n_points - 1].n;
        x.suspects = full - in->trusted->n;
        x.wrong = isnan(in->wrong) ? x.suspects : fmax(0, fmin(in->wrong, x.suspects));
        x.nothing_to_clean =
            x.suspects < 1 || x.wrong < fmax(FW_EXCHANGE_FEW, FW_EXCHANGE_FEW_SHARE * full);
    }
    if (rc == FW_OK)
        rc = conclude(&w, in->level > 0 ? in->level : 0.95, &x, out_points, err);
    if (rc == FW_OK)
        *out = x;
    free(w.order);
    free(w.start);
    free(w.cell);
    free(w.score);
    return rc;
}
