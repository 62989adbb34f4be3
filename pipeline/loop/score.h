/*
 * Scores of a snapshot's models on the dev (or test) split, computed by the engine from
 * predictions.
 */
#ifndef FW_LOOP_SCORE_H
#define FW_LOOP_SCORE_H

#include <jansson.h>

#include "pipeline/config/plan.h"
#include "pipeline/loop/gate.h"
#include "pipeline/snap/snap.h"
#include "stages/evaluate/compare.h"

struct fw_evalset; /* the true labels of one split, with the rows' metadata for slices */

int fw_evalset_load(struct fw_repo *repo, const char *oid, const char *split,
                    const struct fw_plan *plan, const struct fw_task_info *task,
                    struct fw_evalset **out, struct fw_err *err);
/* The same from a file of rows. */
int fw_evalset_load_file(const char *path, const struct fw_plan *plan,
                         const struct fw_task_info *task, struct fw_evalset **out,
                         struct fw_err *err);
void fw_evalset_free(struct fw_evalset *set);
size_t fw_evalset_size(const struct fw_evalset *set);
const struct fw_task_info *fw_evalset_task(const struct fw_evalset *set);
/* The metric of a constant answer: one class, or one value for regression. */
int fw_evalset_constant(const struct fw_evalset *set, const struct fw_metric *metric, int klass,
                        double value, double *out, struct fw_err *err);

/* One snapshot's predictions, a row per seed, aligned with the set. */
struct fw_scores;
/* paths: the predictions of each seed. */
int fw_scores_load(const struct fw_evalset *set, const char *const *paths, size_t seeds,
                   struct fw_scores **out, struct fw_err *err);
void fw_scores_free(struct fw_scores *s);
/* The mean of a metric over the seeds. */
double fw_evalset_metric(const struct fw_evalset *set, const struct fw_metric *metric,
                         const struct fw_scores *s);

/* {"score": {value, low, high, per_seed}, "metrics": {...}, "per_class": [...], "confusion": [...],
 * "audit": [{"requirement": "recall:spam where region == 'south' at least 0.9", "slice": text | null,
 *            "n": samples (of the metric's class when it has one), "value", "low", "high",
 *            "other": value of what it is compared with, "short_by": 0 when it holds,
 *            "on_broken": "guard" | "warn",
 *            "state": "met", "broken" (by the value), "unsure" (met, but the interval reaches below;
 *                     what it is compared with is taken as it stands), "unknown" (no sample)}]
 *           left out when nothing is required}. */
int fw_scores_report(const struct fw_evalset *set, const struct fw_metric *metric,
                     const struct fw_scores *s, double level, uint64_t seed, json_t **out,
                     struct fw_err *err);
int fw_scores_compare(const struct fw_evalset *set, const struct fw_metric *metric,
                      const struct fw_scores *before, const struct fw_scores *after, double level,
                      size_t resamples, uint64_t seed, struct fw_comparison *out,
                      struct fw_err *err);
/* The two-sided p-value of a permutation test of the same gain (stages/evaluate/permutation.h), beside the
 * gate's bootstrap; NaN for metrics that are no function of the confusion matrix. */
int fw_scores_permute(const struct fw_evalset *set, const struct fw_metric *metric,
                      const struct fw_scores *before, const struct fw_scores *after, uint64_t seed,
                      double *p, struct fw_err *err);
/* How many guards fw_scores_guards() fills. */
size_t fw_evalset_guards(const struct fw_evalset *set);
/* Fills one fw_guard per plan guard, then one per requirement of the audit that is declared a guard;
 * names are owned by the set. A guard is a class (its F1), a metric ("recall:spam"), or a slice (the
 * run's metric on it). A requirement's before and after are minus what it is short by, so it breaks
 * when the candidate misses it by more than the champion does. */
int fw_scores_guards(const struct fw_evalset *set, const struct fw_scores *before,
                     const struct fw_scores *after, struct fw_guard *out, struct fw_err *err);

#endif
