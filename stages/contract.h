/*
 * What each kind of stage is: its name, what it reads and writes, and the checks its outputs must
 * pass before any other stage sees them. Pure tables and checks over files; no engine state.
 */
#ifndef FW_STAGES_CONTRACT_H
#define FW_STAGES_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/err.h"

enum fw_kind {
    FW_TRAIN,
    FW_EVALUATE,
    FW_ERROR_ANALYSIS,
    FW_TARGETED_COLLECTION,
    FW_AUGMENT,
    FW_RELABEL,
    FW_DRIFT,
    FW_CUSTOM,
    FW_KINDS
};

enum fw_task { FW_CLASSIFICATION, FW_REGRESSION };

const char *fw_kind_name(enum fw_kind kind);            /* "error-analysis" */
int fw_kind_parse(const char *name, enum fw_kind *out); /* 0, or FW_ENOTFOUND */
bool fw_kind_proposes(enum fw_kind kind); /* writes a patch: collection, augment, relabel */
/* The single output name of a kind: "model", "predictions", "analysis", "patch", "drift"; NULL for
 * custom. */
const char *fw_kind_output(enum fw_kind kind);

/* What the checks need to know about the dataset of the task. classes is NULL for regression. */
struct fw_task_info {
    enum fw_task task;
    const char *const *classes;
    size_t n_classes;
};

/*
 * Checks the output `name` at `path` against the contract of `kind`.
 *   model        the path exists, and is a non-empty file or a folder with at least one file
 *   predictions  readable by fw_predictions_load(); with ids given (the view's samples, n_ids of
 *                them): every id known, none missing, none twice; probabilities in [0, 1], rows sum
 *                to 1 ± 1e-3, no NaN
 *   analysis     an object as stages/error_analysis/analysis.h describes
 *   patch        readable by fw_patch_load()
 *   drift        an object as stages/drift/drift.h describes
 *   custom       the path exists
 * FW_EINVAL with the file, line and reason.
 */
int fw_contract_check(enum fw_kind kind, const char *name, const char *path,
                      const struct fw_task_info *task, const char *const *ids, size_t n_ids,
                      struct fw_err *err);

#endif
