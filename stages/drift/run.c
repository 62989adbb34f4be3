#include "stages/drift/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/npy.h"
#include "stages/data/predictions.h"

enum { MOST_CLASSES = 5000 };

struct run {
    const struct fw_drift_files *files;
    char *rows[FW_SIDES], *labelled;
    struct fw_drift_table *table;
    struct fw_task_info task;
    struct fw_arena arena;
    struct fw_ids classes; /* found in the data */
    struct fw_predictions *p[FW_SIDES];
    struct fw_vectors vectors[FW_SIDES];
    float *owned[FW_SIDES];
    double *counts;
};

static void release(struct run *r)
{
    for (int s = 0; s < FW_SIDES; s++) {
        free(r->rows[s]);
        fw_predictions_free(r->p[s]);
        free(r->owned[s]);
    }
    free(r->labelled);
    fw_drift_table_free(r->table);
    fw_ids_release(&r->classes);
    fw_arena_release(&r->arena);
    free(r->counts);
}

/* The file with the rows of a folder; a file is itself. */
static int rows_of(const char *path, char **out, struct fw_err *err)
{
    static const char *const names[] = {"samples.jsonl", "samples.csv"};
    char *file = NULL;
    if (!fw_fs_is_dir(path)) {
        file = strdup(path);
    } else {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            free(file);
            file = fw_fs_join(path, names[i]);
            if (!file || fw_fs_exists(file))
                break;
        }
    }
    if (!file)
        return fw_err_nomem(err);
    if (!fw_fs_exists(file)) {
        int rc = fw_fs_is_dir(path)
                     ? fw_err_set(err, FW_EINVAL, "the folder %s holds no samples.jsonl", path)
                     : fw_err_set(err, FW_EINVAL, "there is no file %s", path);
        free(file);
        return rc;
    }
    *out = file;
    return FW_OK;
}

static int read_side(struct run *r, int side, const char *path, struct fw_err *err)
{
    int rc = rows_of(path, &r->rows[side], err);
    if (rc == FW_OK)
        rc = fw_drift_table_read(r->table, side, r->rows[side], err);
    if (rc == FW_OK && !r->table->rows[side]) {
        rc = fw_err_set(err, FW_EINVAL, "%s holds no rows%s%s", r->rows[side],
                        side == FW_REFERENCE && r->table->options.split ? " of split " : "",
                        side == FW_REFERENCE && r->table->options.split ? r->table->options.split
                                                                        : "");
    }
    return rc;
}

/* An imported table has its columns of numbers in `features`; the table it came from still has their names. */
static int check_features(const struct run *r, struct fw_err *err)
{
    const struct fw_drift_table *t = r->table;
    const char *path = r->rows[FW_PRODUCTION];
    size_t n = strlen(path);
    long first = fw_ids_find(&t->names, "features[0]");
    if (first < 0 || !t->columns[first].present[FW_REFERENCE] ||
        t->columns[first].present[FW_PRODUCTION] || n < 4 ||
        (strcmp(path + n - 4, ".csv") != 0 && strcmp(path + n - 4, ".tsv") != 0))
        return FW_OK;
    fw_err_set(err, FW_EINVAL, "%s has no features, and the reference has", path);
    return fw_err_hint(
        err, "an import makes the columns of numbers of a table the list `features`: give "
             "the samples as JSON lines with it, or a table as --reference");
}

static int check_fields(const struct run *r, struct fw_err *err)
{
    const struct fw_drift_options *o = &r->files->options;
    for (size_t i = 0; i < o->n_fields; i++)
        if (fw_ids_find(&r->table->names, o->fields[i]) < 0 &&
            (strcmp(o->fields[i], "features") != 0 ||
             fw_ids_find(&r->table->names, "features[0]") < 0))
            return fw_err_set(err, FW_EINVAL, "no row on either side has a field '%.200s'",
                              o->fields[i]);
    return FW_OK;
}

static int find_class(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    struct run *r = ctx;
    const char *label = fw_row_str(row, "label");
    (void)line;
    if (!label || fw_ids_find(&r->classes, label) >= 0)
        return FW_OK;
    const char *own = fw_arena_strdup(&r->arena, label);
    return own && fw_ids_add(&r->classes, own) >= 0 ? FW_OK : fw_err_nomem(err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int find_task(struct run *r, struct fw_err *err)
{
    const struct fw_drift_files *f = r->files;
    if (f->task) {
        r->task = *f->task;
    } else {
        int rc = fw_rows_each(r->labelled, find_class, r, err);
        if (rc != FW_OK)
            return rc;
        qsort(r->classes.ids, r->classes.n, sizeof *r->classes.ids, by_name);
        r->task = (struct fw_task_info){FW_CLASSIFICATION, r->classes.ids, r->classes.n};
    }
    if (r->task.task == FW_REGRESSION)
        return fw_err_set(err, FW_EINVAL,
                          "label shift is estimated for classes; the task is "
                          "regression, leave the predictions out");
    if (r->task.n_classes < 2)
        return fw_err_set(err, FW_EINVAL, "%s holds labels of %zu classes; label shift needs two",
                          r->labelled, r->task.n_classes);
    return FW_OK;
}

static int load_labels(struct run *r, struct fw_drift_input *in, struct fw_err *err)
{
    const struct fw_drift_files *f = r->files;
    const char *paths[] = {f->reference_predictions, f->predictions};
    size_t matched = 0;
    if (!paths[0] && !paths[1])
        return FW_OK;
    if (!paths[0] || !paths[1]) {
        fw_err_set(err, FW_EINVAL, "predictions are given for %s alone",
                   paths[0] ? "the reference" : "production");
        fw_err_hint(err, "label shift compares predictions of labelled samples with those of "
                         "production: give both");
        return FW_EINVAL;
    }
    int rc = rows_of(f->labelled ? f->labelled : f->reference, &r->labelled, err);
    if (rc == FW_OK)
        rc = find_task(r, err);
    for (int s = 0; s < FW_SIDES && rc == FW_OK; s++)
        rc = fw_predictions_load(paths[s], &r->task, &r->p[s], err);
    size_t k = r->task.n_classes;
    if (rc == FW_OK && k > MOST_CLASSES)
        rc = fw_err_set(err, FW_EINVAL, "label shift of more than %d classes is not estimated",
                        MOST_CLASSES);
    if (rc == FW_OK && !(r->counts = calloc(k * k + k, sizeof *r->counts)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_drift_confusion(r->labelled, r->p[0], &r->task, r->counts, &matched, err);
    if (rc == FW_OK && !matched) {
        rc = fw_err_set(err, FW_EINVAL, "no labelled row of %s is in %s", r->labelled, paths[0]);
        fw_err_hint(err, "predictions are matched to rows by id");
    }
    if (rc != FW_OK)
        return rc;
    for (size_t i = 0; i < r->p[1]->n; i++)
        r->counts[k * k + (size_t)r->p[1]->pred[i]]++;
    in->task = &r->task;
    in->confusion = r->counts;
    in->predicted = r->counts + k * k;
    return FW_OK;
}

static int load_npy(struct run *r, int side, const char *path, struct fw_err *err)
{
    struct fw_npy npy;
    int rc = fw_npy_open(path, &npy, err);
    if (rc != FW_OK)
        return rc;
    if (npy.ndim != 2)
        rc = fw_err_set(err, FW_EINVAL, "%s: embeddings are rows × width, not %zu-dimensional",
                        path, npy.ndim);
    else if (!(r->owned[side] = malloc((npy.n ? npy.n : 1) * sizeof(float))))
        rc = fw_err_nomem(err);
    if (rc == FW_OK) {
        fw_npy_floats(&npy, r->owned[side]);
        r->vectors[side] = (struct fw_vectors){r->owned[side], npy.shape[0], npy.shape[1]};
    }
    fw_npy_close(&npy);
    return rc;
}

static int load_embeddings(struct run *r, struct fw_drift_input *in, struct fw_err *err)
{
    const struct fw_drift_files *f = r->files;
    const char *paths[] = {f->reference_embeddings, f->embeddings};
    bool both = true;
    if (!paths[0] != !paths[1])
        return fw_err_set(err, FW_EINVAL, "embeddings are given for %s alone",
                          paths[0] ? "the reference" : "production");
    for (int s = 0; s < FW_SIDES; s++) {
        int rc = FW_OK;
        if (paths[s])
            rc = load_npy(r, s, paths[s], err);
        else if (r->p[s] && r->p[s]->embeddings)
            r->vectors[s] = (struct fw_vectors){r->p[s]->embeddings, r->p[s]->n, r->p[s]->d};
        if (rc != FW_OK)
            return rc;
        both &= r->vectors[s].v != NULL;
    }
    if (both) {
        in->reference = &r->vectors[0];
        in->production = &r->vectors[1];
    }
    return FW_OK;
}

int fw_drift_run(const struct fw_drift_files *files, json_t **out, struct fw_err *err)
{
    struct run r = {.files = files};
    struct fw_drift_input in = files->input;
    r.table = fw_drift_table_new(&files->options);
    int rc = r.table ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = read_side(&r, FW_REFERENCE, files->reference, err);
    if (rc == FW_OK)
        rc = read_side(&r, FW_PRODUCTION, files->production, err);
    if (rc == FW_OK)
        rc = check_features(&r, err);
    if (rc == FW_OK)
        rc = check_fields(&r, err);
    if (rc == FW_OK)
        rc = fw_drift_table_settle(r.table, err);
    if (rc == FW_OK)
        rc = load_labels(&r, &in, err);
    if (rc == FW_OK)
        rc = load_embeddings(&r, &in, err);
    in.table = r.table;
    if (rc == FW_OK)
        rc = fw_drift_build(&in, out, err);
    release(&r);
    return rc;
}

size_t fw_drift_names(char *text, const char **names, size_t most)
{
    size_t n = 0;
    while (*text && n < most) {
        text += strspn(text, " ,");
        size_t len = strcspn(text, ",");
        char *next = text + len + (text[len] == ',');
        while (len && text[len - 1] == ' ')
            len--;
        text[len] = '\0';
        if (len)
            names[n++] = text;
        text = next;
    }
    return n;
}
