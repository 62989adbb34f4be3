/*
 * Held fixed: the fingerprint of the model (every stage of the measure phase: plugin content,
 * declared code, parameters, seeds, environment, matrix, command) and the digests of the evaluation
 * sets, kept in flywheel.lock beside flywheel.yaml. The file is meant to be committed by the user.
 *
 *   {"version": 1,
 *    "fingerprint": sha256,
 *    "model": {"train.plugin": "linear 0.1.0", "train.with.C": 1.0, ...},
 *    "evaluation": {"dev": sha256, "test": sha256}}
 *
 * The model is a flat object so that a difference can be said exactly.
 */
#ifndef FW_LOOP_MODELLOCK_H
#define FW_LOOP_MODELLOCK_H

#include <jansson.h>

#include "pipeline/config/plan.h"

/* The lock's content for a plan: reads plugin and code files. New reference. */
int fw_modellock_make(const struct fw_plan *plan, const char *dev_digest, const char *test_digest,
                      json_t **out, struct fw_err *err);
/* FW_ENOTFOUND when there is none yet. */
int fw_modellock_read(const char *root, json_t **out, struct fw_err *err);
int fw_modellock_write(const char *root, const json_t *lock, struct fw_err *err);
/* Compares; FW_EREFUSED names every difference ("train.with.C: 1.0 → 2.0") and the way forward.
 * Each half is skipped when its flag is false. Pure. */
int fw_modellock_check(const json_t *locked, const json_t *now, bool model, bool evaluation,
                       struct fw_err *err);
/* Is the stage part of the held-fixed model? train, evaluate, and what they need. Pure. */
bool fw_modellock_covers(const struct fw_plan *plan, const struct fw_stage *stage);

#endif
