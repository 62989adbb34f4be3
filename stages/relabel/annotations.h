/*
 * Several labellers' answers as a long table: (task, labeller, class), perhaps with a weight for
 * the answer and the task's gold class. Answers are kept once by task and once by labeller in
 * compact arrays (16 bytes an answer, 20 with weights), so tens of millions fit.
 *
 *     struct fw_annotations *a = fw_annotations_new();
 *     fw_annotations_read(a, "labels.csv", &format, &err);   // any number of files, or _add()
 *     fw_annotations_index(a, &err);                         // from here on immutable
 *
 * Owns its names. One thread until it is indexed, any number after.
 */
#ifndef FW_STAGES_ANNOTATIONS_H
#define FW_STAGES_ANNOTATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

struct fw_annotations {
    size_t n;       /* answers */
    size_t repeats; /* answers that the same labeller replaced by a later one to the same task */
    size_t tasks, labellers, classes;
    const char *const *task_names, *const *labeller_names, *const *class_names;
    const double *class_values; /* K when every class name is a number, else NULL */

    /* Answers of task t: [task_at[t], task_at[t + 1]), in the order of reading. */
    size_t *task_at;    /* tasks + 1 */
    uint32_t *labeller; /* n */
    int32_t *klass;     /* n */
    float *weight;      /* n, or NULL when every weight is 1 */
    /* Answers of labeller w: [labeller_at[w], labeller_at[w + 1]), by rising task. */
    size_t *labeller_at; /* labellers + 1 */
    uint32_t *task;      /* n */
    int32_t *answer;     /* n */

    int32_t *gold; /* tasks, -1 where not known; NULL when no gold was given */
    size_t n_gold;
    struct fw_annotations_priv *priv;
};

/* How a file is to be read. A column is a name in the header (or a key of JSON lines), or a number
 * that counts from 1; NULL is the first of these that is there:
 *   task      task, task_id, item, id, sample, sample_id, question
 *   labeller  labeller, labeler, worker, worker_id, annotator, rater, user, by
 *   klass     label, class, answer, response
 *   gold      gold, truth, true_label (none: no gold)     weight   weight (none: 1)
 * A file without a header needs numbers. */
struct fw_annotations_format {
    const char *task, *labeller, *klass, *gold, *weight;
    char sep;   /* 0: tab, semicolon or comma, whichever the first line has (tab first) */
    int header; /* 1 has one, 0 none, -1 has one when the first line holds the names asked for */
};

struct fw_annotations *fw_annotations_new(void); /* NULL when memory is out */
void fw_annotations_free(struct fw_annotations *a);

/* Fixes the classes and their order; an answer outside them is an error from then on. Without it
 * the classes are those that occur, in the order of their numbers when all are numbers, else of
 * their bytes. FW_EINVAL: a name twice, or answers are there already. */
int fw_annotations_classes(struct fw_annotations *a, const char *const *names, size_t n,
                           struct fw_err *err);

/* One answer. FW_EINVAL: an empty name, a class outside the fixed ones, a weight that is negative
 * or not finite. The labeller's last answer to a task counts. */
int fw_annotations_add(struct fw_annotations *a, const char *task, const char *labeller,
                       const char *klass, double weight, struct fw_err *err);
/* The gold class of a task; tasks that nobody answered are left out. FW_EINVAL: the task has
 * another one already. */
int fw_annotations_gold(struct fw_annotations *a, const char *task, const char *klass,
                        struct fw_err *err);

/* Reads a file: CSV or TSV, or JSON lines (the first byte is '{'), each line one answer
 * {"task", "labeller", "label"} or a dataset's row {"id", "labels": [{"by", "label"}, ...]}. A row
 * with no class (an empty cell, null) is no answer, but its gold counts; nor is a dataset's row
 * without "labels". FW_EINVAL with file and line. */
int fw_annotations_read(struct fw_annotations *a, const char *path,
                        const struct fw_annotations_format *format, struct fw_err *err);
int fw_annotations_read_mem(struct fw_annotations *a, const char *name, const char *data,
                            size_t size, const struct fw_annotations_format *format,
                            struct fw_err *err);
/* Reads gold alone: the columns task and gold (else label, class). */
int fw_annotations_read_gold(struct fw_annotations *a, const char *path,
                             const struct fw_annotations_format *format, struct fw_err *err);
int fw_annotations_read_gold_mem(struct fw_annotations *a, const char *name, const char *data,
                                 size_t size, const struct fw_annotations_format *format,
                                 struct fw_err *err);

/* Sorts the answers into their two orders, in linear time. FW_EINVAL: there is no answer. */
int fw_annotations_index(struct fw_annotations *a, struct fw_err *err);
/* Index of a task's name, or -1. */
long fw_annotations_find_task(const struct fw_annotations *a, const char *name);

#endif
