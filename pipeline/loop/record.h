/*
 * The record of a run as one JSON object: the journal folded. `flywheel show --json`, `status`,
 * `report` and the record committed under refs/flywheel/runs/<id> are all views of it.
 *
 * {
 *   "flywheel": 1, "version": "0.1.0", "run": "20261122-034500-1a2b", "name": "steel-surface",
 *   "status": "running" | "parked" | "stopped" | "failed" | "interrupted",
 *   "started": ISO, "ended": ISO | null,
 *   "task": "classification", "classes": ["crazing", ...],
 *   "metric": {"name": "accuracy", "higher_is_better": true, "target": 0.95 | null,
 *              "human_level": {"default": 0.98 | null, "classes": {"pitted": 0.93}}},
 *   "gate": {"rule": "spend", "confidence": 0.95, "guards": {"pitted": 0.02}},
 *   "model": {"fingerprint": sha256,
 *             "stages": [{"stage", "plugin", "plugin_version", "params", "seeds"}]},
 *   "baselines": [{"name": "majority class", "value": 0.17}, {"name": "human level", "value": 0.98}],
 *   "import": {"snapshot", "dropped_exact", "dropped_near", "warnings"},
 *   "sanity": {"n": 48, "score": 1.0, "passed": true} | null,
 *   "iterations": [{
 *     "iteration": 0,
 *     "snapshot": commit, "parent": commit | null, "rows": {"train": n, "dev": n, "test": n},
 *     "score": {"value": 0.81, "low": 0.77, "high": 0.85, "per_seed": [0.80, ...]} | null,
 *     "metrics": {"accuracy": ..., "macro_f1": ..., "mcc": ...},    of the dev split
 *     "per_class": [{"class", "n", "precision", "recall", "f1"}],
 *     "confusion": [[...], ...],                  K × K, rows true, mean over seeds
 *     "gate": {"verdict": "baseline" | "improved" | "undecided" | "worse",
 *              "gain": 0.021, "low": 0.008, "high": 0.034, "p": 0.003, "mcnemar_p": 0.01, "permutation_p": 0.004 | null,
 *              "look": 2, "alpha": 0.0042, "rule": "spend", "reason": "plain sentence",
 *              "guards": [{"guard", "metric", "before", "after", "allowance", "broken": bool}]},
 *     "gate_after_ablation": {...},               the second look, at what an ablation kept; absent
 *                                                 without one. Where one verdict stands for the
 *                                                 iteration, it is this one.
 *     "fixes": [{"stage": "relabel", "kind": "relabel",
 *                "relabel": 61, "add": 0, "remove": 3, "confirm": 20, "guideline": 0, "set_aside": 2,
 *                "labels": 182, "money": 0,
 *                "gain": 0.021 | null, "low", "high", "verdict" | null,    measured alone
 *                "kept": true | false | "partly"}],   partly: an ablation split it by class
 *     "ablation": [{"part", "fixes": n, "gain", "low", "high", "verdict", "kept": bool}],
 *                                                 [] unless worse
 *     "aside": [{"stage", "fix": {...}, "reason"}], "aside_total": n,           at most 50 are kept
 *     "analysis": {"snapshot", "slices", "confusions", "noise" | null, "suspects": n, "coverage",
 *                  "notes"} | null,               of what this iteration started from
 *     "champion": true,                           is it the champion now (at most one in the run)
 *     "state": "kept" | "provisional" | "rolled back" | "unchanged",   a provisional one changes
 *                                                 when a later gate decides about it
 *     "seconds": 12.5,
 *     "stages": [{"node": "train[seed=1]", "stage": "train", "label": "", "state": "done" | ...,
 *                 "seconds": 3.1, "attempts": 1, "log": "path below .flywheel", "error": text}]
 *   }],
 *   "champion": {"iteration": 3, "snapshot": commit, "score": {...}} | null,
 *   "last_look": the iteration that found nothing to propose, in the same form, absent without one
 *   "provisional": {"snapshot": commit, "ref": "refs/flywheel/provisional/<name>",
 *                   "fixes": n,                   of this run
 *                   "inherited": bool} | null,    and those that earlier runs left unproven
 *   "test": {"champion": {"score", "metrics", "per_class", "confusion"},
 *            "baseline": {... the same for iteration 0}} | null,   the sealed split, after the stop
 *   "handover": {"analysis": {... of the champion}, "next": ["plain sentence", ...]} | null,
 *   "budget": {"labels": {"used": 182, "limit": 600 | null}, "money": {...}, "wall_seconds": {...},
 *              "stage_seconds": {...}},
 *   "looks": 4,
 *   "stop": {"reason": "target" | "patience" | "stable" | "nothing-left" | "budget" |
 *                      "max-iterations", "text": "plain sentence"} | null,
 *   "failure": {"text", "hint"} | null,
 *   "waiting": [{"reason"}],
 *   "plan": "the text of flywheel.yaml as run", "sets": ["stages.relabel.with.budget=20"]
 * }
 */
#ifndef FW_LOOP_RECORD_H
#define FW_LOOP_RECORD_H

#include <jansson.h>

#include "pipeline/base/buf.h"

/* Folds journal records (array) into the run's record (new reference). Pure. */
int fw_record_fold(const json_t *journal, json_t **out, struct fw_err *err);

/* The gate's last word on an iteration: the second look when there was one. Borrowed, may be NULL. */
const json_t *fw_record_gate(const json_t *iteration);
/* How many changes to the data an iteration's fixes made that stayed (provisionally too), and how
 * many were taken back. */
void fw_record_fixes(const json_t *iteration, double *kept, double *dropped);

/* One self-contained HTML page from a record: no outside resource is loaded. Pure: appends to out.
 */
int fw_report_html(const json_t *record, struct fw_buf *out, struct fw_err *err);

#endif
