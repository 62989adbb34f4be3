/* The exchange rate as a part of analysis.json, with one plain sentence. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/buf.h"
#include "stages/error_analysis/analysis.h"
#include "stages/error_analysis/curve.h"
#include "stages/error_analysis/exchange.h"

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *estimate(const struct fw_estimate *e)
{
    if (!isfinite(e->value))
        return json_null();
    return json_pack("{s:f, s:o, s:o}", "value", e->value, "low", number(e->low), "high",
                     number(e->high));
}

/* The dev rows that every point predicts. */
struct aligned {
    struct fw_exchange_point *points; /* the curve's, in its order */
    size_t n, k, m;                   /* rows, classes, points */
    int *klass, *pred;                /* n; m × n */
    double *truth, *value;            /* n; m × n */
    float *probs;                     /* m × n × k */
};

static void release(struct aligned *a)
{
    free(a->points);
    free(a->klass);
    free(a->pred);
    free(a->truth);
    free(a->value);
    free(a->probs);
}

static bool has_all(const struct fw_curve *c, const char *id)
{
    for (size_t j = 0; j < c->n; j++)
        if (fw_predictions_find(c->points[j].dev, id) < 0)
            return false;
    return true;
}

static void copy_row(const struct fw_curve *c, struct aligned *a, const struct fw_sample *s,
                     size_t cap)
{
    a->klass[a->n] = s->klass;
    a->truth[a->n] = s->value;
    for (size_t j = 0; j < c->n; j++) {
        const struct fw_predictions *p = c->points[j].dev;
        size_t at = (size_t)fw_predictions_find(p, s->id);
        if (p->pred)
            a->pred[j * cap + a->n] = p->pred[at];
        if (p->value)
            a->value[j * cap + a->n] = p->value[at];
        if (p->probs)
            memcpy(a->probs + (j * cap + a->n) * a->k, p->probs + at * a->k,
                   a->k * sizeof *a->probs);
    }
    a->n++;
}

static int align(const struct fw_analysis_input *in, struct aligned *a, struct fw_err *err)
{
    const struct fw_curve *c = in->curve;
    size_t cap = in->data->n, each, cells;
    a->k = in->task->n_classes;
    a->m = c->n;
    if (__builtin_mul_overflow(cap + 1, c->n * sizeof(double), &each) ||
        __builtin_mul_overflow(each, a->k + 1, &cells))
        return fw_err_nomem(err);
    bool classes = in->task->task == FW_CLASSIFICATION;
    a->points = calloc(c->n, sizeof *a->points);
    a->klass = malloc((cap + 1) * sizeof *a->klass);
    a->truth = malloc((cap + 1) * sizeof *a->truth);
    a->pred = malloc(each);
    a->value = malloc(each);
    bool probs = classes && !fw_metric_from_confusion(&in->metric);
    a->probs = malloc(classes ? (cap + 1) * c->n * a->k * sizeof *a->probs : 1);
    if (!a->points || !a->klass || !a->truth || !a->pred || !a->value || !a->probs)
        return fw_err_nomem(err);
    for (size_t i = 0; i < in->data->n; i++) {
        const struct fw_sample *s = &in->data->samples[i];
        bool judged = classes ? s->klass >= 0 : !isnan(s->value);
        if (!strcmp(s->split, "dev") && judged && has_all(c, s->id))
            copy_row(c, a, s, cap);
    }
    for (size_t j = 0; j < c->n; j++)
        a->points[j] = (struct fw_exchange_point){
            .n = (double)c->points[j].n,
            .pred = classes ? a->pred + j * cap : NULL,
            .probs = probs ? a->probs + j * cap * a->k : NULL,
            .value = classes ? NULL : a->value + j * cap,
        };
    return FW_OK;
}

/* "100 new samples would bring about +0.8 [0.2, 1.5] points of accuracy", or in the metric's own
 * unit; along the line in ln n, since 100 may be many. */
static void say_samples(struct fw_buf *b, const struct fw_curve *c, const struct fw_exchange *x,
                        bool percent, const char *metric)
{
    double f = percent ? 100 : 1;
    for (size_t j = 0; j < c->n; j++)
        if (c->points[j].kind == FW_CURVE_FULL)
            f *= log1p(100 / (double)c->points[j].n);
    fw_buf_printf(b, "100 new samples would bring about %+.2g [%.2g, %.2g] %s%s",
                  f * x->slope.value, f * x->slope.low, f * x->slope.high,
                  percent ? "points of " : "of ", metric);
}

static void say_rate(struct fw_buf *b, const struct fw_analysis_input *in,
                     const struct fw_exchange *x)
{
    bool same = in->cost_label == in->cost_sample;
    if (isfinite(x->rate.value) && x->rate.value <= 0)
        fw_buf_puts(b, "Checking suspect labels shows no gain, new samples do");
    else if (isfinite(x->rate.value) && same)
        fw_buf_printf(b, "Checking one suspect label is worth %.2g [%.2g, %.2g] new samples",
                      x->rate.value, x->rate.low, x->rate.high);
    else if (isfinite(x->rate.value))
        fw_buf_printf(b,
                      "Spent on checking suspect labels, the budget brings %.2g [%.2g, %.2g] times "
                      "what it brings spent on new samples",
                      x->rate.value, x->rate.low, x->rate.high);
    else if (x->label.low > 0)
        fw_buf_puts(b, "Checking suspect labels helps, new samples do not measurably");
    else
        fw_buf_puts(b, "What new samples are worth cannot be told from 0");
}

static char *sentence(const struct fw_analysis_input *in, const struct fw_exchange *x, bool percent,
                      const char *metric)
{
    struct fw_buf b = {0};
    if (x->advice == FW_ADVISE_NONE) {
        say_samples(&b, in->curve, x, percent, metric);
        fw_buf_puts(&b, ".");
    } else if (x->nothing_to_clean) {
        fw_buf_puts(&b, "Nothing to clean: hardly any label looks wrong. ");
        say_samples(&b, in->curve, x, percent, metric);
        fw_buf_puts(&b, x->advice == FW_ADVISE_COLLECT ? ": collect." : ".");
    } else if (x->advice == FW_ADVISE_NEITHER) {
        fw_buf_puts(&b, "Neither cleaning suspect labels nor more samples of the same kind show a "
                        "gain beyond the noise.");
    } else {
        say_rate(&b, in, x);
        fw_buf_puts(&b, x->advice == FW_ADVISE_CLEAN     ? ": clean first."
                        : x->advice == FW_ADVISE_COLLECT ? ": collect first."
                                                         : ": either may be the better, the "
                                                           "difference is within the noise.");
    }
    return fw_buf_steal(&b);
}

static json_t *points_json(const struct fw_curve *c, const struct fw_exchange *x,
                           const struct fw_estimate *points)
{
    static const char *const kinds[] = {"subset", "full", "trusted"};
    json_t *list = json_array();
    for (size_t j = 0, at = 0; list && j < c->n; j++) {
        bool trusted = c->points[j].kind == FW_CURVE_TRUSTED;
        const struct fw_estimate *e = trusted ? &x->trusted_score : &points[at++];
        json_array_append_new(list, json_pack("{s:s, s:I, s:o, s:o, s:o}", "kind",
                                              kinds[c->points[j].kind], "n",
                                              (json_int_t)c->points[j].n, "value", number(e->value),
                                              "low", number(e->low), "high", number(e->high)));
    }
    return list;
}

static json_t *exchange(const struct fw_analysis_input *in, const struct fw_exchange *x,
                        const struct fw_estimate *points, const char *said, const char *metric)
{
    json_t *law = x->has_power_law
                      ? json_pack("{s:f, s:f, s:f, s:o}", "limit", x->limit, "scale", x->scale,
                                  "exponent", x->exponent, "doubled", estimate(&x->doubled))
                      : json_null();
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:b, s:{s:f, s:f}, s:o, "
        "s:s?, s:f, s:s}",
        "metric", metric, "points", points_json(in->curve, x, points), "slope", estimate(&x->slope),
        "sample", estimate(&x->sample), "label", estimate(&x->label), "corrected",
        estimate(&x->corrected), "cleaning", estimate(&x->cleaning), "power_law", law, "suspects",
        x->suspects, "wrong", x->wrong, "nothing_to_clean", x->nothing_to_clean, "costs", "label",
        in->cost_label, "sample", in->cost_sample, "rate", estimate(&x->rate), "advice",
        fw_advice_name(x->advice), "share_to_clean", x->share_to_clean, "sentence", said);
}

/* Points of one size are one: a subset of a tiny split may be all of it. */
static size_t ascending(const struct aligned *a, const struct fw_curve *c,
                        const struct fw_exchange_point **trusted)
{
    size_t n = 0;
    *trusted = NULL;
    for (size_t j = 0; j < c->n; j++) {
        if (c->points[j].kind == FW_CURVE_TRUSTED)
            *trusted = &a->points[j];
        else
            n++;
    }
    for (size_t j = 0; j < n; j++)
        if (!(a->points[j].n > (j ? a->points[j - 1].n : 0)))
            return 0;
    return n;
}

static bool is_percent(const struct fw_metric *m)
{
    return m->id != FW_LOG_LOSS && m->id != FW_BRIER && m->id != FW_MAE && m->id != FW_RMSE;
}

static int put(const struct fw_analysis_input *in, struct aligned *a, json_t *root, json_t *notes,
               struct fw_err *err)
{
    struct fw_estimate *points = calloc(a->m + 1, sizeof *points);
    struct fw_exchange x;
    char name[256], *said = NULL;
    const json_t *wrong = json_object_get(json_object_get(root, "noise"), "estimated_errors");
    struct fw_exchange_input e = {
        .metric = in->metric,
        .truth = {a->n, a->k, in->task->task == FW_CLASSIFICATION ? a->klass : NULL, a->truth},
        .points = a->points,
        .wrong = json_is_number(wrong) ? json_number_value(wrong) : NAN,
        .cost_label = in->cost_label,
        .cost_sample = in->cost_sample,
    };
    e.n_points = ascending(a, in->curve, &e.trusted);
    int rc = points ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && (e.n_points < 2 || !a->n)) {
        if (json_object_set_new(root, "exchange", json_null()) != 0 ||
            json_array_append_new(notes, json_string("There are too few samples for a learning "
                                                     "curve.")) != 0)
            rc = fw_err_nomem(err);
        free(points);
        return rc;
    }
    if (rc == FW_OK)
        rc = fw_exchange(&e, &x, points, err);
    fw_metric_name(&in->metric, in->task, name, sizeof name);
    if (rc == FW_OK && !(said = sentence(in, &x, is_percent(&in->metric), name)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK &&
        json_object_set_new(root, "exchange", exchange(in, &x, points, said, name)) != 0)
        rc = fw_err_nomem(err);
    free(said);
    free(points);
    return rc;
}

/* Metrics of the confusion matrix, means over samples, and those of numbers; and the probabilities that a
 * mean needs are there. */
static bool measurable(const struct fw_analysis_input *in)
{
    const struct fw_metric *m = &in->metric;
    if (in->task->task == FW_REGRESSION || fw_metric_from_confusion(m))
        return true;
    if (m->id != FW_LOG_LOSS && m->id != FW_BRIER)
        return false;
    for (size_t j = 0; j < in->curve->n; j++)
        if (!in->curve->points[j].dev->has_probs)
            return false;
    return true;
}

int fw_exchange_json(const struct fw_analysis_input *in, json_t *root, json_t *notes,
                     struct fw_err *err)
{
    struct aligned a = {0};
    if (!in->curve)
        return json_object_set_new(root, "exchange", json_null()) != 0 ? fw_err_nomem(err) : FW_OK;
    struct fw_analysis_input other = *in;
    int rc = FW_OK;
    if (!measurable(in)) {
        other.metric = (struct fw_metric){FW_BALANCED_ACCURACY, -1, 0};
        if (json_array_append_new(notes,
                                  json_string("Clean or collect is told in balanced accuracy: "
                                              "the run's metric is not measured on resamples "
                                              "of the learning curve.")) != 0)
            rc = fw_err_nomem(err);
    }
    if (rc == FW_OK)
        rc = align(&other, &a, err);
    if (rc == FW_OK)
        rc = put(&other, &a, root, notes, err);
    release(&a);
    return rc;
}
