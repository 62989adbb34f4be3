/*
 * A dataset view in memory, as a plugin (and the engine's own analysis) reads it: a folder with
 * samples.jsonl and the files it names. Owns everything it points to; immutable after loading.
 */
#ifndef FW_STAGES_DATASET_H
#define FW_STAGES_DATASET_H

#include <stddef.h>

#include "pipeline/base/rows.h"
#include "stages/contract.h"

struct fw_sample {
    const char *id;
    const char *split;     /* "train", "dev", "test", or "" */
    const char *file_name; /* relative to the view's root, or NULL */
    const char *text;      /* or NULL */
    const float *features; /* inline numeric vector, or NULL */
    size_t n_features;
    const char *label; /* class name, or NULL when unlabelled or not a string */
    int klass;         /* index into classes, -1 when unlabelled */
    double value;      /* regression target; NaN when absent */
    const char *raw;   /* the whole row, for metadata; raw_len bytes, NUL-terminated */
    size_t raw_len;
};

struct fw_dataset {
    char *root;
    size_t n;
    struct fw_sample *samples;
    struct fw_dataset_priv *priv;
};

/* dir/samples.jsonl. Labels outside task->classes are FW_EINVAL with file:line; so are duplicate
 * ids. */
int fw_dataset_load(const char *dir, const struct fw_task_info *task, struct fw_dataset **out,
                    struct fw_err *err);
/* The same row by row, for rows that come from elsewhere: an empty one (root: what file_name is relative
 * to), then each row with its place. A row without an id is named by its file, or its number from 1. */
int fw_dataset_new(const char *root, const struct fw_task_info *task, struct fw_dataset **out,
                   struct fw_err *err);
int fw_dataset_add(struct fw_dataset *ds, const struct fw_task_info *task, const struct fw_row *row,
                   const char *file, int line, struct fw_err *err);
void fw_dataset_free(struct fw_dataset *ds);
/* The name of class i, as the samples' label points to it. */
const char *fw_dataset_class(const struct fw_dataset *ds, size_t i);
/* The sample with this id, or NULL. */
const struct fw_sample *fw_dataset_find(const struct fw_dataset *ds, const char *id);

#endif
