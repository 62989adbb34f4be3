/* What was found in one field, as an entry of drift.json and as targets. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/buf.h"
#include "stages/drift/bins.h"
#include "stages/drift/drift.h"
#include "stages/error_analysis/slice.h"
#include "stages/error_analysis/slicing.h"

enum { MOVED = 5, LISTED = 10 };
static const double least_growth = 0.01, least_errors = 3;

static json_t *number_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* The shortest text that reads as this number. */
static void put_number(struct fw_buf *b, double x)
{
    char text[32];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits < 6 ? 6 : digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    fw_buf_puts(b, text);
}

/* The condition of the bins from..to (inclusive); NULL for what no condition can say. */
static char *bins_text(const struct fw_drift_test *t, size_t from, size_t to)
{
    const struct fw_bins *bins = t->bins;
    const char *name = t->column->name;
    struct fw_buf b = {0};
    if (bins->discrete && from + 1 == bins->n) {
        for (size_t i = 0; i + 1 < bins->n; i++) {
            fw_buf_printf(&b, "%s%s != ", i ? " and " : "", name);
            put_number(&b, bins->edge[i]);
        }
    } else if (bins->discrete) {
        fw_buf_printf(&b, "%s == ", name);
        put_number(&b, bins->edge[from]);
    } else {
        if (from > 0) {
            fw_buf_printf(&b, "%s > ", name);
            put_number(&b, bins->edge[from - 1]);
        }
        if (to + 1 < bins->n) {
            fw_buf_printf(&b, "%s%s <= ", from ? " and " : "", name);
            put_number(&b, bins->edge[to]);
        }
    }
    return fw_buf_steal(&b);
}

static char *category_text(const struct fw_column *c, size_t i)
{
    struct fw_buf b = {0};
    bool numbers = c->present[0] + c->present[1] > c->texts[0] + c->texts[1] + c->bools[0] +
                                                       c->bools[1] + c->other[0] + c->other[1];
    const char *name = c->names.ids[i], *field = strcmp(c->name, "label") ? c->name : "class";
    char *end;
    bool is_bool = c->bools[0] + c->bools[1] && (!strcmp(name, "true") || !strcmp(name, "false"));
    bool bare = is_bool || (numbers && *name && (strtod(name, &end), !*end));
    if (!bare)
        return fw_slice_equals(field, name);
    fw_buf_printf(&b, "%s == %s", field, name);
    return fw_buf_steal(&b);
}

/* What a cell is, in words or as a condition. */
static char *cell_text(const struct fw_drift_test *t, size_t cell)
{
    const struct fw_column *c = t->column;
    struct fw_buf b = {0};
    char *text;
    if (t->part == FW_DRIFT_MISSING) {
        bool changed = fw_drift_of_kind(c, 1) < c->present[1];
        fw_buf_printf(&b, "%s is %s", c->name,
                      !cell     ? changed ? "there, of its kind" : "there"
                      : changed ? "absent or of another kind"
                                : "absent");
        return fw_buf_steal(&b);
    }
    if (t->part == FW_DRIFT_LENGTH) {
        struct fw_column length = {.name = "length"};
        struct fw_drift_test of = *t;
        of.column = &length;
        return bins_text(&of, cell, cell);
    }
    if (t->bins)
        return bins_text(t, cell, cell);
    for (size_t i = 0; i < c->names.n; i++) {
        if (t->cell[i] != cell || (t->pool && cell + 1 == t->k))
            continue;
        if ((text = category_text(c, i)))
            return text;
        fw_buf_printf(&b, "%s is %s", c->name, c->names.ids[i]);
        return fw_buf_steal(&b);
    }
    fw_buf_printf(&b, "%s is one of the rare values", c->name);
    return fw_buf_steal(&b);
}

struct ranked {
    size_t cell;
    double worth;
};

static int by_worth(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->worth != y->worth)
        return x->worth < y->worth ? 1 : -1;
    return x->cell < y->cell ? -1 : 1;
}

static double total(const double *v, size_t k)
{
    double sum = 0;
    for (size_t i = 0; i < k; i++)
        sum += v[i];
    return sum;
}

static json_t *moved_cells(const struct fw_drift_test *t)
{
    json_t *list = json_array();
    struct ranked *r = malloc((t->k ? t->k : 1) * sizeof *r);
    double n = total(t->counts[0], t->k), m = total(t->counts[1], t->k), half = (double)t->k / 2;
    for (size_t i = 0; r && i < t->k; i++) {
        double p = (t->counts[0][i] + 0.5) / (n + half), q = (t->counts[1][i] + 0.5) / (m + half);
        r[i] = (struct ranked){i, (q - p) * log(q / p)};
    }
    if (r)
        qsort(r, t->k, sizeof *r, by_worth);
    for (size_t i = 0; r && i < t->k && i < MOVED; i++) {
        double p = t->counts[0][r[i].cell] / n, q = t->counts[1][r[i].cell] / m;
        char *text = p != q ? cell_text(t, r[i].cell) : NULL;
        if (text)
            json_array_append_new(
                list, json_pack("{s:s, s:f, s:f}", "is", text, "reference", p, "production", q));
        free(text);
    }
    free(r);
    return list;
}

/* Values that one side does not have, most frequent first. */
static json_t *one_sided(const struct fw_drift_test *t, int has, const char *share)
{
    const struct fw_column *c = t->column;
    json_t *list = json_array();
    struct ranked *r = malloc((c->names.n ? c->names.n : 1) * sizeof *r);
    size_t n = 0;
    for (size_t i = 0; r && i < c->names.n; i++)
        if (!c->categories[i].n[!has])
            r[n++] = (struct ranked){i, (double)c->categories[i].n[has]};
    if (r)
        qsort(r, n, sizeof *r, by_worth);
    for (size_t i = 0; i < n && i < LISTED; i++)
        json_array_append_new(list, json_pack("{s:s, s:f}", "is", c->names.ids[r[i].cell], share,
                                              r[i].worth / t->n[has]));
    free(r);
    return list;
}

static json_t *moved_words(const struct fw_vocabulary_drift *w)
{
    json_t *list = json_array();
    for (size_t i = 0; i < w->n_top && i < MOVED; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:f, s:f}", "is", w->top[i].word, "reference",
                                        w->top[i].reference, "production", w->top[i].production));
    return list;
}

json_t *fw_drift_test_json(const struct fw_drift_test *t)
{
    static const char *const parts[] = {"values", "missing", "length", "words"};
    const struct fw_column *c = t->column;
    const char *type = c->use == FW_TEXT_WORDS && c->words ? "text"
                       : c->names.n                        ? "category"
                                                           : "number";
    json_t *e =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:I, s:I}", "field", c->name,
                  "of", parts[t->part], "type", type, "statistic", t->words ? "js" : "psi", "value",
                  number_or_null(t->value), "chance", number_or_null(t->chance), "p",
                  number_or_null(t->p), "p_adjusted", number_or_null(t->p_adjusted), "test",
                  t->test, "severity", fw_severity_name(t->severity), "reference",
                  (json_int_t)t->n[0], "production", (json_int_t)t->n[1]);
    if (!e)
        return NULL;
    json_object_set_new(e, "moved", t->words ? moved_words(t->words) : moved_cells(t));
    if (t->bins) {
        json_object_set_new(e, "ks", json_real(t->ks));
        json_object_set_new(e, "wasserstein", number_or_null(t->wasserstein));
        json_object_set_new(e, "js", json_real(t->js));
        json_object_set_new(e, "median", json_pack("[f, f]", t->median[0], t->median[1]));
    } else if (t->words) {
        json_object_set_new(e, "design", json_real(t->words->design));
        json_object_set_new(e, "unseen", json_real(t->words->unseen));
        json_object_set_new(e, "unseen_chance", json_real(t->words->unseen_chance));
    } else {
        json_object_set_new(e, "chi2", json_real(t->chi2));
        json_object_set_new(e, "df", json_real(t->df));
        json_object_set_new(e, "js", json_real(t->js));
    }
    if (t->cell) {
        json_object_set_new(e, "new", one_sided(t, FW_PRODUCTION, "production"));
        json_object_set_new(e, "vanished", one_sided(t, FW_REFERENCE, "reference"));
    }
    return e;
}

/* Did the share grow enough to be worth collecting for? */
static bool grew(const struct fw_drift_test *t, double a, double b)
{
    double p = a / t->n[0], q = b / t->n[1], pooled = (a + b) / (t->n[0] + t->n[1]);
    double error = sqrt(pooled * (1 - pooled) * (1 / t->n[0] + 1 / t->n[1]));
    return q - p >= least_growth && q - p >= least_errors * error;
}

int fw_drift_add_target(json_t *targets, const char *slice, const char *klass, double p, double q,
                        double n, struct fw_err *err)
{
    struct fw_slice *parsed = NULL;
    if (fw_slice_parse(slice, &parsed, NULL) != FW_OK)
        return FW_OK; /* a field whose name no condition can hold */
    fw_slice_free(parsed);
    /* x more of it: (p n + x) / (n + x) = q */
    double missing = q < 1 ? ceil((q - p) * n / (1 - q) * (1 - 1e-12)) : n;
    json_t *target =
        json_pack("{s:s, s:s?, s:f, s:f, s:f, s:f}", "slice", slice, "class", klass,
                  "reference_share", p, "production_share", q, "growth", q - p, "missing", missing);
    return target && json_array_append_new(targets, target) == 0 ? FW_OK : fw_err_nomem(err);
}

static int add_cells(const struct fw_drift_test *t, size_t from, size_t to, json_t *targets,
                     struct fw_err *err)
{
    double a = 0, b = 0;
    for (size_t i = from; i <= to; i++) {
        a += t->counts[0][i];
        b += t->counts[1][i];
    }
    if (!grew(t, a, b))
        return FW_OK;
    const char *klass = NULL;
    char *text = t->bins ? bins_text(t, from, to) : cell_text(t, from);
    for (size_t i = 0; !t->bins && !strcmp(t->column->name, "label") && i < t->column->names.n; i++)
        if (t->cell[i] == from)
            klass = t->column->names.ids[i];
    int rc = text
                 ? fw_drift_add_target(targets, text, klass, a / t->n[0], b / t->n[1], t->n[0], err)
                 : FW_OK;
    free(text);
    return rc;
}

int fw_drift_test_targets(const struct fw_drift_test *t, json_t *targets, struct fw_err *err)
{
    int rc = FW_OK;
    if (t->part != FW_DRIFT_VALUES || t->severity < FW_DRIFT_MINOR || t->column->feature >= 0)
        return FW_OK;
    if (!strcmp(t->column->name, "class"))
        return FW_OK; /* in a condition this word means the label */
    for (size_t i = 0; i < t->k - t->pool && rc == FW_OK; i++) {
        size_t to = i;
        /* Neighbouring bins that grew are one condition. */
        while (t->bins && !t->bins->discrete && to + 1 < t->k &&
               t->counts[1][i] / t->n[1] > t->counts[0][i] / t->n[0] &&
               t->counts[1][to + 1] / t->n[1] > t->counts[0][to + 1] / t->n[0])
            to++;
        rc = add_cells(t, i, to, targets, err);
        i = to;
    }
    return rc;
}
