/*
 * What is known of samples beside their label, as few values each: the features that slices are found
 * in, each value with its condition (slice.h), so that what is found can be written down.
 *
 *   texts, true and false   each value, when a field has at most 50: shift == 'night'
 *   numbers                 each value when there are at most 10, else 10 bins of equal mass (fewer
 *                           when values are repeated): width >= 800 and width < 950
 *   absent or null          note is missing
 *   the list `features`     its elements, when there are at most 32: features[3] < 0.25
 *
 * Left out: ids, splits, labels, contents, fields whose name is no name in a condition, fields that are
 * the same for all rows, and what comes after the first 64 columns. The last column is the class
 * (class == 'pitted'), when there are at most 200 classes.
 */
#ifndef FW_STAGES_FIELDS_H
#define FW_STAGES_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/data/dataset.h"

struct fw_column {
    char *name;
    size_t n_values;
    char **conditions; /* of value v: conditions[v - 1] */
};

struct fw_fields {
    size_t n, m; /* rows, columns */
    struct fw_column *v;
    uint8_t *code; /* M × N, row-major: 0 (no value that has a condition) or v, 1..255 */
    bool has_class;
    size_t unread; /* columns left out: too many */
};

/* The rows `row` (n of them) of the dataset. truth: their classes, or NULL. FW_EINVAL: a row is no
 * JSON object; FW_ENOMEM. */
int fw_fields_read(const struct fw_dataset *ds, const struct fw_task_info *task,
                   const uint32_t *row, size_t n, const int *truth, struct fw_fields *out,
                   struct fw_err *err);
void fw_fields_release(struct fw_fields *f);

#endif
