/* What is watched beside the metric: guard rails, and the requirements of the audit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/loop/score_parts.h"

enum { RESAMPLES = 10000 };

static int class_of(const struct fw_task_info *task, const char *name)
{
    for (size_t i = 0; i < task->n_classes; i++)
        if (!strcmp(task->classes[i], name))
            return (int)i;
    return -1;
}

static int parse_condition(const struct fw_evalset *set, const char *what, const char *text,
                           const struct fw_pos *pos, struct fw_slice **out, struct fw_err *err)
{
    int rc = fw_slice_parse(text, out, err);
    if (rc == FW_OK && fw_slice_field(*out))
        rc = fw_err_set(err, FW_EINVAL,
                        "%s '%s' is a field with many values; name one: \"%s == 'value'\"", what,
                        text, text);
    if (rc != FW_OK)
        fw_err_at(err, set->plan->path, pos->line, pos->col);
    return rc;
}

/* A guard names a class (its F1), a metric, or a slice (the run's metric on it). */
static int make_guard(struct fw_evalset *set, const struct fw_name_value *g,
                      const struct fw_metric *metric, struct fw_watch *out, struct fw_err *err)
{
    char name[256];
    out->name = g->name;
    out->allowance = g->value;
    int klass = class_of(&set->task, g->name);
    if (klass >= 0) {
        out->metric = (struct fw_metric){.id = FW_F1, .klass = klass};
        out->text = fw_arena_printf(&set->arena, "f1:%s", g->name);
        return out->text ? FW_OK : fw_err_nomem(err);
    }
    if (fw_metric_parse(g->name, &set->task, &out->metric, NULL) == FW_OK) {
        out->text = g->name;
        return FW_OK;
    }
    out->metric = *metric;
    out->text = fw_arena_printf(&set->arena, "%s where %s",
                                fw_metric_name(metric, &set->task, name, sizeof name), g->name);
    if (!out->text)
        return fw_err_nomem(err);
    return parse_condition(set, "guard", g->name, &g->pos, &out->on.slice, err);
}

/* "recall:spam where region == 'south' at least 0.9, within 0.03 of all" */
static const char *requirement_text(struct fw_evalset *set, const struct fw_requirement *r,
                                    const struct fw_metric *m)
{
    struct fw_buf b = {0};
    char name[256];
    fw_buf_puts(&b, fw_metric_name(m, &set->task, name, sizeof name));
    if (r->slice)
        fw_buf_printf(&b, " where %s", r->slice);
    if (!isnan(r->at_least))
        fw_buf_printf(&b, " at least %g", r->at_least);
    if (!isnan(r->at_most))
        fw_buf_printf(&b, "%s at most %g", isnan(r->at_least) ? "" : ",", r->at_most);
    if (!isnan(r->within))
        fw_buf_printf(&b, "%s within %g of %s", isnan(r->at_least) && isnan(r->at_most) ? "" : ",",
                      r->within, r->compare_to ? r->compare_to : "all");
    const char *text = b.failed ? NULL : fw_arena_strdup(&set->arena, b.p);
    fw_buf_release(&b);
    return text;
}

static int make_requirement(struct fw_evalset *set, const struct fw_requirement *r,
                            const struct fw_metric *metric, struct fw_watch *out,
                            struct fw_err *err)
{
    int rc = FW_OK;
    out->required = r;
    out->metric = *metric;
    if (r->metric &&
        (rc = fw_requirement_metric(r->metric, &set->task, &out->metric, err)) != FW_OK)
        return fw_err_at(err, set->plan->path, r->pos.line, r->pos.col);
    out->name = out->text = requirement_text(set, r, &out->metric);
    if (!out->text)
        return fw_err_nomem(err);
    if (r->slice)
        rc = parse_condition(set, "audit: slice", r->slice, &r->pos, &out->on.slice, err);
    if (rc == FW_OK && r->compare_to)
        rc = parse_condition(set, "audit: compare_to", r->compare_to, &r->pos, &out->other.slice,
                             err);
    return rc;
}

int fw_watches_make(struct fw_evalset *set, const struct fw_metric *metric, struct fw_err *err)
{
    const struct fw_plan *plan = set->plan;
    size_t guards = plan->loop.n_guards, n = guards + plan->n_audit;
    int rc = FW_OK;
    if (!(set->watches = calloc(n + 1, sizeof *set->watches)))
        return fw_err_nomem(err);
    for (size_t i = 0; i < n && rc == FW_OK; i++) {
        set->n_watches = i + 1;
        rc = i < guards
                 ? make_guard(set, &plan->loop.guards[i], metric, &set->watches[i], err)
                 : make_requirement(set, &plan->audit[i - guards], metric, &set->watches[i], err);
    }
    return rc;
}

static int grow(struct fw_watched *w, size_t cap, struct fw_err *err)
{
    bool *in = w->slice ? realloc(w->in, cap * sizeof *in) : NULL;
    if (in)
        w->in = in;
    return w->slice && !in ? fw_err_nomem(err) : FW_OK;
}

int fw_watches_grow(struct fw_evalset *set, size_t cap, struct fw_err *err)
{
    int rc = FW_OK;
    for (size_t i = 0; i < set->n_watches && rc == FW_OK; i++) {
        rc = grow(&set->watches[i].on, cap, err);
        if (rc == FW_OK)
            rc = grow(&set->watches[i].other, cap, err);
    }
    return rc;
}

static void note_row(struct fw_watched *w, size_t at, const struct fw_row *row)
{
    bool in = !w->slice || fw_slice_match(w->slice, row);
    if (w->slice)
        w->in[at] = in;
    w->n += in;
}

void fw_watches_row(struct fw_evalset *set, const struct fw_row *row)
{
    for (size_t i = 0; i < set->n_watches; i++) {
        note_row(&set->watches[i].on, set->n, row);
        note_row(&set->watches[i].other, set->n, row);
    }
}

static void release(struct fw_watched *w)
{
    fw_slice_free(w->slice);
    free(w->in);
}

void fw_watches_release(struct fw_evalset *set)
{
    for (size_t i = 0; i < set->n_watches; i++) {
        release(&set->watches[i].on);
        release(&set->watches[i].other);
    }
    free(set->watches);
}

/* The truth with the samples outside the slice left out, as unlabelled ones are. klass and value have
 * room for the set. */
static struct fw_truth truth_on(const struct fw_evalset *set, const struct fw_watched *w,
                                int *klass, double *value)
{
    struct fw_truth t = fw_evalset_truth(set);
    if (!w->in)
        return t;
    for (size_t i = 0; i < set->n; i++) {
        klass[i] = w->in[i] ? set->klass[i] : -1;
        value[i] = w->in[i] ? set->value[i] : NAN;
    }
    t.klass = t.klass ? klass : NULL;
    t.value = t.value ? value : NULL;
    return t;
}

/* How many samples the metric is judged on: of its class when it has one. */
static size_t judged(const struct fw_truth *t, const struct fw_metric *m)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        n += t->klass ? t->klass[i] >= 0 && (m->klass < 0 || t->klass[i] == m->klass)
                      : !isnan(t->value[i]);
    return n;
}

/* The mean over the seeds; NaN without a sample to judge by. */
static double value_on(const struct fw_metric *m, const struct fw_truth *t,
                       const struct fw_scores *s)
{
    double sum = 0;
    if (!judged(t, m))
        return NAN;
    for (size_t i = 0; i < s->view.seeds; i++)
        sum +=
            fw_metric_value(m, t->n, t->k, t->klass, s->pred ? s->pred[i] : NULL,
                            s->probs ? s->probs[i] : NULL, t->value, s->value ? s->value[i] : NULL);
    return sum / (double)s->view.seeds;
}

/* One watch on one snapshot's predictions. */
struct seen {
    size_t n;
    double value, low, high; /* of the slice; the interval only when it was asked for */
    double other;            /* of what it is compared with; NaN when with nothing */
};

static int look(const struct fw_evalset *set, const struct fw_watch *w, const struct fw_scores *s,
                double level, uint64_t seed, struct seen *out, struct fw_err *err)
{
    int *klass = malloc((set->n + 1) * sizeof *klass), rc = FW_OK;
    double *value = malloc((set->n + 1) * sizeof *value);
    *out = (struct seen){.value = NAN, .low = NAN, .high = NAN, .other = NAN};
    if (!klass || !value) {
        rc = fw_err_nomem(err);
        goto out;
    }
    struct fw_truth t = truth_on(set, &w->on, klass, value);
    out->n = judged(&t, &w->metric);
    out->value = value_on(&w->metric, &t, s);
    if (level > 0 && out->n)
        rc = fw_score_interval(&w->metric, &t, &s->view, RESAMPLES, level, seed, &out->value,
                               &out->low, &out->high, err);
    if (rc == FW_OK && w->required && !isnan(w->required->within)) {
        t = truth_on(set, &w->other, klass, value);
        out->other = value_on(&w->metric, &t, s);
    }
out:
    free(klass);
    free(value);
    return rc;
}

/* By how much a value misses what is required; 0 = not at all, NaN = cannot be said. */
static double shortfall(const struct fw_watch *w, double value, double other)
{
    const struct fw_requirement *r = w->required;
    double by = 0;
    if (isnan(value) || (!isnan(r->within) && isnan(other)))
        return NAN;
    if (!isnan(r->at_least))
        by = fmax(by, r->at_least - value);
    if (!isnan(r->at_most))
        by = fmax(by, value - r->at_most);
    if (!isnan(r->within))
        by = fmax(by, (fw_metric_higher_is_better(&w->metric) ? other - value : value - other) -
                          r->within);
    return by < 1e-12 ? 0 : by; /* far below any step a metric on real counts can make */
}

static int guard_value(const struct fw_evalset *set, const struct fw_watch *w,
                       const struct fw_scores *s, double *out, struct fw_err *err)
{
    struct seen seen;
    int rc = look(set, w, s, 0, 0, &seen, err);
    if (rc != FW_OK)
        return rc;
    if (!w->on.n)
        return fw_err_set(err, FW_EINVAL,
                          "guard '%s': no sample of the evaluation set is in this slice", w->name);
    if (seen.n && isnan(seen.value))
        return fw_err_set(err, FW_EINVAL, "guard '%s' is not defined on the evaluation set",
                          w->name);
    if (w->required) {
        double by = shortfall(w, seen.value, seen.other);
        *out = isnan(by) ? 0 : -by;
        return FW_OK;
    }
    *out = isnan(seen.value)                        ? 0
           : fw_metric_higher_is_better(&w->metric) ? seen.value
                                                    : -seen.value;
    return FW_OK;
}

static bool is_guard(const struct fw_watch *w)
{
    return !w->required || w->required->on_broken == FW_BROKEN_GUARD;
}

size_t fw_evalset_guards(const struct fw_evalset *set)
{
    size_t n = 0;
    for (size_t i = 0; i < set->n_watches; i++)
        n += is_guard(&set->watches[i]);
    return n;
}

int fw_scores_guards(const struct fw_evalset *set, const struct fw_scores *before,
                     const struct fw_scores *after, struct fw_guard *out, struct fw_err *err)
{
    for (size_t i = 0; i < set->n_watches; i++) {
        const struct fw_watch *w = &set->watches[i];
        if (!is_guard(w))
            continue;
        *out = (struct fw_guard){.name = w->name,
                                 .metric = w->text,
                                 .allowance = w->allowance,
                                 .required = w->required != NULL};
        int rc = guard_value(set, w, before, &out->before, err);
        if (rc == FW_OK)
            rc = guard_value(set, w, after, &out->after, err);
        if (rc != FW_OK)
            return rc;
        out++;
    }
    return FW_OK;
}

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *audit_record(const struct fw_watch *w, const struct seen *seen)
{
    const struct fw_requirement *r = w->required;
    double by = shortfall(w, seen->value, seen->other);
    double unlucky =
        fmax(shortfall(w, seen->low, seen->other), shortfall(w, seen->high, seen->other));
    const char *state = isnan(by) ? "unknown" : by > 0 ? "broken" : unlucky > 0 ? "unsure" : "met";
    return json_pack("{s:s, s:s?, s:I, s:o, s:o, s:o, s:o, s:o, s:s, s:s}", "requirement", w->name,
                     "slice", r->slice, "n", (json_int_t)seen->n, "value", number(seen->value),
                     "low", number(seen->low), "high", number(seen->high), "other",
                     number(seen->other), "short_by", number(by), "on_broken",
                     r->on_broken == FW_BROKEN_GUARD ? "guard" : "warn", "state", state);
}

int fw_watches_audit(const struct fw_evalset *set, const struct fw_scores *s, double level,
                     uint64_t seed, json_t **out, struct fw_err *err)
{
    json_t *list = json_array();
    int rc = list ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < set->n_watches && rc == FW_OK; i++) {
        const struct fw_watch *w = &set->watches[i];
        struct seen seen;
        if (!w->required)
            continue;
        rc = look(set, w, s, level, seed, &seen, err);
        if (rc == FW_OK && json_array_append_new(list, audit_record(w, &seen)) != 0)
            rc = fw_err_nomem(err);
    }
    if (rc == FW_OK)
        *out = list;
    else
        json_decref(list);
    return rc;
}
