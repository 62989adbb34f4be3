/* What score.c and score_watch.c share: the evaluation set and a snapshot's predictions on it. Not for
 * others. */
#ifndef FW_LOOP_SCORE_PARTS_H
#define FW_LOOP_SCORE_PARTS_H

#include <uthash.h>

#include "pipeline/base/rows.h"
#include "pipeline/loop/score.h"
#include "stages/error_analysis/slice.h"

/* One side of a guard or a requirement: the samples of a slice. */
struct fw_watched {
    struct fw_slice *slice; /* NULL: all samples */
    bool *in;               /* n flags; NULL with slice */
    size_t n;               /* how many are in */
};

struct fw_watch {
    const char *name, *text; /* text: the metric, in words */
    struct fw_metric metric;
    struct fw_watched on;
    double allowance; /* guard */
    /* requirement; NULL for a guard of loop.gate.guard */
    const struct fw_requirement *required;
    struct fw_watched other; /* compare_to */
};

struct fw_evalset_item {
    const char *id;
    size_t index;
    UT_hash_handle hh;
};

struct fw_evalset {
    struct fw_arena arena;
    const struct fw_plan *plan;
    struct fw_task_info task;
    size_t n, cap;
    struct fw_evalset_item *by_id;
    int *klass;
    double *value;
    size_t n_watches; /* guards first, then requirements */
    struct fw_watch *watches;
    struct fw_rows *rows;
};

struct fw_scores {
    struct fw_scored view;
    const int **pred;
    const float **probs;
    const double **value;
};

struct fw_truth fw_evalset_truth(const struct fw_evalset *set);

/* score_watch.c */
/* Makes the set's watches from the plan's guards and audit. */
int fw_watches_make(struct fw_evalset *set, const struct fw_metric *metric, struct fw_err *err);
/* Makes room for cap samples. */
int fw_watches_grow(struct fw_evalset *set, size_t cap, struct fw_err *err);
/* Notes whether sample set->n is in each slice. */
void fw_watches_row(struct fw_evalset *set, const struct fw_row *row);
void fw_watches_release(struct fw_evalset *set);
/* What the audit says of a snapshot's predictions: an array, one object a requirement. */
int fw_watches_audit(const struct fw_evalset *set, const struct fw_scores *s, double level,
                     uint64_t seed, json_t **out, struct fw_err *err);

#endif
