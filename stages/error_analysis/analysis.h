/*
 * analysis.json: what error analysis hands to the stages that propose fixes and to the reader.
 *
 * {
 *   "version": 1,
 *   "metric": {"name": "macro_f1", "value": 0.87},
 *   "slices": [                         sorted by priority, greatest first
 *     {"slice": "class == 'pitted'",    the condition, as in dataset.slices; a class is class ==
 * 'NAME' "class": "pitted" | null, "n": 60, "share": 0.17,          of the dev split (for a class
 * slice: of the true class) "train_n": 240, "metric": 0.81, "low": 0.70, "high": 0.89,   accuracy
 * in the slice, Wilson 95 % interval "errors": 11, "error_share": 0.3, "human_level": 0.93, "gap":
 * 0.12,            gap = max(0, human_level − metric) "importance": 1, "ease": 1, "worth": 0.020,
 * gap × share: points of the total metric if the gap closed "priority": 0.020}],             worth
 * × importance × ease "suspects": [                       train samples, most suspicious first
 *     {"id": "x", "label": "a", "suggested": "b", "score": 0.03, "method": "confident-learning"}],
 *   "confusions": [{"true": "a", "predicted": "b", "n": 7, "rate": 0.12}],      dev, greatest first
 *   "noise": {"rate": 0.18, "labelled": 1080, "estimated_errors": 194,
 *             "by_class": [{"class": "a", "n": 180, "rate": 0.2}]},  null without out-of-fold
 * predictions "coverage": [{"slice": "shift == 'night'", "train_share": 0.02, "dev_share": 0.1,
 * "missing": 90}], "notes": ["..."]                    plain sentences about what could not be
 * said, and why
 * }
 */
#ifndef FW_STAGES_ANALYSIS_H
#define FW_STAGES_ANALYSIS_H

#include <jansson.h>

#include "pipeline/base/err.h"

/* Reads the file and checks the fields above (unknown ones are kept). FW_EINVAL with the file and
 * what is missing. *out is a new reference. */
int fw_analysis_load(const char *path, json_t **out, struct fw_err *err);

#endif
