/* A source as a dataset in memory. Read twice: for the labels that occur, then for the rows. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/rows.h"
#include "pipeline/snap/source.h"
#include "stages/data/ids.h"

struct reading {
    struct fw_import_options o;
    struct fw_import_problems *problems;
    struct fw_rows *rows;
    struct fw_arena arena; /* of the class names */
    struct fw_ids classes;
    size_t numbers, n;
    struct fw_task_info task;
    struct fw_dataset *ds; /* the second time */
};

static void keep_problem(struct reading *r, const struct fw_err *problem)
{
    if (r->problems->n < sizeof r->problems->list / sizeof *r->problems->list)
        r->problems->list[r->problems->n++] = *problem;
    else
        r->problems->more++;
}

/* What is wrong with the source's form: told the first time. */
static void on_problem(void *ctx, const struct fw_err *problem)
{
    struct reading *r = ctx;
    if (!r->ds)
        keep_problem(r, problem);
}

static int note_label(struct reading *r, const struct fw_row *row, struct fw_err *err)
{
    const struct fw_field *f = fw_row_get(row, "label");
    r->n++;
    if (!f || (f->type != FW_STRING && f->type != FW_NUMBER))
        return FW_OK;
    r->numbers += f->type == FW_NUMBER;
    if (f->type == FW_NUMBER || fw_ids_find(&r->classes, f->str) >= 0)
        return FW_OK;
    const char *name = fw_arena_strdup(&r->arena, f->str);
    return name && fw_ids_add(&r->classes, name) >= 0 ? FW_OK : fw_err_nomem(err);
}

static int on_row(void *ctx, const char *text, size_t len, const char *file, int line,
                  struct fw_err *err)
{
    struct reading *r = ctx;
    struct fw_row row;
    struct fw_err why = {0};
    int rc = fw_row_parse(r->rows, text, len, &row, &why);
    if (rc == FW_EINVAL && r->ds)
        return FW_OK; /* told the first time */
    if (rc == FW_OK)
        rc = r->ds ? fw_dataset_add(r->ds, &r->task, &row, file, line, &why)
                   : note_label(r, &row, &why);
    if (rc == FW_OK)
        return FW_OK;
    if (rc != FW_EINVAL) {
        if (err)
            *err = why;
        return rc;
    }
    fw_err_at(&why, file, line, 0);
    keep_problem(r, &why);
    return FW_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int settle_task(struct reading *r, struct fw_err *err)
{
    if (r->numbers && r->classes.n) {
        fw_err_set(err, FW_EINVAL, "%s: some labels are numbers and some are texts", r->o.source);
        return fw_err_hint(err, "write all classes as text, in quotes, or all values as numbers");
    }
    if (r->classes.n)
        qsort(r->classes.ids, r->classes.n, sizeof *r->classes.ids, by_bytes);
    r->task.task = r->numbers || r->o.task == FW_REGRESSION ? FW_REGRESSION : FW_CLASSIFICATION;
    r->task.n_classes = r->task.task == FW_REGRESSION ? 0 : r->classes.n;
    r->task.classes = r->classes.ids;
    return FW_OK;
}

static int read_rows(struct reading *r, const struct fw_sink *sink, struct fw_err *err)
{
    char *base = NULL;
    int rc = fw_source_read(&r->o, &base, sink, err);
    if (rc == FW_OK && !r->n && !r->problems->n)
        rc = fw_err_set(err, FW_EINVAL, "%s holds no samples", r->o.source);
    if (rc == FW_OK)
        rc = settle_task(r, err);
    if (rc == FW_OK)
        rc = fw_dataset_new(base, &r->task, &r->ds, err);
    free(base);
    base = NULL;
    if (rc == FW_OK) {
        struct fw_buf again = {0};
        struct fw_sink second = *sink;
        second.warnings = &again;
        rc = fw_source_read(&r->o, &base, &second, err);
        fw_buf_release(&again);
    }
    free(base);
    if (rc == FW_OK && r->problems->n)
        rc = fw_err_set(err, FW_EINVAL, "%s cannot be read as it is: see above", r->o.source);
    return rc;
}

int fw_source_load(const char *path, bool regression, struct fw_dataset **out,
                   struct fw_task_info *task, const char ***classes, struct fw_buf *warnings,
                   struct fw_import_problems *problems, struct fw_err *err)
{
    struct reading r = {.problems = problems, .rows = fw_rows_new()};
    struct fw_sink sink = {.ctx = &r, .row = on_row, .problem = on_problem, .warnings = warnings};
    const char **names = NULL;
    r.o = (struct fw_import_options){
        .source = path, .task = regression ? FW_REGRESSION : FW_CLASSIFICATION, .only_read = true};
    problems->n = problems->more = 0;
    int rc = r.rows ? read_rows(&r, &sink, err) : fw_err_nomem(err);
    if (rc == FW_OK && !(names = calloc(r.task.n_classes + 1, sizeof *names)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK) {
        for (size_t i = 0; i < r.task.n_classes; i++)
            names[i] = fw_dataset_class(r.ds, i);
        r.task.classes = names;
        *task = r.task;
        *classes = names;
        *out = r.ds;
    } else {
        fw_dataset_free(r.ds);
    }
    fw_ids_release(&r.classes);
    fw_arena_release(&r.arena);
    fw_rows_free(r.rows);
    return rc;
}
