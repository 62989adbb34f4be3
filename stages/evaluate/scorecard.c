#include "stages/evaluate/scorecard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/evaluate/compare.h"

static const enum fw_metric_id of_classes[] = {
    FW_ACCURACY, FW_BALANCED_ACCURACY,  FW_MACRO_PRECISION, FW_MACRO_RECALL,
    FW_MACRO_F1, FW_WEIGHTED_PRECISION, FW_WEIGHTED_F1,     FW_MCC};
static const enum fw_metric_id of_probs[] = {FW_TOP_K,
                                             FW_LOG_LOSS,
                                             FW_BRIER,
                                             FW_ECE,
                                             FW_MACRO_ROC_AUC,
                                             FW_WEIGHTED_ROC_AUC,
                                             FW_MACRO_AVERAGE_PRECISION,
                                             FW_WEIGHTED_AVERAGE_PRECISION};
static const enum fw_metric_id of_one[] = {FW_PRECISION, FW_RECALL, FW_F1, FW_ROC_AUC,
                                           FW_AVERAGE_PRECISION};
static const enum fw_metric_id of_values[] = {FW_MAE, FW_RMSE, FW_R2};

enum { TOP = 5, ONE = sizeof of_one / sizeof *of_one, ONE_WITHOUT_PROBS = 3 };

static size_t add(struct fw_score_line *lines, size_t at, const enum fw_metric_id *ids, size_t n,
                  int klass, size_t k)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] == FW_TOP_K && k <= TOP)
            continue;
        if (lines)
            lines[at] = (struct fw_score_line){
                {ids[i], klass, ids[i] == FW_TOP_K ? TOP : 0}, NAN, NAN, NAN, FW_NO_INTERVAL, 0};
        at++;
    }
    return at;
}

/* Fills the metrics of the lines (NULL: only counts them). */
static size_t list(const struct fw_scorecard_in *in, struct fw_score_line *lines)
{
    const struct fw_metric_data *d = &in->data;
    size_t n = 0;
    if (!d->truth)
        return add(lines, 0, of_values, sizeof of_values / sizeof *of_values, -1, 0);
    n = add(lines, n, of_classes, sizeof of_classes / sizeof *of_classes, -1, d->k);
    if (d->probs)
        n = add(lines, n, of_probs, sizeof of_probs / sizeof *of_probs, -1, d->k);
    for (size_t c = 0; c < d->k && in->per_class; c++)
        n = add(lines, n, of_one, d->probs ? ONE : ONE_WITHOUT_PROBS, (int)c, d->k);
    return n;
}

struct tally { /* Σ w and Σ w² */
    double w, w2;
};

struct counts { /* of one group */
    struct tally all, hit, top;
    struct tally *right, *truth, *pred; /* K each */
};

static void tick(struct tally *t, double w)
{
    t->w += w;
    t->w2 += w * w;
}

static bool is_used(const struct fw_metric_data *d, size_t i)
{
    return (d->truth ? d->truth[i] >= 0 : !isnan(d->value_true[i])) &&
           (!d->weight || d->weight[i] > 0);
}

/* After the metrics have been measured, so all indices are in range. */
static size_t count(const struct fw_metric_data *d, struct counts *c)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) {
        double w = d->weight ? d->weight[i] : 1;
        if (!is_used(d, i))
            continue;
        n++;
        tick(&c->all, w);
        if (!d->truth)
            continue;
        tick(&c->truth[d->truth[i]], w);
        tick(&c->pred[d->pred[i]], w);
        if (d->pred[i] == d->truth[i]) {
            tick(&c->hit, w);
            tick(&c->right[d->pred[i]], w);
        }
        if (d->probs && d->k > TOP && fw_top_k_hit(d->probs + i * d->k, d->k, d->truth[i], TOP))
            tick(&c->top, w);
    }
    return n;
}

/* Wilson's interval of a share hit/all; n is the effective sample size. */
static void wilson(struct fw_score_line *line, const struct tally *hit, const struct tally *all,
                   double level)
{
    double n = all->w2 > 0 ? all->w * all->w / all->w2 : 0;
    double share = all->w > 0 ? hit->w / all->w : 0;
    fw_wilson(share >= 1 ? n : share * n, n, level, &line->low, &line->high);
    line->by = FW_BY_WILSON;
}

/* Does the line have an exact interval? Then fills it. */
static bool exact(struct fw_score_line *line, const struct counts *c, double level)
{
    int k = line->metric.klass;
    switch (line->metric.id) {
    case FW_ACCURACY:
        wilson(line, &c->hit, &c->all, level);
        return true;
    case FW_TOP_K:
        wilson(line, &c->top, &c->all, level);
        return true;
    case FW_PRECISION:
        wilson(line, &c->right[k], &c->pred[k], level);
        return true;
    case FW_RECALL:
        wilson(line, &c->right[k], &c->truth[k], level);
        return true;
    case FW_F1: {
        struct tally any = {c->truth[k].w + c->pred[k].w - c->right[k].w,
                            c->truth[k].w2 + c->pred[k].w2 - c->right[k].w2};
        wilson(line, &c->right[k], &any, level);
        line->low = 2 * line->low / (1 + line->low);
        line->high = 2 * line->high / (1 + line->high);
        return true;
    }
    default:
        return false;
    }
}

static int bootstrap(const struct fw_scorecard_in *in, const struct fw_metric_data *d,
                     struct fw_score_line *line, struct fw_err *err)
{
    const int *const pred[] = {d->pred};
    const float *const probs[] = {d->probs};
    const double *const value[] = {d->value_pred};
    struct fw_truth truth = {d->n, d->k, d->truth, d->value_true, d->weight};
    struct fw_scored model = {1, d->pred ? pred : NULL, d->probs ? probs : NULL,
                              d->value_pred ? value : NULL};
    double again;
    line->by = FW_BY_BOOTSTRAP;
    return fw_score_interval(&line->metric, &truth, &model, in->resamples, in->level, in->seed,
                             &again, &line->low, &line->high, err);
}

static int measure_group(const struct fw_scorecard_in *in, const struct fw_metric_data *d,
                         struct fw_score_group *group, size_t n_lines, struct fw_err *err)
{
    size_t k = d->truth ? d->k : 0;
    struct tally *room = calloc(3 * k + 1, sizeof *room);
    struct counts c = {.right = room, .truth = room + k, .pred = room + 2 * k};
    int rc = room ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < n_lines && rc == FW_OK; i++)
        rc = fw_metric_measure(&group->lines[i].metric, d, &group->lines[i].value, err);
    if (rc == FW_OK)
        group->n = count(d, &c);
    for (size_t i = 0; i < n_lines && rc == FW_OK && group->n; i++) {
        struct fw_score_line *line = &group->lines[i];
        bool of_one_class = line->metric.klass >= 0;
        line->support = of_one_class ? c.truth[line->metric.klass].w : c.all.w;
        if (!exact(line, &c, in->level) && !of_one_class && in->resamples && !isnan(line->value))
            rc = bootstrap(in, d, line, err);
    }
    free(room);
    return rc;
}

struct gathered {
    int *truth, *pred;
    float *probs;
    double *value_true, *value_pred, *weight;
};

static void *array(size_t n, size_t size, bool wanted, bool *failed)
{
    void *v = wanted ? calloc(n + 1, size) : NULL;
    *failed |= wanted && !v;
    return v;
}

/* The samples of a slice, one after another. */
static int gather(const struct fw_metric_data *d, const struct fw_subset *s, struct gathered *g,
                  struct fw_metric_data *out, struct fw_err *err)
{
    size_t n = s->n_index, at = 0;
    bool failed = false;
    for (size_t i = 0; s->in && i < d->n; i++)
        at += s->in[i];
    n = s->in ? at : n;
    g->truth = array(n, sizeof *g->truth, d->truth, &failed);
    g->pred = array(n, sizeof *g->pred, d->pred, &failed);
    g->probs = array(n, d->k * sizeof *g->probs, d->probs && d->k, &failed);
    g->value_true = array(n, sizeof *g->value_true, d->value_true, &failed);
    g->value_pred = array(n, sizeof *g->value_pred, d->value_pred, &failed);
    g->weight = array(n, sizeof *g->weight, d->weight, &failed);
    if (failed)
        return fw_err_nomem(err);
    at = 0;
    for (size_t u = 0; u < (s->in ? d->n : n); u++) {
        size_t i = s->in ? u : s->index[u];
        if (s->in && !s->in[i])
            continue;
        if (i >= d->n)
            return fw_err_set(err, FW_EINVAL, "slice '%.200s' has sample %zu of %zu",
                              s->name ? s->name : "", i + 1, d->n);
        if (g->truth)
            g->truth[at] = d->truth[i];
        if (g->pred)
            g->pred[at] = d->pred[i];
        if (g->probs)
            memcpy(g->probs + at * d->k, d->probs + i * d->k, d->k * sizeof *g->probs);
        if (g->value_true)
            g->value_true[at] = d->value_true[i];
        if (g->value_pred)
            g->value_pred[at] = d->value_pred[i];
        if (g->weight)
            g->weight[at] = d->weight[i];
        at++;
    }
    *out = (struct fw_metric_data){n,        d->k,          g->truth,      g->pred,
                                   g->probs, g->value_true, g->value_pred, g->weight};
    return FW_OK;
}

static int measure_slice(const struct fw_scorecard_in *in, const struct fw_subset *slice,
                         struct fw_score_group *group, size_t n_lines, struct fw_err *err)
{
    struct gathered g = {0};
    struct fw_metric_data d;
    int rc = gather(&in->data, slice, &g, &d, err);
    if (rc == FW_OK)
        rc = measure_group(in, &d, group, n_lines, err);
    free(g.truth);
    free(g.pred);
    free(g.probs);
    free(g.value_true);
    free(g.value_pred);
    free(g.weight);
    return rc;
}

int fw_scorecard(const struct fw_scorecard_in *in, struct fw_scorecard *out, struct fw_err *err)
{
    if (!(in->level > 0 && in->level < 1))
        return fw_err_set(err, FW_EINVAL, "the level of an interval is between 0 and 1, not %g",
                          in->level);
    if (in->data.truth ? !in->data.k || !in->data.pred : !in->data.value_true)
        return fw_err_set(err, FW_EINVAL, "a scorecard needs true and predicted %s",
                          in->data.truth ? "classes" : "values");
    struct fw_scorecard card = {in->n_slices + 1, list(in, NULL), NULL};
    card.groups = calloc(card.n_groups, sizeof *card.groups);
    int rc = card.groups ? FW_OK : fw_err_nomem(err);
    for (size_t g = 0; g < card.n_groups && rc == FW_OK; g++) {
        struct fw_score_group *group = &card.groups[g];
        group->lines = calloc(card.n_lines, sizeof *group->lines);
        if (!group->lines) {
            rc = fw_err_nomem(err);
            break;
        }
        list(in, group->lines);
        if (g)
            group->name = in->slices[g - 1].name;
        rc = g ? measure_slice(in, &in->slices[g - 1], group, card.n_lines, err)
               : measure_group(in, &in->data, group, card.n_lines, err);
    }
    if (rc == FW_OK)
        *out = card;
    else
        fw_scorecard_release(&card);
    return rc;
}

void fw_scorecard_release(struct fw_scorecard *card)
{
    for (size_t g = 0; card->groups && g < card->n_groups; g++)
        free(card->groups[g].lines);
    free(card->groups);
    *card = (struct fw_scorecard){0};
}
