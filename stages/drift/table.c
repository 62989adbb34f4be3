#include "stages/drift/table.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fw_drift_table *fw_drift_table_new(const struct fw_drift_options *options)
{
    struct fw_drift_table *t = calloc(1, sizeof *t);
    if (t)
        t->options = *options;
    return t;
}

static void release_column(struct fw_column *c)
{
    for (int s = 0; s < FW_SIDES; s++) {
        free(c->numbers[s].v);
        free(c->lengths[s].v);
    }
    fw_ids_release(&c->names);
    free(c->categories);
    fw_vocabulary_free(c->words);
}

void fw_drift_table_free(struct fw_drift_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        release_column(&t->columns[i]);
    free(t->columns);
    fw_ids_release(&t->names);
    fw_arena_release(&t->arena);
    free(t);
}

static bool is_one_of(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name, list[i]))
            return true;
    return false;
}

static bool is_wanted(const struct fw_drift_table *t, const char *name)
{
    static const char *const apart[] = {"id", "split", "file_name", "provenance"};
    const struct fw_drift_options *o = &t->options;
    if (is_one_of(name, o->ignore, o->n_ignore))
        return false;
    if (o->n_fields)
        return is_one_of(name, o->fields, o->n_fields);
    return !is_one_of(name, apart, sizeof apart / sizeof *apart);
}

/* The column of a name, made when it is new; NULL when memory is out. Rows mostly have their fields
 * in one order, so the column behind the last one is looked at first. */
static struct fw_column *column_of(struct fw_drift_table *t, const char *name, int feature)
{
    if (t->guess < t->n && !strcmp(t->columns[t->guess].name, name))
        return &t->columns[t->guess++];
    long at = fw_ids_find(&t->names, name);
    if (at < 0) {
        if (t->n == t->cap) {
            size_t cap = t->cap ? 2 * t->cap : 32;
            struct fw_column *longer = realloc(t->columns, cap * sizeof *longer);
            if (!longer)
                return NULL;
            t->columns = longer;
            t->cap = cap;
        }
        const char *own = fw_arena_strdup(&t->arena, name);
        if (!own || (at = fw_ids_add(&t->names, own)) < 0)
            return NULL;
        bool text = !strcmp(name, "text");
        t->columns[t->n++] = (struct fw_column){
            .name = own, .feature = feature, .use = text ? FW_TEXT_WORDS : FW_TEXT_UNDECIDED};
    }
    t->guess = (size_t)at + 1;
    return &t->columns[at];
}

static bool push(struct fw_numbers *to, double x)
{
    if (to->n == to->cap) {
        size_t cap = to->cap ? 2 * to->cap : 256;
        double *longer =
            cap <= SIZE_MAX / sizeof *longer ? realloc(to->v, cap * sizeof *longer) : NULL;
        if (!longer)
            return false;
        to->v = longer;
        to->cap = cap;
    }
    to->v[to->n++] = x;
    return true;
}

static bool count_name(struct fw_drift_table *t, struct fw_column *c, int side, const char *name,
                       size_t n)
{
    if (c->too_many)
        return true;
    long at = fw_ids_find(&c->names, name);
    if (at < 0) {
        if (c->names.n == FW_DRIFT_CATEGORIES) {
            c->too_many = true;
            return true;
        }
        if (c->names.n == c->cap) {
            size_t cap = c->cap ? 2 * c->cap : 32;
            struct fw_category *longer = realloc(c->categories, cap * sizeof *longer);
            if (!longer)
                return false;
            c->categories = longer;
            c->cap = cap;
        }
        const char *own = fw_arena_strndup(&t->arena, name, n);
        if (!own || (at = fw_ids_add(&c->names, own)) < 0)
            return false;
        c->categories[at] = (struct fw_category){.n = {0}};
    }
    c->categories[at].n[side]++;
    return true;
}

static void drop_names(struct fw_column *c)
{
    fw_ids_release(&c->names);
    free(c->categories);
    c->categories = NULL;
    c->cap = 0;
}

static void decide(struct fw_column *c)
{
    c->use = c->looked && c->spaces >= 3 * c->looked ? FW_TEXT_WORDS : FW_TEXT_CATEGORY;
    if (c->use == FW_TEXT_WORDS) {
        drop_names(c);
        return;
    }
    fw_vocabulary_free(c->words);
    c->words = NULL;
    for (int s = 0; s < FW_SIDES; s++) {
        free(c->lengths[s].v);
        c->lengths[s] = (struct fw_numbers){0};
    }
}

/* The first texts of a field are counted both ways, until it is clear what it holds. */
static int add_text(struct fw_drift_table *t, struct fw_column *c, int side, const char *text,
                    size_t n, struct fw_err *err)
{
    c->texts[side]++;
    if (c->use != FW_TEXT_WORDS && !count_name(t, c, side, text, strlen(text)))
        return fw_err_nomem(err);
    if (c->use != FW_TEXT_CATEGORY) {
        double length = 0;
        for (size_t i = 0; i < n; i++)
            length += ((unsigned char)text[i] & 0xc0) != 0x80;
        if ((!c->words && !(c->words = fw_vocabulary_new())) || !push(&c->lengths[side], length))
            return fw_err_nomem(err);
        int rc = fw_vocabulary_add(c->words, side, text, n, err);
        if (rc != FW_OK)
            return rc;
    }
    if (c->use == FW_TEXT_UNDECIDED) {
        for (size_t i = 0; i < n; i++)
            c->spaces += text[i] == ' ';
        if (++c->looked == FW_DRIFT_LOOK)
            decide(c);
    }
    return FW_OK;
}

static int add_features(struct fw_drift_table *t, int side, const struct fw_field *f,
                        struct fw_err *err)
{
    double *v = NULL;
    size_t n = 0;
    int rc = fw_field_numbers(f, &v, &n, err);
    if (rc != FW_OK)
        return fw_err_wrap(err, "'features'");
    t->wide[side] += n > FW_DRIFT_FEATURES;
    for (size_t i = 0; rc == FW_OK && i < n && n <= FW_DRIFT_FEATURES; i++) {
        char name[32];
        snprintf(name, sizeof name, "features[%zu]", i);
        struct fw_column *c = column_of(t, name, (int)i);
        if (!c || !push(&c->numbers[side], v[i]))
            rc = fw_err_nomem(err);
        else
            c->present[side]++;
    }
    free(v);
    return rc;
}

static int add_field(struct fw_drift_table *t, int side, const struct fw_field *f,
                     struct fw_err *err)
{
    if (f->type == FW_NULL || !is_wanted(t, f->key))
        return FW_OK;
    if (f->type == FW_ARRAY && !strcmp(f->key, "features"))
        return add_features(t, side, f, err);
    struct fw_column *c = column_of(t, f->key, -1);
    if (!c)
        return fw_err_nomem(err);
    c->present[side]++;
    switch (f->type) {
    case FW_NUMBER:
        return push(&c->numbers[side], f->number) ? FW_OK : fw_err_nomem(err);
    case FW_STRING:
        return add_text(t, c, side, f->str, f->str_len, err);
    case FW_BOOL:
        c->bools[side]++;
        return count_name(t, c, side, f->boolean ? "true" : "false", f->boolean ? 4 : 5)
                   ? FW_OK
                   : fw_err_nomem(err);
    default:
        c->other[side]++;
        return FW_OK;
    }
}

int fw_drift_table_row(struct fw_drift_table *t, int side, const struct fw_row *row,
                       struct fw_err *err)
{
    if (side == FW_REFERENCE && t->options.split) {
        const char *split = fw_row_str(row, "split");
        if (split && strcmp(split, t->options.split) != 0)
            return FW_OK;
    }
    t->guess = 0;
    for (size_t i = 0; i < row->n; i++) {
        int rc = add_field(t, side, &row->fields[i], err);
        if (rc != FW_OK)
            return rc;
    }
    t->rows[side]++;
    return FW_OK;
}

/* Numbers among texts are names of categories, as the row would write them. */
static int name_numbers(struct fw_drift_table *t, struct fw_column *c, struct fw_err *err)
{
    for (int s = 0; s < FW_SIDES; s++) {
        for (size_t i = 0; i < c->numbers[s].n; i++) {
            char name[32];
            double x = c->numbers[s].v[i];
            int len = snprintf(name, sizeof name, "%.15g", x);
            if (strtod(name, NULL) != x)
                len = snprintf(name, sizeof name, "%.17g", x);
            if (!count_name(t, c, s, name, (size_t)len))
                return fw_err_nomem(err);
        }
        free(c->numbers[s].v);
        c->numbers[s] = (struct fw_numbers){0};
    }
    return FW_OK;
}

int fw_drift_table_settle(struct fw_drift_table *t, struct fw_err *err)
{
    int rc = FW_OK;
    for (size_t i = 0; i < t->n && rc == FW_OK; i++) {
        struct fw_column *c = &t->columns[i];
        bool names = c->texts[0] + c->texts[1] + c->bools[0] + c->bools[1] > 0;
        if (c->use == FW_TEXT_UNDECIDED)
            decide(c);
        if (names && c->use == FW_TEXT_CATEGORY && c->numbers[0].n + c->numbers[1].n > 0)
            rc = name_numbers(t, c, err);
    }
    return rc;
}
