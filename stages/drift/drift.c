#include "stages/drift/drift.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/buf.h"
#include "pipeline/base/parallel.h"
#include "stages/data/predictions.h"
#include "stages/drift/label_shift.h"
#include "stages/evaluate/compare.h"
#include "stages/evaluate/distributions.h"
#include "stages/evaluate/multiple.h"

enum {
    MOST_TARGETS = 20,
    RESAMPLES = 1000,
    FEW_RESAMPLES = 200,
    MANY_CLASSES = 100,
    TOO_MANY_CLASSES = 400
};

struct build {
    const struct fw_drift_input *in;
    size_t n, cap;
    struct fw_drift_test *tests;
    json_t *notes, *targets;
    struct fw_label_shift labels;
    struct fw_domain domain;
    struct fw_mmd mmd;
    bool has_labels, has_domain, has_mmd;
    double labels_p, domain_p, mmd_p; /* adjusted */
    enum fw_severity worst;
    bool told; /* something was found to be none */
};

void fw_drift_defaults(struct fw_drift_input *in)
{
    *in = (struct fw_drift_input){.minor = 0.1, .major = 0.25, .confidence = 0.95, .bins = 10};
}

static void note(struct build *b, const char *fmt, ...) FW_PRINTF(2, 3);

static void note(struct build *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    json_array_append_new(b->notes, json_vsprintf(fmt, ap));
    va_end(ap);
}

static int add_test(struct build *b, struct fw_column *c, enum fw_drift_part part, double n,
                    double m, struct fw_err *err)
{
    if (b->n == b->cap) {
        size_t cap = b->cap ? 2 * b->cap : 64;
        struct fw_drift_test *longer = realloc(b->tests, cap * sizeof *longer);
        if (!longer)
            return fw_err_nomem(err);
        b->tests = longer;
        b->cap = cap;
    }
    b->tests[b->n++] = (struct fw_drift_test){.column = c,
                                              .part = part,
                                              .n = {n, m},
                                              .value = NAN,
                                              .chance = NAN,
                                              .p = NAN,
                                              .p_adjusted = NAN};
    return FW_OK;
}

static const char *holds(const struct fw_column *c, int side)
{
    if (c->texts[side])
        return c->texts[side] < c->present[side] ? "a mix of values" : "texts";
    return c->bools[side] ? "true and false" : c->other[side] ? "lists or objects" : "numbers";
}

/* Which tests a field gets, and what has to be said when it gets none. */
static int plan_values(struct build *b, struct fw_column *c, struct fw_err *err)
{
    double other[] = {(double)c->other[0], (double)c->other[1]};
    double n = (double)c->present[0] - other[0], m = (double)c->present[1] - other[1];
    const char *before = holds(c, 0), *after = holds(c, 1);
    if (other[0] + other[1] > 0)
        note(b, "%s: lists and objects are not compared (%.0f values)", c->name,
             other[0] + other[1]);
    if (!(n > 0) || !(m > 0))
        return FW_OK;
    if (strcmp(before, after) != 0)
        note(b, "%s: holds %s in the reference and %s in production", c->name, before, after);
    if (fw_drift_of_kind(c, 0) < c->present[0] || fw_drift_of_kind(c, 1) < c->present[1])
        return FW_OK; /* what changed its kind counts as absent; the rest is not compared */
    if (c->words) {
        int rc = FW_OK;
        if (c->lengths[0].n && c->lengths[1].n)
            rc = add_test(b, c, FW_DRIFT_LENGTH, (double)c->lengths[0].n, (double)c->lengths[1].n,
                          err);
        if (rc == FW_OK && fw_vocabulary_size(c->words, 0) > 0 &&
            fw_vocabulary_size(c->words, 1) > 0)
            rc = add_test(b, c, FW_DRIFT_WORDS, (double)c->lengths[0].n, (double)c->lengths[1].n,
                          err);
        return rc;
    }
    if (c->too_many || (c->names.n > 100 && (double)c->names.n > (n + m) / 2)) {
        note(b, "%s: nearly every value is another one, as in an id; not compared", c->name);
        return FW_OK;
    }
    return add_test(b, c, FW_DRIFT_VALUES, n, m, err);
}

static int plan_column(struct build *b, struct fw_column *c, struct fw_err *err)
{
    const struct fw_drift_table *t = b->in->table;
    double n = (double)t->rows[0], m = (double)t->rows[1];
    if (!strcmp(c->name, "label") && !c->present[1]) {
        note(b, "production has no labels");
        return FW_OK;
    }
    int rc = plan_values(b, c, err);
    long first = c->feature > 0 ? fw_ids_find(&t->names, "features[0]") : -1;
    bool as_first = first >= 0 && t->columns[first].present[0] == c->present[0] &&
                    t->columns[first].present[1] == c->present[1];
    if (rc == FW_OK && !as_first &&
        ((double)fw_drift_of_kind(c, 0) < n || (double)fw_drift_of_kind(c, 1) < m))
        rc = add_test(b, c, FW_DRIFT_MISSING, n, m, err);
    if (!c->present[1])
        note(b, "%s: not in production at all", c->name);
    if (!c->present[0])
        note(b, "%s: not in the reference at all", c->name);
    return rc;
}

static int run_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct build *b = ctx;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        struct fw_drift_test *t = &b->tests[i];
        int rc = fw_drift_test_run(t, b->in->bins, err);
        if (rc != FW_OK)
            return fw_err_wrap(err, "field '%s'", t->column->name);
    }
    return FW_OK;
}

/* In PSI: two normal distributions of one width that are told apart this well. */
static double psi_of_auc(double auc)
{
    double z = auc > 0.5 ? fw_normal_quantile(fmin(auc, 1 - 1e-12)) : 0;
    return 2 * z * z;
}

static int compare_labels(struct build *b, struct fw_err *err)
{
    const struct fw_drift_input *in = b->in;
    size_t k = in->task ? in->task->n_classes : 0;
    if (!in->confusion || !in->predicted)
        return FW_OK;
    struct fw_label_shift_options o = {.resamples = k <= MANY_CLASSES       ? RESAMPLES
                                                    : k <= TOO_MANY_CLASSES ? FEW_RESAMPLES
                                                                            : 0,
                                       .level = in->confidence,
                                       .max_condition = 100,
                                       .seed = in->seed};
    int rc = fw_label_shift(in->confusion, in->predicted, k, &o, &b->labels, err);
    if (rc != FW_OK)
        return fw_err_wrap(err, "label shift");
    b->has_labels = true;
    if (b->labels.regularised)
        note(b,
             "the model confuses classes so that their shares in production cannot be told apart "
             "(condition number %.3g); the estimate is drawn towards no shift",
             b->labels.condition);
    if (!o.resamples)
        note(b, "no intervals of the class shares: more than %d classes", TOO_MANY_CLASSES);
    for (size_t c = 0; c < k; c++)
        if (!(b->labels.before[c] > 0))
            note(b,
                 "no labelled sample of class '%s' has a prediction; its share in production is "
                 "unknown and counted as none",
                 in->task->classes[c]);
    return FW_OK;
}

static int compare_embeddings(struct build *b, struct fw_err *err)
{
    const struct fw_drift_input *in = b->in;
    if (!in->reference || !in->production)
        return FW_OK;
    if (in->reference->n < 8 || in->production->n < 8) {
        note(b, "too few embeddings to compare: %zu and %zu", in->reference->n, in->production->n);
        return FW_OK;
    }
    int rc = fw_mmd(in->reference, in->production, FW_MMD_ROWS, FW_MMD_PERMUTATIONS, in->seed,
                    &b->mmd, err);
    if (rc == FW_OK)
        rc = fw_domain_classifier(in->reference, in->production, FW_DOMAIN_ROWS, in->confidence,
                                  in->seed, &b->domain, err);
    b->has_mmd = b->has_domain = rc == FW_OK;
    return rc;
}

static int adjust(struct build *b, struct fw_err *err)
{
    double *p = malloc((b->n + 3) * sizeof *p);
    if (!p)
        return fw_err_nomem(err);
    for (size_t i = 0; i < b->n; i++)
        p[i] = b->tests[i].p;
    p[b->n] = b->has_labels ? b->labels.p : NAN;
    p[b->n + 1] = b->has_domain ? b->domain.p : NAN;
    p[b->n + 2] = b->has_mmd ? b->mmd.p : NAN;
    int rc = fw_benjamini_hochberg(p, b->n + 3, p, err);
    for (size_t i = 0; rc == FW_OK && i < b->n; i++)
        b->tests[i].p_adjusted = p[i];
    if (rc == FW_OK) {
        b->labels_p = p[b->n];
        b->domain_p = p[b->n + 1];
        b->mmd_p = p[b->n + 2];
    }
    free(p);
    return rc;
}

/* noise × chi-squared is what a PSI of df + 1 cells is without drift. */
static enum fw_severity judge(struct build *b, double effect, double p, double df, double noise)
{
    const struct fw_drift_input *in = b->in;
    double alpha = 1 - in->confidence;
    enum fw_severity s = FW_DRIFT_NONE;
    if (p <= alpha)
        s = effect >= in->major ? FW_DRIFT_MAJOR : effect >= in->minor ? FW_DRIFT_MINOR : s;
    else if (fw_chi2_tail(in->minor / noise, df > 0 ? df : 1) > alpha)
        s = FW_DRIFT_UNKNOWN;
    b->told |= s == FW_DRIFT_NONE;
    b->worst = s > b->worst ? s : b->worst;
    return s;
}

static json_t *labels_json(struct build *b)
{
    const struct fw_label_shift *l = &b->labels;
    double noise = 1 / l->n + 1 / l->m, chance = l->df * noise;
    enum fw_severity s = judge(b, l->psi - chance, b->labels_p, l->df, noise);
    json_t *classes = json_array();
    for (size_t c = 0; c < l->k; c++) {
        json_t *e = json_pack("{s:s, s:f, s:f, s:f}", "class", b->in->task->classes[c], "reference",
                              l->before[c], "production", l->after[c], "weight", l->weight[c]);
        if (l->low) {
            json_object_set_new(e, "low", json_real(l->low[c]));
            json_object_set_new(e, "high", json_real(l->high[c]));
        }
        json_array_append_new(classes, e);
    }
    return json_pack(
        "{s:s, s:o, s:s, s:f, s:f, s:o, s:o, s:s, s:I, s:I, s:o}", "method",
        l->regularised ? "rlls" : "bbse", "condition",
        isfinite(l->condition) ? json_real(l->condition) : json_null(), "statistic", "psi", "value",
        l->psi, "chance", chance, "p", isnan(l->p) ? json_null() : json_real(l->p), "p_adjusted",
        isnan(b->labels_p) ? json_null() : json_real(b->labels_p), "severity", fw_severity_name(s),
        "reference", (json_int_t)l->n, "production", (json_int_t)l->m, "classes", classes);
}

static json_t *embeddings_json(struct build *b)
{
    const struct fw_domain *d = &b->domain;
    const struct fw_mmd *m = &b->mmd;
    const struct fw_drift_input *in = b->in;
    double alpha = 1 - in->confidence, effect = psi_of_auc(d->auc);
    enum fw_severity s = FW_DRIFT_NONE;
    if (b->domain_p <= alpha)
        s = effect >= in->major ? FW_DRIFT_MAJOR : effect >= in->minor ? FW_DRIFT_MINOR : s;
    else if (psi_of_auc(d->high) >= in->minor)
        s = FW_DRIFT_UNKNOWN;
    if (s < FW_DRIFT_MINOR && b->mmd_p <= alpha) {
        s = b->domain_p <= alpha ? s : FW_DRIFT_MINOR;
        if (s == FW_DRIFT_MINOR)
            note(b, "embeddings: MMD finds a difference that the domain classifier does not");
    }
    b->told |= s == FW_DRIFT_NONE;
    b->worst = s > b->worst ? s : b->worst;
    return json_pack(
        "{s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:I, s:I, s:{s:f, s:f, s:f, s:f, s:I, s:I}}", "auc",
        d->auc, "low", d->low, "high", d->high, "p", d->p, "p_adjusted", b->domain_p, "value",
        effect, "severity", fw_severity_name(s), "reference", (json_int_t)d->n, "production",
        (json_int_t)d->m, "mmd", "value", m->mmd2, "bandwidth", m->bandwidth, "p", m->p,
        "p_adjusted", b->mmd_p, "reference", (json_int_t)m->n, "production", (json_int_t)m->m);
}

static int label_targets(struct build *b, const char *severity, struct fw_err *err)
{
    const struct fw_label_shift *l = &b->labels;
    int rc = FW_OK;
    if (strcmp(severity, "minor") != 0 && strcmp(severity, "major") != 0)
        return FW_OK;
    for (size_t c = 0; c < l->k && rc == FW_OK; c++) {
        const char *name = b->in->task->classes[c];
        if (l->after[c] - l->before[c] < 0.01 || (l->low && l->low[c] <= l->before[c]))
            continue;
        struct fw_buf slice = {0};
        char quote = strchr(name, '\'') ? '"' : '\'';
        fw_buf_printf(&slice, "class == %c%s%c", quote, name, quote);
        rc = slice.failed ? fw_err_nomem(err)
                          : fw_drift_add_target(b->targets, slice.p, name, l->before[c],
                                                l->after[c], l->n, err);
        fw_buf_release(&slice);
    }
    return rc;
}

static int worst_first(const void *a, const void *b)
{
    const struct fw_drift_test *x = *(const struct fw_drift_test *const *)a,
                               *y = *(const struct fw_drift_test *const *)b;
    if (x->severity != y->severity)
        return x->severity < y->severity ? 1 : -1;
    if (x->effect != y->effect)
        return x->effect < y->effect ? 1 : -1;
    int by_name = strcmp(x->column->name, y->column->name);
    return by_name ? by_name : (int)x->part - (int)y->part;
}

static int fields_json(struct build *b, json_t *fields, struct fw_err *err)
{
    const struct fw_drift_test **order = malloc((b->n ? b->n : 1) * sizeof(*order));
    int rc = order ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < b->n; i++) {
        struct fw_drift_test *t = &b->tests[i];
        order[i] = t;
        t->severity =
            t->constant ? FW_DRIFT_NONE : judge(b, t->effect, t->p_adjusted, t->df, t->noise);
    }
    if (rc == FW_OK)
        qsort(order, b->n, sizeof(*order), worst_first);
    for (size_t i = 0; rc == FW_OK && i < b->n; i++) {
        json_t *e = fw_drift_test_json(order[i]);
        if (!e || json_array_append_new(fields, e) != 0)
            rc = fw_err_nomem(err);
        else
            rc = fw_drift_test_targets(order[i], b->targets, err);
    }
    free(order);
    return rc;
}

static int by_growth(const void *a, const void *b)
{
    double x = json_number_value(json_object_get(*(json_t *const *)a, "growth"));
    double y = json_number_value(json_object_get(*(json_t *const *)b, "growth"));
    if (x != y)
        return x < y ? 1 : -1;
    return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "slice")),
                  json_string_value(json_object_get(*(json_t *const *)b, "slice")));
}

/* Sorted and cut; a class that both the labels and the predictions speak of is named once. */
static json_t *sorted_targets(const json_t *targets)
{
    size_t n = json_array_size(targets);
    json_t **v = malloc((n ? n : 1) * sizeof *v), *out = json_array();
    for (size_t i = 0; v && i < n; i++)
        v[i] = json_array_get(targets, i);
    if (v)
        qsort(v, n, sizeof *v, by_growth);
    for (size_t i = 0; v && i < n && json_array_size(out) < MOST_TARGETS; i++) {
        bool twice = false;
        for (size_t j = 0; j < json_array_size(out); j++)
            twice |= json_equal(json_object_get(json_array_get(out, j), "slice"),
                                json_object_get(v[i], "slice"));
        if (!twice)
            json_array_append(out, v[i]);
    }
    if (!v) {
        json_decref(out);
        out = NULL;
    }
    free(v);
    return out;
}

static int write_up(struct build *b, json_t **out, struct fw_err *err)
{
    const struct fw_drift_input *in = b->in;
    json_t *fields = json_array(), *labels = NULL, *embeddings = NULL, *targets = NULL;
    int rc = fields ? fields_json(b, fields, err) : fw_err_nomem(err);
    if (rc == FW_OK && b->has_labels) {
        labels = labels_json(b);
        rc = labels ? label_targets(b, json_string_value(json_object_get(labels, "severity")), err)
                    : fw_err_nomem(err);
    }
    if (rc == FW_OK && b->has_domain && !(embeddings = embeddings_json(b)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK && !(targets = sorted_targets(b->targets)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK) {
        /* Something that is too rare to judge does not hide that the rest is well. */
        enum fw_severity worst = b->worst == FW_DRIFT_UNKNOWN && b->told ? FW_DRIFT_NONE : b->worst;
        if (!b->told && b->worst == FW_DRIFT_NONE)
            worst = FW_DRIFT_UNKNOWN; /* nothing could be compared */
        *out = json_pack("{s:i, s:{s:I, s:I}, s:s, s:f, s:{s:f, s:f}, s:O, s:O?, s:O?, s:O, s:O}",
                         "version", 1, "n", "reference", (json_int_t)in->table->rows[0],
                         "production", (json_int_t)in->table->rows[1], "severity",
                         fw_severity_name(worst), "confidence", in->confidence, "thresholds",
                         "minor", in->minor, "major", in->major, "fields", fields, "labels", labels,
                         "embeddings", embeddings, "targets", targets, "notes", b->notes);
        rc = *out ? FW_OK : fw_err_nomem(err);
    }
    json_decref(fields);
    json_decref(labels);
    json_decref(embeddings);
    json_decref(targets);
    return rc;
}

static int check_input(const struct fw_drift_input *in, struct fw_err *err)
{
    if (!in->table->rows[0] || !in->table->rows[1])
        return fw_err_set(err, FW_EINVAL, "%s no rows",
                          in->table->rows[0] ? "production has" : "the reference has");
    if (!(in->minor > 0) || !(in->major >= in->minor) || isinf(in->major))
        return fw_err_set(err, FW_EINVAL,
                          "the thresholds must be 0 < minor <= major, not %g and %g", in->minor,
                          in->major);
    if (!(in->confidence > 0) || !(in->confidence < 1))
        return fw_err_set(err, FW_EINVAL, "the confidence must lie between 0 and 1, not %g",
                          in->confidence);
    return FW_OK;
}

int fw_drift_build(const struct fw_drift_input *in, json_t **out, struct fw_err *err)
{
    struct build b = {.in = in, .notes = json_array(), .targets = json_array()};
    int rc = check_input(in, err);
    if (rc == FW_OK && (!b.notes || !b.targets))
        rc = fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < in->table->n; i++)
        rc = plan_column(&b, &in->table->columns[i], err);
    for (int s = 0; rc == FW_OK && s < FW_SIDES; s++)
        if (in->table->wide[s])
            note(&b,
                 "features of more than %d numbers are not compared (%zu rows); compare them as "
                 "embeddings",
                 FW_DRIFT_FEATURES, in->table->wide[s]);
    if (rc == FW_OK)
        rc = fw_parallel(b.n, 1, run_work, &b, err);
    if (rc == FW_OK)
        rc = compare_labels(&b, err);
    if (rc == FW_OK)
        rc = compare_embeddings(&b, err);
    if (rc == FW_OK)
        rc = adjust(&b, err);
    if (rc == FW_OK)
        rc = write_up(&b, out, err);
    for (size_t i = 0; i < b.n; i++)
        fw_drift_test_release(&b.tests[i]);
    free(b.tests);
    fw_label_shift_release(&b.labels);
    json_decref(b.notes);
    json_decref(b.targets);
    return rc;
}
