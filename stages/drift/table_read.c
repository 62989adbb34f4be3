/* Rows from files: JSON lines and CSV. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/csv.h"
#include "stages/drift/table.h"

struct reading {
    struct fw_drift_table *table;
    int side;
    const char *path;
    struct fw_arena arena; /* the names of the columns */
    const char **names;
    size_t n;
    struct fw_field *fields;
};

static int on_row(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    struct reading *r = ctx;
    int rc = fw_drift_table_row(r->table, r->side, row, err);
    if (rc != FW_OK)
        fw_err_at(err, r->path, line, 0);
    return rc;
}

static int read_header(struct reading *r, const struct fw_csv_field *fields, size_t n,
                       struct fw_err *err)
{
    r->names = fw_arena_array(&r->arena, n, sizeof *r->names);
    r->fields = fw_arena_array(&r->arena, n, sizeof *r->fields);
    if (!r->names || !r->fields)
        return fw_err_nomem(err);
    for (size_t i = 0; i < n; i++) {
        if (!(r->names[i] = fw_arena_strdup(&r->arena, fields[i].p)))
            return fw_err_nomem(err);
        for (size_t j = 0; j < i; j++)
            if (!strcmp(r->names[i], r->names[j]))
                return fw_err_set(err, FW_EINVAL, "two columns are named '%.200s'", r->names[i]);
    }
    r->n = n;
    return FW_OK;
}

/* A number as JSON or people write it; "007", hexadecimal, "nan" and "inf" are texts. */
static bool read_number(const char *s, double *out)
{
    const char *p = s + (*s == '-' || *s == '+');
    char *end;
    if (!*p || !strchr("0123456789.", *p) || (p[0] == '0' && p[1] >= '0' && p[1] <= '9') ||
        p[strspn(p, "0123456789.eE+-")])
        return false;
    *out = strtod(s, &end);
    return end != s && !*end && isfinite(*out);
}

/* UTF-8 as RFC 3629 has it. Whatever is compared is written to JSON. */
static bool is_utf8(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + n;
    while (p < end) {
        unsigned char c = *p++;
        size_t more = c < 0x80 ? 0 : c < 0xc2 ? 9 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : 9;
        if (more > (size_t)(end - p))
            return false;
        if ((c == 0xe0 && *p < 0xa0) || (c == 0xed && *p > 0x9f) || (c == 0xf0 && *p < 0x90) ||
            (c == 0xf4 && *p > 0x8f))
            return false;
        for (; more; more--)
            if ((*p++ & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static int read_record(struct reading *r, const struct fw_csv_field *fields, size_t n,
                       struct fw_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!is_utf8(fields[i].p, fields[i].len))
            return fw_err_set(err, FW_EINVAL, "column %zu is not valid UTF-8", i + 1);
    if (!r->names)
        return read_header(r, fields, n, err);
    if (n != r->n)
        return fw_err_set(err, FW_EINVAL, "%zu fields, but the header names %zu", n, r->n);
    struct fw_row row = {.fields = r->fields, .n = n};
    for (size_t i = 0; i < n; i++) {
        struct fw_field *f = &r->fields[i];
        *f = (struct fw_field){
            .key = r->names[i], .type = FW_STRING, .str = fields[i].p, .str_len = fields[i].len};
        if (!fields[i].quoted && !fields[i].len)
            f->type = FW_NULL;
        else if (!fields[i].quoted && read_number(fields[i].p, &f->number))
            f->type = FW_NUMBER;
    }
    return fw_drift_table_row(r->table, r->side, &row, err);
}

static int on_record(void *ctx, const struct fw_csv_field *fields, size_t n, int line,
                     struct fw_err *err)
{
    struct reading *r = ctx;
    int rc = read_record(r, fields, n, err);
    if (rc != FW_OK)
        fw_err_at(err, r->path, line, 0);
    return rc;
}

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n >= m && !strcmp(path + n - m, end);
}

int fw_drift_table_read(struct fw_drift_table *t, int side, const char *path, struct fw_err *err)
{
    struct reading r = {.table = t, .side = side, .path = path};
    int rc;
    if (ends_with(path, ".csv") || ends_with(path, ".tsv"))
        rc = fw_csv_each(path, ends_with(path, ".csv") ? ',' : '\t', on_record, &r, err);
    else
        rc = fw_rows_each(path, on_row, &r, err);
    fw_arena_release(&r.arena);
    return rc;
}
