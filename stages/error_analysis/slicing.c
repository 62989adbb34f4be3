#include "stages/error_analysis/slicing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/buf.h"
#include "stages/error_analysis/slice.h"

enum { MAX_VALUES = 50 }; /* slices from one field */

struct pass {
    const struct fw_analysis_input *in;
    const struct fw_judged *j;
    const struct fw_found *found;
    const struct fw_ids *suspects;
    struct fw_slicing *s;
    size_t first_found;
    struct fw_slice **conditions; /* n_slices; NULL: said already */
    size_t first_value;           /* slices from here on come from fields */
    size_t *at;                   /* of a condition: its slice */
    size_t *values, *dropped;     /* of a field: slices made, rows whose value made none */
    size_t *seen;                 /* rows that matched or had the field */
};

char *fw_slice_equals(const char *field, const char *value)
{
    struct fw_buf b = {0};
    char quote = strchr(value, '\'') ? '"' : '\'';
    if (strchr(value, quote))
        return NULL;
    fw_buf_printf(&b, "%s == %c%s%c", field, quote, value, quote);
    return fw_buf_steal(&b);
}

/* Takes text. */
static int add_slice(struct fw_slicing *s, char *text, const char *klass, struct fw_err *err)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 32;
        struct fw_slice_count *v = realloc(s->v, cap * sizeof *v);
        if (!v) {
            free(text);
            return fw_err_nomem(err);
        }
        s->v = v;
        s->cap = cap;
    }
    if (!text)
        return fw_err_nomem(err);
    s->v[s->n++] = (struct fw_slice_count){.text = text, .klass = klass};
    return FW_OK;
}

static int note(json_t *notes, struct fw_buf *b, struct fw_err *err)
{
    int bad = b->failed || json_array_append_new(notes, json_string(b->p));
    fw_buf_release(b);
    return bad ? fw_err_nomem(err) : FW_OK;
}

/* One sample, as a slice sees it. */
struct verdict {
    bool train, suspect, judged;
    uint32_t row; /* judged: its row there */
};

static int count(const struct pass *p, struct fw_slice_count *c, const struct verdict *v,
                 struct fw_err *err)
{
    double loss = v->judged ? p->j->loss[v->row] : 0;
    c->train_n += v->train;
    c->suspects += v->suspect;
    if (!v->judged)
        return FW_OK;
    c->n_all++;
    if (!c->held_out || !p->j->explored[v->row]) {
        c->n++;
        c->errors += p->j->error[v->row];
        c->sum += loss;
        c->square += loss * loss;
    }
    if (!(loss > 0))
        return FW_OK;
    if (c->n_rows == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        uint32_t *more = realloc(c->row, cap * sizeof *more);
        if (!more)
            return fw_err_nomem(err);
        c->row = more;
        c->cap = cap;
    }
    c->row[c->n_rows++] = v->row;
    return FW_OK;
}

/* No index: too many values; a declared condition counts it; memory is out. */
enum { NO_SLICE = -1, COUNTED = -2, NO_MEMORY = -3 };

/* The slice of this value of a field, made when it is new. */
static long value_slice(struct pass *p, size_t d, const char *field, const struct fw_field *f)
{
    struct fw_buf raw = {0};
    char *text = NULL;
    if (f->type == FW_STRING && !memchr(f->str, '\0', f->str_len)) {
        text = fw_slice_equals(field, f->str);
    } else if (f->type == FW_NUMBER || f->type == FW_BOOL) {
        fw_buf_printf(&raw, "%s == %.*s", field, (int)f->raw_len, f->raw);
        text = fw_buf_steal(&raw);
    }
    if (!text)
        return NO_SLICE;
    long at = fw_ids_find(&p->s->texts, text);
    if (at >= 0 || p->values[d] >= MAX_VALUES) {
        free(text);
        at += (long)p->in->task->n_classes;
        return at < (long)p->in->task->n_classes ? NO_SLICE
               : at < (long)p->first_value       ? COUNTED
                                                 : at;
    }
    if (add_slice(p->s, text, NULL, NULL) != FW_OK || fw_ids_add(&p->s->texts, text) < 0)
        return NO_MEMORY;
    p->values[d]++;
    return (long)p->s->n - 1;
}

static int count_row(struct pass *p, const struct fw_row *row, const struct verdict *v,
                     struct fw_err *err)
{
    for (size_t d = 0; d < p->in->n_slices; d++) {
        if (!p->conditions[d])
            continue;
        const char *field = fw_slice_field(p->conditions[d]);
        if (!fw_slice_match(p->conditions[d], row))
            continue;
        p->seen[d]++;
        long at = field ? value_slice(p, d, field, fw_slice_get(row, field)) : (long)p->at[d];
        if (at == NO_MEMORY)
            return fw_err_nomem(err);
        p->dropped[d] += at == NO_SLICE;
        int rc = at >= 0 ? count(p, &p->s->v[at], v, err) : FW_OK;
        if (rc != FW_OK)
            return rc;
    }
    return FW_OK;
}

/* The found slices that the sample is in; found[i] is slice first_found + i. */
static int count_found(struct pass *p, const struct fw_row *row, const struct verdict *v,
                       struct fw_err *err)
{
    int rc = FW_OK;
    for (size_t i = 0; i < p->found->n && rc == FW_OK; i++) {
        const struct fw_found_slice *f = &p->found->v[i];
        bool in = f->condition ? fw_slice_match(f->condition, row)
                               : v->judged && p->found->cluster[v->row] == f->cluster;
        struct verdict seen = *v;
        seen.train = seen.train && f->condition;
        seen.suspect = seen.suspect && f->condition;
        if (in)
            rc = count(p, &p->s->v[p->first_found + i], &seen, err);
    }
    return rc;
}

static void count_base(const struct fw_judged *j, bool held_out, struct fw_slice_base *b)
{
    for (size_t i = 0; i < j->n; i++) {
        if (held_out && j->explored[i])
            continue;
        b->n++;
        b->errors += j->error[i];
        b->sum += j->loss[i];
        b->square += j->loss[i] * j->loss[i];
    }
}

static int count_samples(struct pass *p, struct fw_err *err)
{
    const struct fw_dataset *ds = p->in->data;
    bool read = p->in->n_slices || p->found->n;
    struct fw_rows *rows = read ? fw_rows_new() : NULL;
    int rc = read && !rows ? fw_err_nomem(err) : FW_OK;
    size_t next = 0;
    for (size_t i = 0; i < ds->n && rc == FW_OK; i++) {
        const struct fw_sample *s = &ds->samples[i];
        struct verdict v = {.train = fw_analysis_trains(p->in, s)};
        struct fw_row row;
        if (next < p->j->n && p->j->row[next] == i) {
            v.judged = true;
            v.row = (uint32_t)next++;
        }
        if (!v.train && !v.judged)
            continue;
        v.suspect = v.train && p->suspects && fw_ids_find(p->suspects, s->id) >= 0;
        p->s->train_n += v.train;
        if (s->klass >= 0)
            rc = count(p, &p->s->v[s->klass], &v, err);
        if (rc == FW_OK && rows)
            rc = fw_row_parse(rows, s->raw, s->raw_len, &row, err);
        if (rc == FW_OK && rows)
            rc = count_row(p, &row, &v, err);
        if (rc == FW_OK && rows)
            rc = count_found(p, &row, &v, err);
    }
    fw_rows_free(rows);
    return rc;
}

/* Slices that are there already: written twice, or the classes once more. */
static bool said_before(const struct pass *p, size_t d)
{
    const char *text = p->in->slices[d];
    if (!strcmp(text, "class") || !strcmp(text, "label"))
        return p->in->task->n_classes > 0;
    for (size_t c = 0; c < p->in->task->n_classes; c++)
        if (!strcmp(text, p->s->v[c].text))
            return true;
    for (size_t e = 0; e < d; e++)
        if (!strcmp(text, p->in->slices[e]))
            return true;
    return false;
}

static int declare(struct pass *p, struct fw_err *err)
{
    const struct fw_analysis_input *in = p->in;
    for (size_t c = 0; c < in->task->n_classes; c++) {
        const char *name = in->task->classes[c];
        char *text = fw_slice_equals("class", name);
        int rc = add_slice(p->s, text ? text : strdup(name), name, err);
        if (rc != FW_OK)
            return rc;
    }
    for (size_t d = 0; d < in->n_slices; d++) {
        if (said_before(p, d))
            continue;
        int rc = fw_slice_parse(in->slices[d], &p->conditions[d], err);
        if (rc != FW_OK)
            return fw_err_wrap(err, "slice \"%s\"", in->slices[d]);
        if (fw_slice_field(p->conditions[d]))
            continue;
        p->at[d] = p->s->n;
        char *text = strdup(in->slices[d]);
        if ((rc = add_slice(p->s, text, NULL, err)) != FW_OK)
            return rc;
        long at = fw_ids_add(&p->s->texts, text);
        if (at < 0)
            return fw_err_nomem(err);
    }
    for (size_t i = 0; i < p->found->n; i++) {
        if (i == 0)
            p->first_found = p->s->n;
        const struct fw_found_slice *f = &p->found->v[i];
        int rc = add_slice(p->s, strdup(f->text), NULL, err);
        if (rc != FW_OK)
            return rc;
        p->s->v[p->s->n - 1].found = f;
        p->s->v[p->s->n - 1].held_out = f->condition != NULL;
        if (fw_ids_add(&p->s->texts, p->s->v[p->s->n - 1].text) < 0)
            return fw_err_nomem(err);
    }
    p->first_value = p->s->n;
    return FW_OK;
}

static int tell(struct pass *p, json_t *notes, struct fw_err *err)
{
    int rc = FW_OK;
    for (size_t d = 0; d < p->in->n_slices && rc == FW_OK; d++) {
        struct fw_buf b = {0};
        const char *text = p->in->slices[d];
        if (!p->conditions[d])
            continue;
        if (!p->seen[d])
            fw_buf_printf(&b,
                          fw_slice_field(p->conditions[d])
                              ? "No sample has the field '%s', so it makes no slice."
                              : "No sample matches the slice \"%s\".",
                          text);
        else if (p->dropped[d])
            fw_buf_printf(&b,
                          "The field '%s' has many values: the first %d make a slice each, %zu "
                          "samples with other values make none.",
                          text, MAX_VALUES, p->dropped[d]);
        if (b.len)
            rc = note(notes, &b, err);
    }
    if (p->j->unjudged && rc == FW_OK) {
        struct fw_buf b = {0};
        fw_buf_printf(&b, "%zu %ssamples have no label or no prediction and are not judged.",
                      p->j->unjudged, p->in->judge_all ? "" : "dev ");
        rc = note(notes, &b, err);
    }
    return rc;
}

int fw_slicing_count(const struct fw_analysis_input *in, const struct fw_judged *j,
                     const struct fw_found *found, const struct fw_ids *suspects,
                     struct fw_slicing *out, json_t *notes, struct fw_err *err)
{
    size_t n = in->n_slices + 1;
    struct pass p = {.in = in, .j = j, .found = found, .suspects = suspects, .s = out};
    p.conditions = calloc(n, sizeof(struct fw_slice *));
    p.at = calloc(4 * n, sizeof *p.at);
    int rc = p.conditions && p.at ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK) {
        p.values = p.at + n;
        p.dropped = p.values + n;
        p.seen = p.dropped + n;
        count_base(j, false, &out->all);
        count_base(j, true, &out->half);
        rc = declare(&p, err);
    }
    if (rc == FW_OK)
        rc = count_samples(&p, err);
    if (rc == FW_OK)
        rc = tell(&p, notes, err);
    for (size_t d = 0; p.conditions && d < in->n_slices; d++)
        fw_slice_free(p.conditions[d]);
    free(p.conditions);
    free(p.at);
    return rc;
}

void fw_slicing_release(struct fw_slicing *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].text);
        free(s->v[i].row);
    }
    free(s->v);
    fw_ids_release(&s->texts);
    memset(s, 0, sizeof *s);
}
