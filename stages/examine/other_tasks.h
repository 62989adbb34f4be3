/*
 * A look at data whose labels are no single class: boxes on images, and sets of labels. One object each:
 *
 * boxes  {"data": {"images", "given", "predicted", "classes"},
 *         "metrics": {"ap", "ap50", ...}                    null without predictions
 *         "by_class": [{"class", "given", "predicted", "ap"}],
 *         "suspects": [{"error", "image", "class", "box": [x, y, width, height], "score"}],
 *         "images": [{"image", "score"}],                   those with a suspect, the most suspicious first
 *         "figures": {"ap", "ap50", "ap75", "ar100", "box_issues"}}     box_issues: suspects a given box
 * sets   {"data": {"samples", "unpredicted", "classes"},
 *         "metrics": [{"metric", "value", "low", "high"}],  95 % bootstrap intervals
 *         "by_class": [{"class", "given", "precision", "recall", "f1", "issues"}],
 *         "suspects": [{"id", "class", "given": true | false, "score"}],
 *         "samples": [{"id", "score"}],
 *         "figures": {"subset_accuracy", "macro_f1", ..., "label_issues"}}   label_issues: of N × K
 */
#ifndef FW_EXAMINE_OTHER_TASKS_H
#define FW_EXAMINE_OTHER_TASKS_H

#include <jansson.h>

#include "stages/data/boxes.h"
#include "stages/data/labelsets.h"
#include "stages/error_analysis/confident.h"

/* predicted: whether predictions were read; without them only what is given is told. *out: new reference. */
int fw_examine_boxes(const struct fw_box_sets *sets, bool predicted, json_t **out,
                     struct fw_err *err);
int fw_examine_labelsets(const struct fw_labelsets *sets, enum fw_cl_filter filter, uint64_t seed,
                         json_t **out, struct fw_err *err);

#endif
