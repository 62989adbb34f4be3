#include "stages/data/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/fs.h"
#include "stages/data/ids.h"

struct fw_dataset_priv {
    struct fw_arena arena;
    struct fw_ids ids;
    struct fw_ids classes;
    size_t cap;
};

struct load {
    struct fw_dataset *ds;
    const struct fw_task_info *task;
    const char *path;
    bool number; /* a row without an id gets its number */
};

/* A string field copied into *out; absent or null leaves NULL. */
static int text_field(struct load *l, const struct fw_row *row, const char *key, const char **out,
                      struct fw_err *err)
{
    const struct fw_field *f = fw_row_get(row, key);
    if (!f || f->type == FW_NULL)
        return FW_OK;
    if (f->type != FW_STRING) {
        fw_err_set(err, FW_EINVAL, "'%s' is not a text", key);
        if (f->type == FW_NUMBER)
            fw_err_hint(err, "write it in quotes");
        return FW_EINVAL;
    }
    if (memchr(f->str, '\0', f->str_len) && strcmp(key, "text") != 0)
        return fw_err_set(err, FW_EINVAL, "'%s' holds a NUL character", key);
    *out = fw_arena_strndup(&l->ds->priv->arena, f->str, f->str_len);
    return *out ? FW_OK : fw_err_nomem(err);
}

static int features_field(struct load *l, const struct fw_row *row, struct fw_sample *s,
                          struct fw_err *err)
{
    const struct fw_field *f = fw_row_get(row, "features");
    double *v = NULL;
    size_t n = 0;
    if (!f || f->type == FW_NULL)
        return FW_OK;
    int rc = fw_field_numbers(f, &v, &n, err);
    if (rc != FW_OK)
        return fw_err_wrap(err, "'features'");
    float *out = fw_arena_array(&l->ds->priv->arena, n, sizeof *out);
    if (!out)
        rc = fw_err_nomem(err);
    for (size_t i = 0; i < n && rc == FW_OK; i++) {
        out[i] = (float)v[i];
        if (!isfinite(out[i]))
            rc = fw_err_set(err, FW_EINVAL, "'features' holds %g, too large for a 32-bit float",
                            v[i]);
    }
    free(v);
    s->features = out;
    s->n_features = n;
    return rc;
}

static int label_field(struct load *l, const struct fw_row *row, struct fw_sample *s,
                       struct fw_err *err)
{
    const struct fw_field *f = fw_row_get(row, "label");
    s->klass = -1;
    s->value = NAN;
    if (!f || f->type == FW_NULL)
        return FW_OK;
    if (l->task->task == FW_REGRESSION) {
        if (f->type != FW_NUMBER)
            return fw_err_set(err, FW_EINVAL, "label %.*s is not a number",
                              (int)(f->raw_len > 60 ? 60 : f->raw_len), f->raw);
        s->value = f->number;
        return FW_OK;
    }
    if (f->type != FW_STRING) {
        fw_err_set(err, FW_EINVAL, "label %.*s is not a class name",
                   (int)(f->raw_len > 60 ? 60 : f->raw_len), f->raw);
        fw_err_hint(err, "write class labels as text, in quotes");
        return FW_EINVAL;
    }
    long k = fw_ids_find(&l->ds->priv->classes, f->str);
    if (k < 0)
        return fw_err_set(err, FW_EINVAL, "label '%.200s' is not one of the %zu classes", f->str,
                          l->task->n_classes);
    s->klass = (int)k;
    s->label = l->ds->priv->classes.ids[k];
    return FW_OK;
}

static int read_sample(struct load *l, const struct fw_row *row, struct fw_sample *s,
                       struct fw_err *err)
{
    int rc = text_field(l, row, "id", &s->id, err);
    if (rc == FW_OK)
        rc = text_field(l, row, "split", &s->split, err);
    if (rc == FW_OK)
        rc = text_field(l, row, "file_name", &s->file_name, err);
    if (rc == FW_OK && s->file_name && !fw_fs_rel_is_safe(s->file_name))
        rc = fw_err_set(err, FW_EINVAL, "file_name '%.200s' leaves the dataset folder",
                        s->file_name);
    if (rc == FW_OK && !s->id && l->number)
        s->id =
            s->file_name ? s->file_name : fw_arena_printf(&l->ds->priv->arena, "%zu", l->ds->n + 1);
    if (rc == FW_OK && l->number && !s->id)
        rc = fw_err_nomem(err);
    if (rc == FW_OK && (!s->id || !s->id[0]))
        rc = fw_err_set(err, FW_EINVAL, "the sample has no id");
    if (rc == FW_OK)
        rc = text_field(l, row, "text", &s->text, err);
    if (rc == FW_OK)
        rc = features_field(l, row, s, err);
    if (rc == FW_OK)
        rc = label_field(l, row, s, err);
    if (rc != FW_OK)
        return rc;
    if (!s->split)
        s->split = "";
    s->raw = fw_arena_strndup(&l->ds->priv->arena, row->line, row->line_len);
    s->raw_len = row->line_len;
    return s->raw ? FW_OK : fw_err_nomem(err);
}

static int on_row(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    struct load *l = ctx;
    struct fw_dataset *ds = l->ds;
    if (ds->n == ds->priv->cap) {
        size_t cap = ds->priv->cap ? ds->priv->cap * 2 : 256;
        struct fw_sample *v = realloc(ds->samples, cap * sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        ds->samples = v;
        ds->priv->cap = cap;
    }
    struct fw_sample *s = &ds->samples[ds->n];
    memset(s, 0, sizeof *s);
    int rc = read_sample(l, row, s, err);
    if (rc == FW_OK) {
        long at = fw_ids_add(&ds->priv->ids, s->id);
        if (at < 0)
            rc = fw_err_nomem(err);
        else if ((size_t)at != ds->n)
            rc = fw_err_set(err, FW_EINVAL, "id '%.200s' appears twice (first as sample %ld)",
                            s->id, at + 1);
    }
    if (rc != FW_OK) {
        fw_err_at(err, l->path, line, 0);
        return rc;
    }
    ds->n++;
    return FW_OK;
}

int fw_dataset_new(const char *root, const struct fw_task_info *task, struct fw_dataset **out,
                   struct fw_err *err)
{
    struct fw_dataset *ds = calloc(1, sizeof *ds);
    int rc = FW_OK;
    if (!ds || !(ds->root = strdup(root)) || !(ds->priv = calloc(1, sizeof *ds->priv)))
        rc = fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < task->n_classes; i++) {
        const char *name = fw_arena_strdup(&ds->priv->arena, task->classes[i]);
        if (!name || fw_ids_add(&ds->priv->classes, name) < 0)
            rc = fw_err_nomem(err);
    }
    if (rc == FW_OK)
        *out = ds;
    else
        fw_dataset_free(ds);
    return rc;
}

int fw_dataset_add(struct fw_dataset *ds, const struct fw_task_info *task, const struct fw_row *row,
                   const char *file, int line, struct fw_err *err)
{
    struct load l = {ds, task, file, true};
    return on_row(&l, row, line, err);
}

int fw_dataset_load(const char *dir, const struct fw_task_info *task, struct fw_dataset **out,
                    struct fw_err *err)
{
    char *path = fw_fs_join(dir, "samples.jsonl");
    struct load l = {NULL, task, path, false};
    int rc = path ? fw_dataset_new(dir, task, &l.ds, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_rows_each(path, on_row, &l, err);
    if (rc == FW_OK)
        *out = l.ds;
    else
        fw_dataset_free(l.ds);
    free(path);
    return rc;
}

void fw_dataset_free(struct fw_dataset *ds)
{
    if (!ds)
        return;
    if (ds->priv) {
        fw_ids_release(&ds->priv->ids);
        fw_ids_release(&ds->priv->classes);
        fw_arena_release(&ds->priv->arena);
    }
    free(ds->priv);
    free(ds->samples);
    free(ds->root);
    free(ds);
}

const char *fw_dataset_class(const struct fw_dataset *ds, size_t i)
{
    return ds->priv->classes.ids[i];
}

const struct fw_sample *fw_dataset_find(const struct fw_dataset *ds, const char *id)
{
    long at = fw_ids_find(&ds->priv->ids, id);
    return at < 0 ? NULL : &ds->samples[at];
}
