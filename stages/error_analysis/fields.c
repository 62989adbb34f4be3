#include "stages/error_analysis/fields.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/buf.h"
#include "pipeline/base/parallel.h"
#include "stages/data/ids.h"
#include "stages/error_analysis/slice.h"
#include "stages/error_analysis/slicing.h"
#include "stages/evaluate/quantile.h"

enum {
    MAX_COLUMNS = 64,
    MAX_TEXTS = 50,
    MAX_BINS = 10,
    MAX_ELEMENTS = 32,
    MAX_CLASSES = 200,
    NO_TEXT = 255
};

struct raw { /* a column while rows are read */
    char *name;
    double *number;      /* N, NaN where there is none; NULL until the first */
    uint8_t *text;       /* N: index into texts, or NO_TEXT; NULL until the first */
    struct fw_ids texts; /* the literals, 'so' or true */
    bool many;           /* more texts than values */
};

struct read {
    size_t n;
    struct raw v[MAX_COLUMNS];
    size_t m, unread;
    struct fw_ids names;
    size_t *of_name; /* of each name seen: its column + 1, or 0 */
    struct fw_arena arena;
    struct fw_fields *out;
};

static bool reserved(const char *key)
{
    static const char *const words[] = {"id",        "split", "label",    "labels",    "class",
                                        "file_name", "text",  "features", "provenance"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(key, words[i]))
            return true;
    return false;
}

static bool is_name(const char *key)
{
    struct fw_slice *s = NULL;
    bool yes = fw_slice_parse(key, &s, NULL) == FW_OK && fw_slice_field(s) &&
               !strcmp(fw_slice_field(s), key);
    fw_slice_free(s);
    return yes;
}

/* The column of a name, made when it is new; NULL: it has none. */
static struct raw *column(struct read *r, const char *key, bool element, bool *failed)
{
    long at = fw_ids_find(&r->names, key);
    if (at < 0) {
        char *own = fw_arena_strdup(&r->arena, key);
        size_t *more = realloc(r->of_name, (r->names.n + 1) * sizeof *more);
        r->of_name = more ? more : r->of_name;
        at = own && more ? fw_ids_add(&r->names, own) : -1;
        *failed = *failed || at < 0;
        if (at < 0)
            return NULL;
        more[at] = 0;
        if (!element && (reserved(key) || !is_name(key)))
            return NULL;
        if (r->m == MAX_COLUMNS) {
            r->unread++;
            return NULL;
        }
        r->v[r->m++].name = own;
        more[at] = r->m;
    }
    return r->of_name[at] ? &r->v[r->of_name[at] - 1] : NULL;
}

static void put_number(struct read *r, struct raw *c, size_t i, double v, bool *failed)
{
    if (!c->number) {
        c->number = malloc(r->n * sizeof *c->number);
        for (size_t j = 0; c->number && j < r->n; j++)
            c->number[j] = NAN;
    }
    if (c->number)
        c->number[i] = v;
    *failed = *failed || !c->number;
}

static void put_text(struct read *r, struct raw *c, size_t i, const char *literal, bool *failed)
{
    long at = c->many ? -1 : fw_ids_find(&c->texts, literal);
    if (!c->text) {
        c->text = malloc(r->n);
        if (c->text)
            memset(c->text, NO_TEXT, r->n);
    }
    if (at < 0 && !c->many) {
        char *own = c->texts.n < MAX_TEXTS ? fw_arena_strdup(&r->arena, literal) : NULL;
        c->many = c->texts.n == MAX_TEXTS;
        at = own ? fw_ids_add(&c->texts, own) : -1;
        *failed = *failed || (at < 0 && !c->many);
    }
    if (c->text)
        c->text[i] = at < 0 ? NO_TEXT - 1 : (uint8_t)at; /* one before: there, but not listed */
    *failed = *failed || !c->text;
}

static void put_string(struct read *r, struct raw *c, size_t i, const struct fw_field *f,
                       bool *failed)
{
    struct fw_buf b = {0};
    char quote = strchr(f->str, '\'') ? '"' : '\'';
    if (f->str_len > 200 || memchr(f->str, '\0', f->str_len) || strchr(f->str, quote))
        c->many = true; /* cannot be written as a condition */
    fw_buf_printf(&b, "%c%s%c", quote, c->many ? "" : f->str, quote);
    if (b.failed)
        *failed = true;
    else
        put_text(r, c, i, b.p, failed);
    fw_buf_release(&b);
}

static int put_elements(struct read *r, size_t i, const struct fw_field *f, struct fw_err *err)
{
    double *v;
    size_t n;
    bool failed = false;
    if (fw_field_numbers(f, &v, &n, NULL) != FW_OK)
        return FW_OK; /* not a list of numbers: no features */
    for (size_t e = 0; e < n && n <= MAX_ELEMENTS; e++) {
        char name[32];
        snprintf(name, sizeof name, "features[%zu]", e);
        struct raw *c = column(r, name, true, &failed);
        if (c)
            put_number(r, c, i, v[e], &failed);
    }
    free(v);
    return failed ? fw_err_nomem(err) : FW_OK;
}

static int put_row(struct read *r, size_t i, const struct fw_row *row, struct fw_err *err)
{
    bool failed = false;
    for (size_t k = 0; k < row->n && !failed; k++) {
        const struct fw_field *f = &row->fields[k];
        if (f->type == FW_ARRAY && !strcmp(f->key, "features")) {
            int rc = put_elements(r, i, f, err);
            if (rc != FW_OK)
                return rc;
        }
        if (f->type != FW_NUMBER && f->type != FW_STRING && f->type != FW_BOOL)
            continue;
        struct raw *c = column(r, f->key, false, &failed);
        if (c && f->type == FW_NUMBER)
            put_number(r, c, i, f->number, &failed);
        else if (c && f->type == FW_BOOL)
            put_text(r, c, i, f->boolean ? "true" : "false", &failed);
        else if (c)
            put_string(r, c, i, f, &failed);
    }
    return failed ? fw_err_nomem(err) : FW_OK;
}

/* The shortest text of a number t with below < t ≤ value. */
static void write_number(double below, double value, char *out, size_t size)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, value);
        double t = strtod(out, NULL);
        if (t > below && t <= value)
            return;
    }
}

/* Takes text. */
static bool add_value(struct fw_column *c, struct fw_buf *text)
{
    char *own = fw_buf_steal(text);
    char **more = own ? realloc(c->conditions, (c->n_values + 1) * sizeof *more) : NULL;
    if (!more) {
        free(own);
        return false;
    }
    c->conditions = more;
    c->conditions[c->n_values++] = own;
    return true;
}

static bool add_numbers(const double *value, size_t n, struct fw_column *c)
{
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        struct fw_buf text = {0};
        char number[32];
        write_number(nextafter(value[i], -INFINITY), value[i], number, sizeof number);
        fw_buf_printf(&text, "%s == %s", c->name, number);
        ok = add_value(c, &text);
    }
    return ok;
}

/* Bins between quantiles; their lower edges after the first go to edge. sorted: not all the same. */
static bool add_bins(const double *sorted, size_t m, double *edge, size_t *n, struct fw_column *c)
{
    char at[MAX_BINS][32];
    bool ok = true;
    *n = 0;
    for (size_t q = 1; q < MAX_BINS; q++) {
        double e = sorted[m / MAX_BINS * q + m % MAX_BINS * q / MAX_BINS];
        size_t low = 0, high = m; /* to the first number that is not below e */
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            if (sorted[mid] < e)
                low = mid + 1;
            else
                high = mid;
        }
        if (!low || (*n && e == edge[*n - 1]))
            continue; /* repeated over more than one quantile */
        write_number(sorted[low - 1], e, at[*n], sizeof at[0]);
        edge[(*n)++] = e;
    }
    for (size_t b = 0; b <= *n && ok; b++) {
        struct fw_buf text = {0};
        if (b)
            fw_buf_printf(&text, "%s >= %s", c->name, at[b - 1]);
        if (b < *n)
            fw_buf_printf(&text, "%s%s < %s", b ? " and " : "", c->name, at[b]);
        ok = add_value(c, &text);
    }
    return ok;
}

static bool code_numbers(const struct raw *raw, size_t n, struct fw_column *c, uint8_t *code)
{
    double *sorted = malloc((n + 1) * sizeof *sorted), edge[MAX_BINS + 1];
    size_t m = 0, few = 0, before = c->n_values;
    if (!sorted)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isnan(raw->number[i]))
            sorted[m++] = raw->number[i];
    qsort(sorted, m, sizeof *sorted, fw_by_number);
    for (size_t i = 0; i < m && few <= MAX_BINS; i++)
        if (i == 0 || sorted[i] != sorted[i - 1])
            edge[few++] = sorted[i];
    bool values = few <= MAX_BINS;
    bool ok = values ? add_numbers(edge, few, c) : add_bins(sorted, m, edge, &few, c);
    for (size_t i = 0; ok && i < n; i++) {
        size_t b = 0;
        while (b < few && edge[b] <= raw->number[i])
            b++;
        if (!isnan(raw->number[i]))
            code[i] = (uint8_t)(before + b + !values);
    }
    free(sorted);
    return ok;
}

static bool code_texts(const struct raw *raw, size_t n, struct fw_column *c, uint8_t *code)
{
    bool ok = true;
    for (size_t t = 0; t < raw->texts.n && ok; t++) {
        struct fw_buf text = {0};
        fw_buf_printf(&text, "%s == %s", c->name, raw->texts.ids[t]);
        ok = add_value(c, &text);
    }
    for (size_t i = 0; ok && i < n; i++)
        if (raw->text[i] < NO_TEXT - 1)
            code[i] = (uint8_t)(raw->text[i] + 1);
    return ok;
}

static bool code_missing(const struct raw *raw, size_t n, struct fw_column *c, uint8_t *code)
{
    struct fw_buf text = {0};
    size_t missing = 0;
    for (size_t i = 0; i < n; i++) {
        if ((raw->number && !isnan(raw->number[i])) || (raw->text && raw->text[i] != NO_TEXT))
            continue;
        code[i] = (uint8_t)(c->n_values + 1);
        missing++;
    }
    if (!missing)
        return true;
    fw_buf_printf(&text, "%s is missing", c->name);
    return add_value(c, &text);
}

static int code_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct read *r = ctx;
    for (size_t j = chunk->from; j < chunk->to; j++) {
        struct raw *raw = &r->v[j];
        struct fw_column *c = &r->out->v[j];
        uint8_t *code = r->out->code + j * r->n;
        bool ok = (c->name = strdup(raw->name)) != NULL;
        if (ok && raw->text && !raw->many)
            ok = code_texts(raw, r->n, c, code);
        if (ok && raw->number)
            ok = code_numbers(raw, r->n, c, code);
        if (ok)
            ok = code_missing(raw, r->n, c, code);
        free(raw->number);
        raw->number = NULL;
        if (!ok)
            return fw_err_nomem(err);
    }
    return FW_OK;
}

static void drop_column(struct fw_column *c)
{
    for (size_t v = 0; v < c->n_values; v++)
        free(c->conditions[v]);
    free(c->conditions);
    free(c->name);
    *c = (struct fw_column){0};
}

/* Columns that tell no row from another go. */
static void squeeze(struct fw_fields *f)
{
    size_t to = 0;
    for (size_t j = 0; j < f->m; j++) {
        const uint8_t *code = f->code + j * f->n;
        size_t i = 1;
        while (i < f->n && code[i] == code[0])
            i++;
        if (i >= f->n) {
            drop_column(&f->v[j]);
            continue;
        }
        if (to != j) {
            f->v[to] = f->v[j];
            f->v[j] = (struct fw_column){0};
            memmove(f->code + to * f->n, code, f->n);
        }
        to++;
    }
    f->m = to;
}

static int add_class(const struct fw_task_info *task, const int *truth, struct fw_fields *f,
                     struct fw_err *err)
{
    struct fw_column *c = &f->v[f->m];
    bool ok = (c->name = strdup("class")) != NULL;
    for (size_t k = 0; k < task->n_classes && ok; k++) {
        struct fw_buf text = {0};
        char *equals = fw_slice_equals("class", task->classes[k]);
        fw_buf_puts(&text,
                    equals ? equals : "class is missing"); /* has no condition: matches none */
        free(equals);
        ok = add_value(c, &text);
    }
    for (size_t i = 0; i < f->n && ok; i++)
        f->code[f->m * f->n + i] = (uint8_t)(truth[i] + 1);
    f->m++; /* so that it is released */
    f->has_class = true;
    return ok ? FW_OK : fw_err_nomem(err);
}

static int read_rows(struct read *r, const struct fw_dataset *ds, const uint32_t *row,
                     struct fw_err *err)
{
    struct fw_rows *rows = fw_rows_new();
    int rc = rows ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < r->n && rc == FW_OK; i++) {
        const struct fw_sample *s = &ds->samples[row[i]];
        struct fw_row parsed;
        rc = fw_row_parse(rows, s->raw, s->raw_len, &parsed, err);
        if (rc == FW_OK)
            rc = put_row(r, i, &parsed, err);
    }
    fw_rows_free(rows);
    return rc;
}

int fw_fields_read(const struct fw_dataset *ds, const struct fw_task_info *task,
                   const uint32_t *row, size_t n, const int *truth, struct fw_fields *out,
                   struct fw_err *err)
{
    struct fw_fields f = {.n = n};
    struct read *r = calloc(1, sizeof *r);
    size_t bytes;
    if (!r)
        return fw_err_nomem(err);
    r->n = n;
    r->out = &f;
    int rc = read_rows(r, ds, row, err);
    if (rc == FW_OK) {
        f.v = calloc(r->m + 1, sizeof *f.v);
        if (!__builtin_mul_overflow(n, r->m + 1, &bytes))
            f.code = calloc(bytes + 1, 1);
        f.m = r->m;
        f.unread = r->unread;
        rc = f.v && f.code ? fw_parallel(r->m, 1, code_work, r, err) : fw_err_nomem(err);
    }
    if (rc == FW_OK)
        squeeze(&f);
    if (rc == FW_OK && truth && task->n_classes > 1 && task->n_classes <= MAX_CLASSES)
        rc = add_class(task, truth, &f, err);
    for (size_t j = 0; j < r->m; j++) {
        free(r->v[j].number);
        free(r->v[j].text);
        fw_ids_release(&r->v[j].texts);
    }
    fw_ids_release(&r->names);
    free(r->of_name);
    fw_arena_release(&r->arena);
    free(r);
    if (rc == FW_OK)
        *out = f;
    else
        fw_fields_release(&f);
    return rc;
}

void fw_fields_release(struct fw_fields *f)
{
    for (size_t j = 0; f->v && j < f->m; j++)
        drop_column(&f->v[j]);
    free(f->v);
    free(f->code);
    memset(f, 0, sizeof *f);
}
