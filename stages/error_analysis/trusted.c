#include "stages/error_analysis/trusted.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/fs.h"
#include "stages/data/predictions.h"
#include "stages/error_analysis/confident.h"
#include "stages/relabel/candidates.h"

/* drop: one flag per sample of the dataset. */
static int flag(const struct fw_dataset *ds, const struct fw_predictions *oof,
                const struct fw_asked *asked, size_t k, bool *drop, struct fw_err *err)
{
    size_t n = 0, cells;
    int rc = FW_OK;
    if (__builtin_mul_overflow(ds->n + 1, (k + 1) * sizeof(float), &cells))
        return fw_err_nomem(err);
    float *probs = malloc(cells);
    int *labels = malloc((ds->n + 1) * sizeof *labels);
    size_t *at = malloc((ds->n + 1) * sizeof *at);
    bool *issue = calloc(ds->n + 1, sizeof *issue);
    if (!probs || !labels || !at || !issue) {
        rc = fw_err_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < ds->n; i++) {
        long p = ds->samples[i].klass < 0 ? -1 : fw_predictions_find(oof, ds->samples[i].id);
        if (p < 0)
            continue;
        memcpy(probs + n * k, oof->probs + (size_t)p * k, k * sizeof *probs);
        labels[n] = ds->samples[i].klass;
        at[n++] = i;
    }
    struct fw_probs p = {n, k, probs, NULL};
    rc = fw_cl_issues(&p, labels,
                      oof->has_probs ? FW_CL_PRUNE_BY_NOISE_RATE : FW_CL_PREDICTED_NEQ_GIVEN, 1,
                      issue, NULL, err);
    for (size_t i = 0; i < n && rc == FW_OK; i++)
        drop[at[i]] = issue[i] && fw_ids_find(&asked->right, ds->samples[at[i]].id) < 0;
out:
    free(probs);
    free(labels);
    free(at);
    free(issue);
    return rc;
}

/* A class that has lost all its samples gets them back. */
static int keep_classes(const struct fw_dataset *ds, size_t k, bool *drop, struct fw_err *err)
{
    size_t *left = calloc(k + 1, sizeof *left);
    if (!left)
        return fw_err_nomem(err);
    for (size_t i = 0; i < ds->n; i++)
        if (ds->samples[i].klass >= 0 && !drop[i])
            left[ds->samples[i].klass]++;
    for (size_t i = 0; i < ds->n; i++)
        if (ds->samples[i].klass >= 0 && !left[ds->samples[i].klass])
            drop[i] = false;
    free(left);
    return FW_OK;
}

static int place(const char *from_dir, const char *to_dir, const char *name, struct fw_err *err)
{
    char *from = fw_fs_join(from_dir, name), *to = fw_fs_join(to_dir, name);
    int rc = from && to ? FW_OK : fw_err_nomem(err);
    char *slash = rc == FW_OK ? strrchr(to, '/') : NULL;
    if (slash) {
        *slash = '\0';
        rc = fw_fs_mkdirs(to, err);
        *slash = '/';
    }
    bool there = rc == FW_OK && fw_fs_exists(to); /* two rows may name one file */
    if (rc == FW_OK && !there && link(from, to) != 0)
        rc = fw_fs_copy(from, to, err);
    free(from);
    free(to);
    return rc;
}

static int write_rows(const struct fw_dataset *ds, const bool *drop, const char *out,
                      struct fw_err *err)
{
    struct fw_buf rows = {0};
    int rc = fw_fs_mkdirs(out, err);
    for (size_t i = 0; i < ds->n && rc == FW_OK; i++) {
        const struct fw_sample *s = &ds->samples[i];
        if (drop[i])
            continue;
        fw_buf_add(&rows, s->raw, s->raw_len);
        fw_buf_putc(&rows, '\n');
        if (s->file_name)
            rc = place(ds->root, out, s->file_name, err);
    }
    char *path = fw_fs_join(out, "samples.jsonl");
    if (rc == FW_OK && (rows.failed || !path))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_fs_write_atomic(path, rows.p ? rows.p : "", rows.len, err);
    free(path);
    fw_buf_release(&rows);
    return rc;
}

int fw_trusted_write(const char *dataset, const char *out_of_fold, const char *history,
                     const struct fw_task_info *task, const char *out, struct fw_err *err)
{
    struct fw_dataset *ds = NULL;
    struct fw_predictions *oof = NULL;
    struct fw_asked asked = {.closed = {0}};
    bool *drop = NULL;
    if (task->task == FW_REGRESSION)
        return fw_err_set(err, FW_EINVAL, "labels can be trusted or not in classification only");
    int rc = fw_dataset_load(dataset, task, &ds, err);
    if (rc == FW_OK)
        rc = fw_predictions_load(out_of_fold, task, &oof, err);
    if (rc == FW_OK)
        rc = fw_asked_load(history, ds, &asked, err);
    if (rc == FW_OK && !(drop = calloc(ds->n + 1, sizeof *drop)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = flag(ds, oof, &asked, task->n_classes, drop, err);
    if (rc == FW_OK)
        rc = keep_classes(ds, task->n_classes, drop, err);
    if (rc == FW_OK)
        rc = write_rows(ds, drop, out, err);
    free(drop);
    fw_asked_release(&asked);
    fw_predictions_free(oof);
    fw_dataset_free(ds);
    return rc;
}
