/*
 * From analysis.json, and drift.json, to what collection should aim at.
 */
#ifndef FW_TARGETED_COLLECTION_AIMS_H
#define FW_TARGETED_COLLECTION_AIMS_H

#include <jansson.h>

#include "stages/data/dataset.h"
#include "stages/targeted_collection/select.h"

struct fw_aims {
    size_t n;
    struct fw_aim *v;
    char **names;   /* the slices, as the analysis names them */
    bool **members; /* what v[i].member points to, or NULL */
};

/* One aim for each slice of the analysis with room to improve. Its weight is the slice's priority,
 * or, when the run is judged by a metric in which every class counts the same (macro F1, balanced
 * accuracy, or one class's F1, precision or recall), gap × importance × ease without the slice's
 * share, so that rare classes are not starved. A slice that train covers less than dev counts up to
 * twice. Membership in slices that are not a class is read from the candidates' rows, from which
 * the labels are taken out first. ds and rows[0..n) are the candidates. Slices whose condition
 * cannot be read are left out. FW_ENOMEM. */
int fw_aims_read(const json_t *analysis, const struct fw_task_info *task,
                 const struct fw_dataset *ds, const size_t *rows, size_t n, struct fw_aims *out,
                 struct fw_err *err);
/* One aim for each class that train has less of than an equal share: its weight is what it lacks,
 * 1 − count · K / N. Needs no analysis. count: K samples of train by class. With no samples at all
 * every class weighs 1. FW_ENOMEM. */
int fw_aims_rare(const struct fw_task_info *task, const size_t *count, struct fw_aims *out,
                 struct fw_err *err);
/* Adds one aim for each target of drift.json (stages/drift/drift.h), read as above: what grew in
 * production. Its weight is the growth of the share; when there are aims of the analysis, all drift
 * targets together weigh as much as all of them. a is as it was on failure. FW_ENOMEM. */
int fw_aims_add_drift(const json_t *drift, const struct fw_task_info *task,
                      const struct fw_dataset *ds, const size_t *rows, size_t n, struct fw_aims *a,
                      struct fw_err *err);
void fw_aims_release(struct fw_aims *a);

#endif
