/*
 * The learning curve of a fixed model as it is handed to error analysis: the input `curve`, a folder
 *
 *   curve.json    {"version": 1, "points": [{"name": "subset=1/4", "kind": "subset" | "full" |
 *                  "trusted", "n": 125, "predictions": "0"}]}
 *   0/, 1/, ...   predictions on the dev split, see data/predictions.h
 *
 * n is how many labelled train samples the model had. "full" is the train split as it is, "trusted"
 * the part of it whose labels do not look wrong (trusted.h; absent for regression).
 */
#ifndef FW_STAGES_CURVE_H
#define FW_STAGES_CURVE_H

#include "stages/data/predictions.h"

enum fw_curve_kind { FW_CURVE_SUBSET, FW_CURVE_FULL, FW_CURVE_TRUSTED };

struct fw_curve_point {
    enum fw_curve_kind kind;
    size_t n;
    struct fw_predictions *dev;
};

struct fw_curve {
    size_t n;
    struct fw_curve_point *points; /* subsets in ascending size, then full, then trusted */
};

struct fw_curve_source {
    const char *name; /* "full", "trusted", else a subset */
    const char *predictions, *dataset;
};

/* Writes the folder `out`. */
int fw_curve_write(const struct fw_curve_source *v, size_t n, const struct fw_task_info *task,
                   const char *out, struct fw_err *err);
/* FW_EINVAL: not such a folder, no full point, or two. */
int fw_curve_load(const char *path, const struct fw_task_info *task, struct fw_curve **out,
                  struct fw_err *err);
void fw_curve_free(struct fw_curve *curve);

#endif
