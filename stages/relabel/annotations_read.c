/* Files of answers: CSV, TSV and JSON lines. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/csv.h"
#include "pipeline/base/fs.h"
#include "pipeline/base/rows.h"
#include "stages/relabel/annotations.h"

enum column { TASK, LABELLER, KLASS, GOLD, WEIGHT, COLUMNS };

static const char *const what[COLUMNS] = {"task", "labeller", "label", "gold", "weight"};
static const char *const usual[COLUMNS][9] = {
    {"task", "task_id", "item", "id", "sample", "sample_id", "question"},
    {"labeller", "labeler", "worker", "worker_id", "annotator", "rater", "user", "by"},
    {"label", "class", "answer", "response"},
    {"gold", "truth", "true_label"},
    {"weight"},
};
static const char *const usual_gold[9] = {"gold", "truth", "true_label", "label", "class"};

struct reading {
    struct fw_annotations *a;
    const char *name;
    const char *asked[COLUMNS];
    bool need[COLUMNS];
    bool gold_only;
    int header; /* 1, 0, -1: not known yet */
    bool started;
    size_t at[COLUMNS]; /* CSV; SIZE_MAX: not there */
    struct fw_buf text; /* of a number in JSON */
};

static int refuse(const struct reading *r, int line, struct fw_err *err)
{
    fw_err_at(err, r->name, line, 0);
    return err ? err->code : FW_EINVAL;
}

static const char *const *names_of(const struct reading *r, enum column c)
{
    return r->gold_only && c == GOLD ? usual_gold : usual[c];
}

/* "3" is the third column; anything else is a name. 0: a name. */
static size_t as_position(const char *asked)
{
    char *end;
    if (!asked || asked[0] < '1' || asked[0] > '9')
        return 0;
    unsigned long v = strtoul(asked, &end, 10);
    return *end || v > 100000 ? 0 : v;
}

static size_t find_name(const struct fw_csv_field *f, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(f[i].p, name))
            return i;
    return SIZE_MAX;
}

/* Where each column is, by the first record. True when it is a header: all that are needed are
 * there, and at least one by its name (numbers alone say nothing about a header). */
static bool by_header(struct reading *r, const struct fw_csv_field *f, size_t n)
{
    bool all = true, named = r->header == 1;
    for (int c = 0; c < COLUMNS; c++) {
        size_t p = as_position(r->asked[c]);
        r->at[c] = p ? p - 1 : SIZE_MAX;
        if (r->asked[c] && !p) {
            r->at[c] = find_name(f, n, r->asked[c]);
        } else if (!r->asked[c] && (!r->gold_only || r->need[c])) {
            const char *const *names = names_of(r, (enum column)c);
            for (size_t i = 0; names[i] && r->at[c] == SIZE_MAX; i++)
                r->at[c] = find_name(f, n, names[i]);
        }
        all = all && (!r->need[c] || r->at[c] != SIZE_MAX);
        named = named || (r->need[c] && !p && r->at[c] != SIZE_MAX);
    }
    return all && named;
}

/* The columns by number alone: for a file without a header. */
static bool by_number(struct reading *r)
{
    bool all = true;
    for (int c = 0; c < COLUMNS; c++) {
        size_t p = as_position(r->asked[c]);
        r->at[c] = p ? p - 1 : SIZE_MAX;
        all = all && (r->need[c] || r->asked[c] ? p > 0 : true);
    }
    return all;
}

static int no_columns(const struct reading *r, int line, struct fw_err *err)
{
    int missing = TASK;
    while (missing < COLUMNS - 1 && !(r->need[missing] && r->at[missing] == SIZE_MAX))
        missing++;
    if (r->asked[missing])
        fw_err_set(err, FW_EINVAL, "there is no column '%.200s' for the %s", r->asked[missing],
                   what[missing]);
    else
        fw_err_set(err, FW_EINVAL, "no column is known to hold the %s", what[missing]);
    fw_err_hint(err, "name the columns, or number them from 1 when there is no header (for example "
                     "task 2, labeller 1, label 3)");
    return refuse(r, line, err);
}

static int take(struct reading *r, const char *v[COLUMNS], int line, struct fw_err *err)
{
    double weight = 1;
    int rc = FW_OK;
    if (v[WEIGHT] && v[WEIGHT][0]) {
        char *end;
        weight = strtod(v[WEIGHT], &end);
        if (*end) {
            fw_err_set(err, FW_EINVAL, "the weight '%.200s' is not a number", v[WEIGHT]);
            return refuse(r, line, err);
        }
    }
    if (!r->gold_only && v[KLASS] && v[KLASS][0])
        rc = fw_annotations_add(r->a, v[TASK] ? v[TASK] : "", v[LABELLER] ? v[LABELLER] : "",
                                v[KLASS], weight, err);
    if (rc == FW_OK && v[GOLD] && v[GOLD][0])
        rc = fw_annotations_gold(r->a, v[TASK] ? v[TASK] : "", v[GOLD], err);
    return rc == FW_OK ? FW_OK : refuse(r, line, err);
}

static int on_record(void *ctx, const struct fw_csv_field *f, size_t n, int line,
                     struct fw_err *err)
{
    struct reading *r = ctx;
    if (!r->started) {
        r->started = true;
        if (r->header != 0 && by_header(r, f, n)) {
            /* A required column that was asked for by name must be there; so must the others. */
            for (int c = 0; c < COLUMNS; c++)
                if (r->asked[c] && r->at[c] == SIZE_MAX) {
                    r->need[c] = true;
                    return no_columns(r, line, err);
                }
            return FW_OK;
        }
        if (r->header == 1)
            return no_columns(r, line, err);
        if (!by_number(r)) {
            (void)by_header(r, f, n);
            return no_columns(r, line, err);
        }
    }
    const char *v[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) {
        if (r->at[c] != SIZE_MAX && r->at[c] >= n) {
            fw_err_set(err, FW_EINVAL, "the row has %zu column%s; the %s is in column %zu", n,
                       n == 1 ? "" : "s", what[c], r->at[c] + 1);
            return refuse(r, line, err);
        }
        v[c] = r->at[c] == SIZE_MAX ? NULL : f[r->at[c]].p;
        if (v[c] && strlen(v[c]) != f[r->at[c]].len) {
            fw_err_set(err, FW_EINVAL, "the %s holds a NUL character", what[c]);
            return refuse(r, line, err);
        }
    }
    return take(r, v, line, err);
}

static const struct fw_field *field_of(const struct reading *r, const struct fw_row *row,
                                       enum column c)
{
    if (r->asked[c])
        return fw_row_get(row, r->asked[c]);
    const char *const *names = names_of(r, c);
    for (size_t i = 0; names[i]; i++) {
        const struct fw_field *f = fw_row_get(row, names[i]);
        if (f)
            return f;
    }
    return NULL;
}

/* The answers in a dataset's row. */
static int take_labels(struct reading *r, const struct fw_field *labels, const char *task, int line,
                       struct fw_err *err)
{
    json_error_t why;
    json_t *list = json_loadb(labels->raw, labels->raw_len, JSON_REJECT_DUPLICATES, &why), *one;
    size_t i;
    int rc = FW_OK;
    if (!list) {
        fw_err_set(err, FW_EINVAL, "'labels': %s", why.text);
        return refuse(r, line, err);
    }
    json_array_foreach (list, i, one) {
        const json_t *label = json_object_get(one, "label");
        const char *by = json_string_value(json_object_get(one, "by"));
        if (json_is_null(label))
            continue;
        char *number = json_is_number(label) ? json_dumps(label, JSON_ENCODE_ANY) : NULL;
        const char *name = number ? number : json_string_value(label);
        if (!by || !name) {
            fw_err_set(err, FW_EINVAL, "an entry of 'labels' needs 'by' and 'label'");
            rc = refuse(r, line, err);
        } else {
            const char *v[COLUMNS] = {task, by, name, NULL, NULL};
            rc = take(r, v, line, err);
        }
        free(number);
        if (rc != FW_OK)
            break;
    }
    json_decref(list);
    return rc;
}

static int on_row(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    struct reading *r = ctx;
    const struct fw_field *labels = r->gold_only ? NULL : fw_row_get(row, "labels");
    const char *v[COLUMNS] = {0};
    size_t start[COLUMNS];
    bool list = labels && labels->type == FW_ARRAY && !r->asked[KLASS];
    fw_buf_clear(&r->text);
    for (int c = 0; c < COLUMNS; c++) {
        const struct fw_field *f = field_of(r, row, (enum column)c);
        start[c] = SIZE_MAX;
        if (!f || f->type == FW_NULL || (list && (c == KLASS || c == LABELLER)))
            continue;
        bool text = f->type == FW_STRING;
        if ((!text && f->type != FW_NUMBER) || (text && memchr(f->str, '\0', f->str_len))) {
            fw_err_set(err, FW_EINVAL, "the %s is neither a text nor a number", what[c]);
            return refuse(r, line, err);
        }
        start[c] = r->text.len;
        fw_buf_add(&r->text, text ? f->str : f->raw, text ? f->str_len : f->raw_len);
        /* simdjson's raw number may carry the space behind it */
        while (!text && r->text.len > start[c] && strchr(" \t\r\n", r->text.p[r->text.len - 1]))
            r->text.len--;
        fw_buf_putc(&r->text, '\0');
    }
    if (r->text.failed)
        return fw_err_nomem(err);
    for (int c = 0; c < COLUMNS; c++)
        v[c] = start[c] == SIZE_MAX ? NULL : r->text.p + start[c];
    bool has_keys = list || r->gold_only || field_of(r, row, KLASS) || fw_row_get(row, "split");
    if (!v[TASK] || !has_keys) {
        fw_err_set(err, FW_EINVAL, "the row has no %s", v[TASK] ? "label" : "task");
        fw_err_hint(err, "a row is {\"task\", \"labeller\", \"label\"} or a sample {\"id\", "
                         "\"labels\": [{\"by\", \"label\"}]}");
        return refuse(r, line, err);
    }
    /* A dataset's sample that nobody was asked about. */
    if (!r->gold_only && !list && !v[LABELLER] && !r->asked[LABELLER] && fw_row_get(row, "id"))
        v[KLASS] = NULL;
    int rc = take(r, v, line, err);
    return rc == FW_OK && list ? take_labels(r, labels, v[TASK], line, err) : rc;
}

static char separator(const char *data, size_t size)
{
    size_t head = 0;
    while (head < size && data[head] != '\n' && data[head] != '\r')
        head++;
    return memchr(data, '\t', head)                              ? '\t'
           : memchr(data, ',', head) || !memchr(data, ';', head) ? ','
                                                                 : ';';
}

static int read_mem(struct reading *r, const char *data, size_t size, char sep, struct fw_err *err)
{
    size_t first = size >= 3 && !memcmp(data, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (first < size && strchr(" \t\r\n", data[first]) && data[first])
        first++;
    bool json = first < size && data[first] == '{' && !sep;
    int rc = json ? fw_rows_each_mem(r->name, data, size, on_row, r, err)
                  : fw_csv_each_mem(r->name, data, size, sep ? sep : separator(data, size),
                                    on_record, r, err);
    fw_buf_release(&r->text);
    return rc;
}

static void prepare(struct reading *r, const struct fw_annotations_format *f, bool gold_only)
{
    static const struct fw_annotations_format plain = {.header = -1};
    f = f ? f : &plain;
    r->asked[TASK] = f->task;
    r->asked[GOLD] = f->gold;
    r->need[TASK] = true;
    r->need[GOLD] = r->gold_only = gold_only;
    r->header = f->header;
    if (gold_only)
        return;
    r->asked[LABELLER] = f->labeller;
    r->asked[KLASS] = f->klass;
    r->asked[WEIGHT] = f->weight;
    r->need[LABELLER] = r->need[KLASS] = true;
}

int fw_annotations_read_mem(struct fw_annotations *a, const char *name, const char *data,
                            size_t size, const struct fw_annotations_format *format,
                            struct fw_err *err)
{
    struct reading r = {.a = a, .name = name};
    prepare(&r, format, false);
    return read_mem(&r, data, size, format ? format->sep : 0, err);
}

int fw_annotations_read_gold_mem(struct fw_annotations *a, const char *name, const char *data,
                                 size_t size, const struct fw_annotations_format *format,
                                 struct fw_err *err)
{
    struct reading r = {.a = a, .name = name};
    prepare(&r, format, true);
    return read_mem(&r, data, size, format ? format->sep : 0, err);
}

static int read_file(struct fw_annotations *a, const char *path,
                     const struct fw_annotations_format *format, bool gold, struct fw_err *err)
{
    struct fw_buf text = {0};
    int rc = fw_fs_read(path, 0, &text, err);
    if (rc == FW_OK)
        rc = gold ? fw_annotations_read_gold_mem(a, path, text.p ? text.p : "", text.len, format,
                                                 err)
                  : fw_annotations_read_mem(a, path, text.p ? text.p : "", text.len, format, err);
    fw_buf_release(&text);
    return rc;
}

int fw_annotations_read(struct fw_annotations *a, const char *path,
                        const struct fw_annotations_format *format, struct fw_err *err)
{
    return read_file(a, path, format, false, err);
}

int fw_annotations_read_gold(struct fw_annotations *a, const char *path,
                             const struct fw_annotations_format *format, struct fw_err *err)
{
    return read_file(a, path, format, true, err);
}
