/* CSV manifests: a header row, then a row a sample. Read twice: once for what the columns hold,
 * once for the rows. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/csv.h"
#include "pipeline/base/fs.h"
#include "pipeline/snap/source.h"

enum role { META, ID, FILE_NAME, TEXT, LABEL, SPLIT, FEATURE };

struct column {
    const char *name;
    enum role role;
    bool words;   /* holds something that is not a number */
    bool numbers; /* holds at least one number */
};

struct table {
    const struct fw_import_options *o;
    const struct fw_sink *sink;
    const char *path;
    struct fw_arena arena;
    struct column *cols;
    size_t n;
    bool header_done, bad_header, features;
    struct fw_buf row;
};

static bool is_nan_word(const char *s)
{
    if (*s == '-' || *s == '+')
        s++;
    return !strcasecmp(s, "nan") || !strcasecmp(s, "inf") || !strcasecmp(s, "infinity");
}

/* A number as people write it in tables: JSON's form, or with a plus, or without a digit on one
 * side of the point. "007" is a code, not a number; so is anything in hex. */
static bool is_number(const char *s)
{
    char *end;
    const char *p = s + (*s == '-' || *s == '+');
    if (!strchr("0123456789.", *p) || !*p || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
        return false;
    if (p[strspn(p, "0123456789.eE+-")] != '\0')
        return false;
    double v = strtod(s, &end);
    return *end == '\0' && isfinite(v);
}

static void put_number(struct fw_buf *out, const char *s)
{
    const char *p = *s == '+' ? s + 1 : s;
    const char *digits = *p == '-' ? p + 1 : p;
    size_t n = strlen(p);
    /* forms that JSON does not have get their missing zero */
    if (*digits == '.' || p[n - 1] == '.' || strstr(p, ".e") || strstr(p, ".E"))
        fw_buf_printf(out, "%.17g", strtod(p, NULL));
    else
        fw_buf_add(out, p, n);
}

static enum role role_of(const char *name)
{
    static const struct {
        const char *name;
        enum role role;
    } roles[] = {
        {"id", ID}, {"file_name", FILE_NAME}, {"text", TEXT}, {"label", LABEL}, {"split", SPLIT}};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (!strcmp(name, roles[i].name))
            return roles[i].role;
    return META;
}

static int read_header(struct table *t, const struct fw_csv_field *f, size_t n, int line,
                       struct fw_err *err)
{
    t->cols = fw_arena_array(&t->arena, n, sizeof *t->cols);
    t->n = n;
    t->header_done = true;
    for (size_t i = 0; i < n; i++) {
        const char *name = t->cols ? fw_arena_strdup(&t->arena, f[i].p) : NULL;
        if (!name)
            return fw_err_nomem(err);
        t->cols[i] = (struct column){.name = name, .role = role_of(name)};
        if (!f[i].len) {
            fw_sink_problem(t->sink, t->path, line, "the first row holds the names of the columns",
                            "column %zu has no name", i + 1);
            t->bad_header = true;
        }
        for (size_t k = 0; k < i; k++) {
            if (f[i].len && !strcmp(t->cols[k].name, name)) {
                fw_sink_problem(t->sink, t->path, line, NULL, "two columns are named '%s'", name);
                t->bad_header = true;
            }
        }
    }
    return FW_OK;
}

static int scan(void *ctx, const struct fw_csv_field *f, size_t n, int line, struct fw_err *err)
{
    struct table *t = ctx;
    if (!t->header_done)
        return read_header(t, f, n, line, err);
    if (n != t->n) {
        fw_sink_problem(t->sink, t->path, line, NULL, "%zu fields where the first row has %zu", n,
                        t->n);
        t->bad_header = t->bad_header || n > t->n;
    }
    for (size_t i = 0; i < n && i < t->n; i++) {
        if (!f[i].len || is_nan_word(f[i].p))
            continue;
        if (is_number(f[i].p))
            t->cols[i].numbers = true;
        else
            t->cols[i].words = true;
    }
    return FW_OK;
}

/* Without a column that holds the content, the numbers are the content. */
static void choose_features(struct table *t)
{
    size_t n = 0;
    bool labelled = false;
    for (size_t i = 0; i < t->n; i++) {
        labelled = labelled || t->cols[i].role == LABEL;
        if (t->cols[i].role == FILE_NAME || t->cols[i].role == TEXT)
            n++;
    }
    if (!labelled && !t->o->only_read) {
        fw_sink_problem(t->sink, t->path, 1, "name the column that holds the class `label`",
                        "there is no column 'label'");
        t->bad_header = true;
    }
    if (n || t->o->only_read)
        return;
    struct fw_buf names = {0};
    for (size_t i = 0; i < t->n; i++) {
        struct column *c = &t->cols[i];
        if (c->role != META || c->words || !c->numbers)
            continue;
        c->role = FEATURE;
        if (n++ < 3)
            fw_buf_printf(&names, "%s%s", n > 1 ? ", " : "", c->name);
    }
    t->features = n > 0;
    if (n)
        fw_buf_printf(t->sink->warnings,
                      "%s: no file_name or text column, so the %zu numeric columns (%s%s) are the "
                      "features, in this order\n",
                      fw_fs_base(t->path), n, names.p ? names.p : "", n > 3 ? ", …" : "");
    else
        fw_sink_problem(t->sink, t->path, 1,
                        "a sample's content is a file_name, a text, or columns of numbers",
                        "no column holds the content of the samples");
    t->bad_header = t->bad_header || n == 0;
    fw_buf_release(&names);
}

/* One value as JSON; false when the row cannot be used. */
static bool put_value(struct table *t, const struct column *c, const struct fw_csv_field *f,
                      int line)
{
    bool number = c->role == FEATURE || (c->role == META && c->numbers && !c->words) ||
                  (c->role == LABEL && t->o->task == FW_REGRESSION);
    if (number && is_nan_word(f->p)) {
        fw_sink_problem(t->sink, t->path, line, "leave the field empty or leave the sample out",
                        "column '%s' holds %s, which is not a number", c->name, f->p);
        return false;
    }
    if (number && is_number(f->p))
        put_number(&t->row, f->p);
    else
        fw_buf_json_str(&t->row, f->p, f->len);
    return true;
}

static void put_key(struct table *t, const char *key)
{
    if (t->row.len > 1)
        fw_buf_putc(&t->row, ',');
    fw_buf_json_str(&t->row, key, strlen(key));
    fw_buf_putc(&t->row, ':');
}

static int make_row(void *ctx, const struct fw_csv_field *f, size_t n, int line, struct fw_err *err)
{
    struct table *t = ctx;
    if (!t->header_done) {
        t->header_done = true;
        return FW_OK;
    }
    if (n != t->n)
        return FW_OK; /* reported by scan() */
    fw_buf_clear(&t->row);
    fw_buf_putc(&t->row, '{');
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        if (t->cols[i].role == FEATURE || (!f[i].len && !f[i].quoted) ||
            (!f[i].len && t->cols[i].role != TEXT))
            continue;
        put_key(t, t->cols[i].name);
        ok = put_value(t, &t->cols[i], &f[i], line);
    }
    if (t->features)
        put_key(t, "features");
    for (size_t i = 0, k = 0; i < n && ok && t->features; i++) {
        if (t->cols[i].role != FEATURE)
            continue;
        fw_buf_putc(&t->row, k++ ? ',' : '[');
        if (f[i].len) {
            ok = put_value(t, &t->cols[i], &f[i], line);
        } else {
            fw_sink_problem(t->sink, t->path, line,
                            "fill the gap, or leave the column or the sample out",
                            "column '%s' is empty, and it is one of the features", t->cols[i].name);
            ok = false;
        }
    }
    fw_buf_puts(&t->row, t->features ? "]}" : "}");
    if (t->row.failed)
        return fw_err_nomem(err);
    return ok ? t->sink->row(t->sink->ctx, t->row.p, t->row.len, t->path, line, err) : FW_OK;
}

int fw_source_csv(const struct fw_import_options *o, const char *path, const struct fw_sink *sink,
                  struct fw_err *err)
{
    struct table t = {.o = o, .sink = sink, .path = path};
    struct fw_buf data = {0};
    size_t n = strlen(path);
    char sep = n > 4 && strcasecmp(path + n - 4, ".tsv") == 0 ? '\t' : ',';
    int rc = fw_fs_read(path, 0, &data, err);
    if (rc == FW_OK && data.len) {
        struct fw_err form = {0};
        rc = fw_csv_each_mem(path, data.p, data.len, sep, scan, &t, &form);
        if (rc == FW_EINVAL) {
            sink->problem(sink->ctx, &form); /* the form is broken: what follows means nothing */
            rc = FW_OK;
            goto out;
        }
        if (rc != FW_OK && err)
            *err = form;
    }
    if (rc == FW_OK && !t.header_done) {
        fw_sink_problem(sink, path, 0, NULL, "the file is empty");
        goto out;
    }
    if (rc == FW_OK)
        choose_features(&t);
    t.header_done = false;
    if (rc == FW_OK && !t.bad_header)
        rc = fw_csv_each_mem(path, data.p, data.len, sep, make_row, &t, err);
out:
    fw_buf_release(&data);
    fw_buf_release(&t.row);
    fw_arena_release(&t.arena);
    return rc;
}
