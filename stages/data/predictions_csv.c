#include "stages/data/predictions_csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/csv.h"

enum { SKIP = -3, ID = -2, PREDICTION = -1 }; /* or the class that the column is of */

struct table {
    const char *path;
    const struct fw_task_info *task;
    struct fw_buf *out;
    int *cols;
    size_t n, probs;
};

static int read_head(struct table *t, const struct fw_csv_field *f, size_t n, struct fw_err *err)
{
    size_t named[2] = {0, 0};
    if (!(t->cols = calloc(n + 1, sizeof *t->cols)))
        return fw_err_nomem(err);
    t->n = n;
    for (size_t i = 0; i < n; i++) {
        t->cols[i] = !strcmp(f[i].p, "id") ? ID : !strcmp(f[i].p, "prediction") ? PREDICTION : SKIP;
        if (t->cols[i] != SKIP)
            named[t->cols[i] == ID]++;
        for (size_t k = 0; t->cols[i] == SKIP && k < t->task->n_classes; k++)
            if (!strcmp(f[i].p, t->task->classes[k])) {
                t->cols[i] = (int)k;
                t->probs++;
            }
    }
    if (named[1] != 1)
        fw_err_set(err, FW_EINVAL, "there is %s column 'id'", named[1] ? "more than one" : "no");
    else if (t->probs && t->probs != t->task->n_classes)
        fw_err_set(err, FW_EINVAL, "%zu of the %zu classes have a column of probabilities",
                   t->probs, t->task->n_classes);
    else if (!t->probs && named[0] != 1)
        fw_err_set(err, FW_EINVAL, "there is neither a column 'prediction' nor one for each class");
    else
        return FW_OK;
    return fw_err_at(err, t->path, 1, 0);
}

static bool put_number(struct fw_buf *out, const char *text)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !isfinite(v))
        return false;
    fw_buf_printf(out, "%.17g", v);
    return true;
}

/* One key and value of the line; false when the number is none. */
static bool put(struct table *t, const struct fw_csv_field *f, int col, size_t *probs)
{
    bool regression = t->task->task == FW_REGRESSION;
    if (col >= 0) {
        const char *name = t->task->classes[col];
        fw_buf_puts(t->out, (*probs)++ ? "," : "");
        fw_buf_json_str(t->out, name, strlen(name));
        fw_buf_putc(t->out, ':');
        return put_number(t->out, f->p);
    }
    if (col == PREDICTION && !f->len)
        return true; /* the probabilities say it */
    fw_buf_puts(t->out, col == ID ? "\"id\":" : "\"prediction\":");
    bool ok = true;
    if (col == PREDICTION && regression)
        ok = put_number(t->out, f->p);
    else
        fw_buf_json_str(t->out, f->p, f->len);
    fw_buf_putc(t->out, ',');
    return ok;
}

static int on_record(void *ctx, const struct fw_csv_field *f, size_t n, int line,
                     struct fw_err *err)
{
    struct table *t = ctx;
    if (!t->cols)
        return read_head(t, f, n, err);
    size_t bad = n, probs = 0;
    if (n != t->n) {
        fw_err_set(err, FW_EINVAL, "%zu fields, and the head has %zu", n, t->n);
        return fw_err_at(err, t->path, line, 0);
    }
    fw_buf_putc(t->out, '{');
    for (size_t i = 0; i < n && bad == n; i++)
        if ((t->cols[i] == ID || t->cols[i] == PREDICTION) && !put(t, &f[i], t->cols[i], &probs))
            bad = i;
    fw_buf_puts(t->out, "\"probs\":");
    fw_buf_puts(t->out, t->probs ? "{" : "null");
    for (size_t i = 0; i < n && bad == n; i++)
        if (t->cols[i] >= 0 && !put(t, &f[i], t->cols[i], &probs))
            bad = i;
    fw_buf_puts(t->out, t->probs ? "}}\n" : "}\n");
    if (bad < n) {
        fw_err_set(err, FW_EINVAL, "'%.60s' is not a number", f[bad].p);
        return fw_err_at(err, t->path, line, 0);
    }
    return t->out->failed ? fw_err_nomem(err) : FW_OK;
}

int fw_predictions_csv(const char *path, const struct fw_task_info *task, struct fw_buf *out,
                       struct fw_err *err)
{
    struct table t = {.path = path, .task = task, .out = out};
    int rc = fw_csv_each(path, ',', on_record, &t, err);
    if (rc == FW_OK && !t.cols) {
        fw_err_set(err, FW_EINVAL, "the file is empty");
        rc = fw_err_at(err, path, 0, 0);
    }
    free(t.cols);
    return rc;
}
