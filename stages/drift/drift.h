/*
 * drift.json: how far production has moved away from the reference (the train split), field by field,
 * in labels and in embeddings, and what to collect because of it.
 *
 * {
 *   "version": 1,
 *   "n": {"reference": 12000, "production": 4000},
 *   "severity": "major",                 the worst of all below; see fw_drift_build()
 *   "confidence": 0.95, "thresholds": {"minor": 0.1, "major": 0.25},       in PSI
 *   "fields": [                          worst first
 *     {"field": "shift",
 *      "of": "values",                   values | missing; of texts: length | words
 *      "type": "category",               number | category | text
 *      "statistic": "psi",               psi; of words: js
 *      "value": 0.61,
 *      "chance": 0.001,                  what it would be about without drift
 *      "p": 1e-90, "p_adjusted": 1e-89,  null when no test can be made
 *      "test": "chi-squared",            kolmogorov-smirnov | chi-squared | rao-scott
 *      "severity": "major",
 *      "reference": 12000, "production": 4000,       rows that have a value
 *      "moved": [{"is": "shift == 'night'", "reference": 0.02, "production": 0.3}],
 *                                        shares, greatest contribution first
 *      number:   "ks", "wasserstein" (unit of the field), "js", "median": [before, after]
 *      category: "chi2", "df", "js", "new": [{"is", "production"}], "vanished": [{"is", "reference"}]
 *      words:    "design", "unseen", "unseen_chance"}],
 *   "labels": null | {"method": "bbse" | "rlls", "condition", "statistic": "psi", "value", "chance",
 *      "p", "p_adjusted", "severity", "reference": n, "production": m,
 *      "classes": [{"class", "reference": share, "production": estimated share, "low", "high",
 *                   "weight"}]},
 *   "embeddings": null | {"auc", "low", "high", "p", "p_adjusted", "value" (the AUC in PSI), "severity",
 *      "mmd": {"value", "bandwidth", "p", "p_adjusted", "reference", "production"},
 *      "reference": held-out rows, "production": held-out rows},
 *   "targets": [                         what grew, for collection to aim at; greatest growth first
 *     {"slice": "shift == 'night'",      a condition as in slice.h
 *      "class": null | "pitted",
 *      "reference_share": 0.02, "production_share": 0.3, "growth": 0.28,
 *      "missing": 4800}],                samples of it that bring the reference to that share
 *   "notes": ["..."]                     plain sentences: what could not be said, and why
 * }
 * A plugin of someone else's must give version, n, severity and fields with field, type, statistic,
 * value, p and severity; the rest may be left out.
 */
#ifndef FW_DRIFT_DRIFT_H
#define FW_DRIFT_DRIFT_H

#include <jansson.h>

#include "stages/contract.h"
#include "stages/drift/bins.h"
#include "stages/drift/embeddings.h"
#include "stages/drift/table.h"

enum fw_severity { FW_DRIFT_NONE, FW_DRIFT_UNKNOWN, FW_DRIFT_MINOR, FW_DRIFT_MAJOR };

const char *fw_severity_name(enum fw_severity s);               /* "none", "unknown", ... */
int fw_severity_parse(const char *name, enum fw_severity *out); /* 0, or FW_ENOTFOUND */

/* Reads the file and checks the fields above. FW_EINVAL with the file and what is wrong. *out is a new
 * reference. */
int fw_drift_load(const char *path, json_t **out, struct fw_err *err);
/* The same check of a value in memory. */
int fw_drift_check(const json_t *drift, struct fw_err *err);

struct fw_drift_input {
    struct fw_drift_table *table; /* settled; its numbers get sorted */
    const struct fw_task_info *task;
    const double *confusion; /* K × K counts [truth × predicted] on labelled samples, or NULL */
    const double *predicted; /* K counts in production; both or none */
    const struct fw_vectors *reference, *production; /* embeddings; both or none (NULL) */
    double minor, major; /* thresholds in PSI, 0 < minor ≤ major; usual: 0.1 and 0.25 */
    double confidence;   /* 0.95: the share of false findings is held at 1 − confidence */
    size_t bins;         /* of a number; usual: 10 */
    uint64_t seed;
};

void fw_drift_defaults(struct fw_drift_input *in);

/*
 * Makes the object above. Reproducible from the seed, the same for any number of threads.
 *
 * Severity needs both, an effect and significance; millions of rows make everything significant, and
 * a few rows make great effects by chance.
 *   effect        The statistic, brought to the scale of PSI, less what it is on average without
 *                 drift: (K − 1)(1/n + 1/m). JS of words × 8 ln 2; an AUC is that of two normal
 *                 distributions of one width, whose PSI is 2 Φ⁻¹(AUC)². The thresholds 0.1 and 0.25 are
 *                 the custom of credit scoring (Siddiqi 2006).
 *   significance  Benjamini and Hochberg's adjusted p-value over all tests of the object is at most
 *                 1 − confidence.
 *   none, minor, major  by the thresholds; none also when it is not significant though
 *   unknown       an effect of the minor threshold would not have been significant by itself, so
 *                 that nothing was found says nothing: too few to tell.
 * The whole is unknown only when nothing in it was found to be none.
 *
 * Numbers are tested by Kolmogorov–Smirnov, categories, missing values and predicted labels by
 * chi-squared with rare ones pooled, words by chi-squared with Rao and Scott's correction, embeddings
 * by a domain classifier. MMD that is significant where the classifier finds nothing is minor.
 *
 * Targets come from numbers and categories that drifted and from estimated class shares: values (or
 * runs of neighbouring bins) whose share grew by at least 0.01 and by three standard errors; for
 * classes, when the interval lies above the old share. At most 20.
 *
 * FW_EINVAL: a side without rows; FW_ENOMEM.
 */
int fw_drift_build(const struct fw_drift_input *in, json_t **out, struct fw_err *err);

/* Counts what the model predicted for labelled rows: truth from the rows (id, label) of a file of JSON
 * lines, predictions by id. counts: K × K, added to. *matched: rows with both. FW_EINVAL: a label that
 * is no class, with file and line. */
struct fw_predictions;
int fw_drift_confusion(const char *rows, const struct fw_predictions *p,
                       const struct fw_task_info *task, double *counts, size_t *matched,
                       struct fw_err *err);

/* Inside stages/drift: one test of one field, and what was found. */
enum fw_drift_part { FW_DRIFT_VALUES, FW_DRIFT_MISSING, FW_DRIFT_LENGTH, FW_DRIFT_WORDS };

struct fw_drift_test {
    struct fw_column *column;
    enum fw_drift_part part;
    double n[FW_SIDES];
    double value, chance, p, p_adjusted; /* NaN: none */
    double effect, noise, df;            /* in PSI; noise: 1/n + 1/m, × the design effect */
    enum fw_severity severity;
    const char *test;
    bool constant;
    /* numbers */
    struct fw_bins *bins;
    double ks, wasserstein, js, chi2, median[FW_SIDES];
    /* cells: bins, or categories after pooling */
    size_t k;
    double *counts[FW_SIDES];
    size_t *cell; /* category → cell */
    bool pool;
    struct fw_vocabulary_drift *words;
};

/* Makes the numbers of one test; any thread, each test once. */
/* How many values of a column are of the kind (texts, or not) that most of the reference's are: the others count as
 * absent. Where few values differ, and in texts of words, all count: there 3 and "3" are one category. */
size_t fw_drift_of_kind(const struct fw_column *c, int side);
int fw_drift_test_run(struct fw_drift_test *t, size_t bins, struct fw_err *err);
void fw_drift_test_release(struct fw_drift_test *t);
/* The entry of "fields". NULL when memory is out. */
json_t *fw_drift_test_json(const struct fw_drift_test *t);
/* Appends the targets of one test that drifted. */
int fw_drift_test_targets(const struct fw_drift_test *t, json_t *targets, struct fw_err *err);
int fw_drift_add_target(json_t *targets, const char *slice, const char *klass, double p, double q,
                        double n, struct fw_err *err);

#endif
