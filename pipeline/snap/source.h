/*
 * What can be imported, read as rows of JSON.
 *
 *   a folder with samples.jsonl, metadata.jsonl, samples.csv or metadata.csv
 *   a .jsonl, .csv or .tsv file
 *   a folder per class, optionally below folders named train, dev (val, validation) and test
 *
 * Rows of JSON lines pass through byte for byte; the others are made here. What is wrong with the
 * form of the source goes to `problem` and the reading goes on; errors that end it (no memory,
 * nothing there) are returned.
 */
#ifndef FW_SNAP_SOURCE_H
#define FW_SNAP_SOURCE_H

#include "pipeline/snap/snap.h"
#include "stages/data/dataset.h"

struct fw_sink {
    void *ctx;
    /* One row without its line end, borrowed. line 0: the place is the file itself. */
    int (*row)(void *ctx, const char *text, size_t len, const char *file, int line,
               struct fw_err *err);
    void (*problem)(void *ctx, const struct fw_err *problem);
    struct fw_buf *warnings; /* one line each */
};

/* *base (malloc'd, set before the first row): the folder that file_name is relative to. */
int fw_source_read(const struct fw_import_options *o, char **base, const struct fw_sink *sink,
                   struct fw_err *err);

/*
 * The same as a dataset in memory, without a repository: for a look at data before they are imported.
 * The task follows from the labels: regression when they are numbers (in a CSV file only when
 * `regression` says so: there a class may be called 3), else classification with the classes found, in
 * order of their bytes. *classes (malloc'd, free()) is the list that *task points to; its texts belong
 * to *out. Warnings are appended, a line each.
 * Up to 20 problems, each with its place; FW_EINVAL then. Labels may be absent.
 */
int fw_source_load(const char *path, bool regression, struct fw_dataset **out,
                   struct fw_task_info *task, const char ***classes, struct fw_buf *warnings,
                   struct fw_import_problems *problems, struct fw_err *err);

/* The parts, each in its own file. */
int fw_source_csv(const struct fw_import_options *o, const char *path, const struct fw_sink *sink,
                  struct fw_err *err);
int fw_source_folders(const struct fw_import_options *o, const struct fw_sink *sink,
                      struct fw_err *err);

/* Is it an image by the end of its name? Of the kinds that are decoded. */
bool fw_named_image(const char *name);
/* Reports a problem at file:line (line 0 = none). */
void fw_sink_problem(const struct fw_sink *sink, const char *file, int line, const char *hint,
                     const char *fmt, ...) FW_PRINTF(5, 6);

#endif
