#include "pipeline/base/csv.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"

/* One record while it is read: the text of all its fields, NUL behind each, and where they begin.
 * Pointers are made only when the record is whole, because the text moves as it grows. */
struct record {
    struct fw_buf text;
    struct fw_csv_field *fields;
    size_t *starts;
    size_t n, cap;
};

struct cursor {
    const char *name;
    const char *p, *end;
    int line;
    char sep;
};

static bool record_end_field(struct record *r, size_t start, bool quoted)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 16;
        struct fw_csv_field *f = realloc(r->fields, cap * sizeof *f);
        if (f)
            r->fields = f;
        size_t *s = f ? realloc(r->starts, cap * sizeof *s) : NULL;
        if (!s)
            return false;
        r->starts = s;
        r->cap = cap;
    }
    r->starts[r->n] = start;
    r->fields[r->n++] = (struct fw_csv_field){.len = r->text.len - start, .quoted = quoted};
    fw_buf_putc(&r->text, '\0');
    return !r->text.failed;
}

static int read_quoted(struct cursor *c, struct record *r, struct fw_err *err)
{
    int opened = c->line;
    for (c->p++;;) {
        const char *quote = memchr(c->p, '"', (size_t)(c->end - c->p));
        if (!quote) {
            fw_err_set(err, FW_EINVAL, "a quoted field is never closed");
            fw_err_at(err, c->name, opened, 0);
            return fw_err_hint(err, "close it with \" and double each quote inside it");
        }
        for (const char *q = c->p; q < quote; q++)
            c->line += *q == '\n';
        fw_buf_add(&r->text, c->p, (size_t)(quote - c->p));
        c->p = quote + 1;
        if (c->p == c->end || *c->p != '"')
            break;
        fw_buf_putc(&r->text, '"');
        c->p++;
    }
    if (c->p < c->end && *c->p != c->sep && *c->p != '\n' && *c->p != '\r') {
        fw_err_set(err, FW_EINVAL, "text behind the closing quote of a field");
        fw_err_at(err, c->name, c->line, 0);
        return fw_err_hint(err, "double each quote inside a quoted field");
    }
    return FW_OK;
}

static bool at_line_end(const struct cursor *c)
{
    return c->p == c->end || *c->p == '\n' ||
           (*c->p == '\r' && (c->p + 1 == c->end || c->p[1] == '\n'));
}

/* Reads one record, up to and with its line end. */
static int read_record(struct cursor *c, struct record *r, struct fw_err *err)
{
    fw_buf_clear(&r->text);
    r->n = 0;
    for (;;) {
        size_t start = r->text.len;
        bool quoted = c->p < c->end && *c->p == '"';
        if (quoted) {
            int rc = read_quoted(c, r, err);
            if (rc != FW_OK)
                return rc;
        }
        const char *from = c->p;
        while (!at_line_end(c) && *c->p != c->sep)
            c->p++;
        fw_buf_add(&r->text, from, (size_t)(c->p - from));
        if (!record_end_field(r, start, quoted))
            return fw_err_nomem(err);
        if (at_line_end(c))
            break;
        c->p++;
    }
    if (c->p < c->end && *c->p == '\r')
        c->p++;
    if (c->p < c->end && *c->p == '\n') {
        c->p++;
        c->line++;
    }
    for (size_t i = 0; i < r->n; i++)
        r->fields[i].p = r->text.p + r->starts[i];
    return FW_OK;
}

int fw_csv_each_mem(const char *name, const char *data, size_t size, char sep, fw_csv_fn *fn,
                    void *ctx, struct fw_err *err)
{
    struct cursor c = {.name = name, .p = data, .end = data + size, .line = 1, .sep = sep};
    struct record r = {0};
    int rc = FW_OK;
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        c.p += 3;
    while (rc == FW_OK && c.p < c.end) {
        int line = c.line;
        rc = read_record(&c, &r, err);
        bool blank = rc == FW_OK && r.n == 1 && r.fields[0].len == 0 && !r.fields[0].quoted;
        if (rc == FW_OK && !blank)
            rc = fn(ctx, r.fields, r.n, line, err);
    }
    fw_buf_release(&r.text);
    free(r.fields);
    free(r.starts);
    return rc;
}

int fw_csv_each(const char *path, char sep, fw_csv_fn *fn, void *ctx, struct fw_err *err)
{
    struct fw_buf data = {0};
    int rc = fw_fs_read(path, 0, &data, err);
    if (rc == FW_OK && data.len)
        rc = fw_csv_each_mem(path, data.p, data.len, sep, fn, ctx, err);
    fw_buf_release(&data);
    return rc;
}

void fw_csv_put(struct fw_buf *out, const char *text, size_t len, char sep)
{
    bool quote = len == 0 || memchr(text, '"', len) || memchr(text, '\n', len) ||
                 memchr(text, '\r', len) || memchr(text, sep, len) || text[0] == ' ' ||
                 text[len - 1] == ' ';
    if (!quote) {
        fw_buf_add(out, text, len);
        return;
    }
    fw_buf_putc(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            fw_buf_putc(out, '"');
        fw_buf_putc(out, text[i]);
    }
    fw_buf_putc(out, '"');
}
