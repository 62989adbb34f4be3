#include "stages/error_analysis/entries.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/error_analysis/worse.h"
#include "stages/evaluate/compare.h"
#include "stages/evaluate/multiple.h"

enum { ORDERED = 10 };

struct entry { /* one slice, ready to be sorted and written */
    const struct fw_slice_count *c;
    const struct fw_slice_base *base;
    double metric, low, high, human, gap, importance, ease, worth, priority;
    double fraction; /* of its loss that would go */
    double worth_metric, p, p_adjusted, next;
    size_t order; /* 1..; 0: none */
};

/* The number that a table of names gives to a slice: by class name, by its text, else the default.
 */
static double named(const json_t *table, const struct fw_slice_count *c, double otherwise)
{
    const json_t *v = c->klass ? json_object_get(table, c->klass) : NULL;
    if (!v)
        v = json_object_get(table, c->text);
    if (!v)
        v = json_object_get(table, "default");
    return json_is_number(v) ? json_number_value(v) : otherwise;
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static json_t *number_or_null(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

double fw_slice_missing(const struct fw_analysis_input *in, const struct fw_slicing *s,
                        const struct fw_slice_count *c)
{
    double t = (double)c->train_n, all = (double)s->train_n, low, high, need = 0;
    const struct fw_slice_base *base = c->held_out ? &s->half : &s->all;
    double dev = share((double)c->n, (double)base->n);
    if (c->found && !c->found->condition)
        return 0; /* its train samples are not known */
    fw_wilson((double)c->n, (double)base->n, 0.95, &low, &high);
    if (share(t, all) < low && dev < 1)
        need = ceil((dev * all - t) / (1 - dev));
    double equal = in->task->n_classes ? all / (double)in->task->n_classes : 0;
    if (c->klass && t < equal / 4)
        need = fmax(need, ceil(equal / 2 - t));
    return fmax(need, 0);
}

static void judge(const struct fw_analysis_input *in, bool regression, struct fw_worth_base *worth,
                  struct entry *e)
{
    const struct fw_slice_count *c = e->c;
    const struct fw_slice_base *b = e->base;
    double n = (double)c->n;
    e->human = named(in->human_level, c, regression ? 0 : 1);
    e->importance = named(in->importance, c, 1);
    e->ease = named(in->ease, c, 1);
    e->metric = e->low = e->high = e->gap = e->p = e->p_adjusted = e->next = NAN;
    e->p = regression ? fw_worse_losses(c->n, c->sum, c->square, b->n, b->sum, b->square)
                      : fw_worse_errors(c->errors, c->n, b->errors, b->n);
    if (c->found)
        e->p = c->found->p;
    if (!c->n)
        return;
    double loss = c->sum / n;
    e->metric = regression ? loss : 1 - loss;
    if (regression) {
        double spread = fmax(0, c->square / n - loss * loss);
        double half = fw_normal_quantile(0.975) * sqrt(spread / n);
        e->low = fmax(0, e->metric - half);
        e->high = e->metric + half;
        e->gap = fmax(0, e->metric - e->human);
    } else {
        fw_wilson(n - c->sum, n, 0.95, &e->low, &e->high);
        e->gap = fmax(0, e->human - e->metric);
    }
    e->fraction = loss > 0 ? fmin(1, e->gap / loss) : 0;
    e->worth = fw_worth(e->gap, share(n, (double)b->n));
    e->priority = fw_priority(e->gap, share(n, (double)b->n), e->importance, e->ease);
    e->worth_metric = fw_worth_metric(worth, c->row, c->n_rows, e->fraction);
}

static int by_priority(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->c->n != y->c->n)
        return x->c->n > y->c->n ? -1 : 1;
    return strcmp(x->c->text, y->c->text);
}

/* Found slices were adjusted among themselves, with those that did not hold. */
static int adjust(struct entry *e, size_t n, struct fw_err *err)
{
    double *p = malloc((n + 1) * sizeof *p);
    if (!p)
        return fw_err_nomem(err);
    for (size_t i = 0; i < n; i++)
        p[i] = e[i].c->found ? NAN : e[i].p;
    int rc = fw_benjamini_hochberg(p, n, p, err);
    for (size_t i = 0; i < n; i++)
        e[i].p_adjusted = e[i].c->found ? e[i].c->found->p_adjusted : p[i];
    free(p);
    return rc;
}

static int put_in_order(const struct fw_analysis_input *in, const struct fw_judged *j,
                        struct entry *e, size_t n, struct fw_err *err)
{
    struct fw_priority_slice *v = calloc(n + 1, sizeof *v);
    size_t order[ORDERED], found = 0;
    double next[ORDERED];
    bool regression = in->task->task == FW_REGRESSION;
    if (!v)
        return fw_err_nomem(err);
    for (size_t i = 0; i < n; i++)
        v[i] = (struct fw_priority_slice){
            .row = e[i].c->row,
            .n_rows = e[i].c->n_rows,
            .n = e[i].c->n_all,
            .human_loss = regression ? e[i].human : 1 - e[i].human,
            .worth = e[i].worth,
            .weight = e[i].importance * e[i].ease,
        };
    int rc = fw_priority_order(v, n, j->loss, j->n, ORDERED, order, next, &found, err);
    for (size_t i = 0; rc == FW_OK && i < found; i++) {
        e[order[i]].order = i + 1;
        e[order[i]].next = next[i];
    }
    free(v);
    return rc;
}

static json_t *count_or_null(bool known, double n)
{
    return known ? json_integer((json_int_t)n) : json_null();
}

static bool put_found(const struct fw_analysis_input *in, const struct fw_judged *j,
                      const struct fw_found_slice *f, json_t *to)
{
    json_t *examples = json_array(), *traits = json_array();
    bool bad = !examples || !traits;
    for (size_t i = 0; i < f->n_examples && !bad; i++)
        bad = json_array_append_new(examples,
                                    json_string(in->data->samples[j->row[f->examples[i]]].id));
    for (size_t i = 0; i < f->n_traits && !bad; i++)
        bad = json_array_append_new(
            traits, json_pack("{s:s, s:f, s:f}", "condition", f->traits[i].condition, "share",
                              f->traits[i].share, "lift", f->traits[i].lift));
    bad = json_object_set_new(to, "examples", examples) || bad;
    return json_object_set_new(to, "traits", traits) || bad;
}

static json_t *slice_json(const struct fw_analysis_input *in, const struct fw_judged *j,
                          const struct fw_slicing *s, const struct entry *e)
{
    const struct fw_slice_count *c = e->c;
    bool in_train = !c->found || c->found->condition;
    const char *found = !c->found ? NULL : c->found->condition ? "sliceline" : "cluster";
    json_t *o = json_pack(
        "{s:s, s:s?, s:I, s:f, s:I, s:o, s:o, s:o, s:I, s:f, s:f, s:o, s:f, s:f, s:f, s:f}",
        "slice", c->text, "class", c->klass, "n", (json_int_t)c->n, "share",
        share((double)c->n, (double)e->base->n), "train_n", (json_int_t)c->train_n, "metric",
        number_or_null(e->metric), "low", number_or_null(e->low), "high", number_or_null(e->high),
        "errors", (json_int_t)c->errors, "error_share",
        share((double)c->errors, (double)e->base->errors), "human_level", e->human, "gap",
        number_or_null(e->gap), "importance", e->importance, "ease", e->ease, "worth", e->worth,
        "priority", e->priority);
    json_t *more = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:b, s:s?, s:o, s:o}", "worth_metric",
        number_or_null(e->worth_metric), "order", count_or_null(e->order, (double)e->order),
        "worth_next", number_or_null(e->next), "p", number_or_null(e->p), "p_adjusted",
        number_or_null(e->p_adjusted), "weak", e->p_adjusted <= 0.05, "found", found, "suspects",
        count_or_null(in_train && in->out_of_fold, (double)c->suspects), "missing",
        count_or_null(in_train, fw_slice_missing(in, s, c)));
    bool bad =
        !o || !more || json_object_update(o, more) || (c->found && put_found(in, j, c->found, o));
    json_decref(more);
    if (!bad)
        return o;
    json_decref(o);
    return NULL;
}

int fw_analysis_slices(const struct fw_analysis_input *in, const struct fw_judged *j,
                       const struct fw_slicing *s, struct fw_worth_base worth[2], json_t *root,
                       struct fw_err *err)
{
    json_t *list = json_array();
    struct entry *e = calloc(s->n + 1, sizeof *e);
    int rc = list && e ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < s->n && rc == FW_OK; i++) {
        e[i].c = &s->v[i];
        e[i].base = s->v[i].held_out ? &s->half : &s->all;
        judge(in, !j->truth, &worth[s->v[i].held_out], &e[i]);
    }
    if (rc == FW_OK)
        rc = adjust(e, s->n, err);
    if (rc == FW_OK)
        rc = put_in_order(in, j, e, s->n, err);
    if (rc == FW_OK)
        qsort(e, s->n, sizeof *e, by_priority);
    for (size_t i = 0; i < s->n && rc == FW_OK; i++)
        if (json_array_append_new(list, slice_json(in, j, s, &e[i])))
            rc = fw_err_nomem(err);
    free(e);
    if (json_object_set_new(root, "slices", list) && rc == FW_OK)
        rc = fw_err_nomem(err);
    return rc;
}
