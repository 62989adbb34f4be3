/*
 * A look at labels and predictions without a pipeline: each part of it makes one object of the result,
 * and puts the numbers that a CI job may require into `figures`. Pure but for reading the files that
 * samples name; the same input gives the same result for any number of threads.
 *
 * {
 *   "data": {"samples", "labelled", "predicted", "unpredicted", "unknown", "task",
 *            "metric", "classes": [..]},
 *   "figures": {"accuracy": 0.91, "label_issues": 0.02, ...},
 *   one object for each part that was asked for, named as the part,
 *   "notes": ["..."]          plain sentences about what could not be said, and why
 * }
 */
#ifndef FW_EXAMINE_EXAMINE_H
#define FW_EXAMINE_EXAMINE_H

#include <jansson.h>
#include <stdint.h>

#include "stages/data/labelled.h"
#include "stages/evaluate/metrics.h"
#include "stages/examine/require.h"
#include "stages/quality/outliers.h"

struct fw_examine {
    const struct fw_labelled *l;
    enum fw_cl_filter filter; /* which labels are issues, and */
    enum fw_cl_score score;   /* in which order */
    size_t n_slices;          /* conditions or fields, as in dataset.slices */
    const char *const *slices;
    size_t max_found; /* slices that are looked for; 0 = none */
    size_t listed;    /* samples that one list names at most; counts are of all */
    uint64_t seed;
    struct fw_metric metric;                  /* what the worth of a slice is in */
    const struct fw_predictions *predictions; /* that l was joined from; NULL: none, or arrays */
    struct fw_neighbours
        *neighbours; /* of l's samples by embeddings or features; made here; may be NULL */
    json_t *out, *figures, *notes; /* filled; borrowed */
};

/* A part: makes x->out[name]. FW_OK with a note when the data do not have what it needs. */
typedef int fw_examine_fn(const struct fw_examine *x, struct fw_err *err);

struct fw_examine_part {
    const char *name, *summary;
    fw_examine_fn *fn;
};
/* All parts in the order of the result; ended by a NULL name. */
extern const struct fw_examine_part fw_examine_parts[];

/*
 * "metrics"     {"overall": [{"metric", "value", "low", "high"}], "confusion": [[..]] (up to 100 classes),
 *                "reliability": [{"low", "high", "n", "confidence", "accuracy"}]}       95 % intervals
 * "labels"      {"filter", "score", "noise_rate", "estimated_errors", "n_issues",
 *                "issues": [{"id", "label", "suggested", "score"}],     the most suspicious first
 *                "classes": [{"class", "given", "issues", "wrong", "missing", "noise", "inverse_noise"}],
 *                "overlapping": [{"classes": [a, b], "n", "share"}]}
 * "slices"      as in stages/error_analysis/analysis.h
 * "duplicates"  {"groups_n", "samples", "crossing", "disagreeing", "unreadable",
 *                "groups": [{"members": [id], "how", "similarity": the least of its links, "crosses",
 *                            "disagrees"}]}          leaks across splits first
 * "outliers"    {"by": "distance" | "probability", "n", "typical", "samples": [{"id", "score"}]}
 * "balance"     {"ratio", "effective_classes", "rare", "classes": [{"class", "n", "share", "rare"}]}
 * "order"       {"labels": {"n", "statistic", "expected", "p"}, "vectors": {...}}
 * "images"      {"images", "flagged", "kinds": [{"issue", "n", "usual"}],
 *                "samples": [{"id", "file", "issues": [..], "score"}]}
 */
fw_examine_fn fw_examine_metrics, fw_examine_labels, fw_examine_slices, fw_examine_duplicates,
    fw_examine_outliers, fw_examine_balance, fw_examine_order, fw_examine_images;

/* Runs the chosen parts (chosen: a flag for each part). x's out, figures and notes are made here. *out: new
 * reference. */
int fw_examine(struct fw_examine *x, const bool *chosen, json_t **out, struct fw_err *err);

/* The value that a requirement is about: one of the figures, or any metric of stages/evaluate, on a slice when
 * it names one. NaN when it cannot be measured (no sample). FW_EINVAL: no such figure, metric, class, field. */
int fw_examine_value(const struct fw_labelled *l, const json_t *figures, const struct fw_require *r,
                     double *value, struct fw_err *err);

/* For the parts: fills x->neighbours, or leaves it NULL when there are no vectors, or too many of them. */
int fw_examine_neighbours(struct fw_examine *x, struct fw_err *err);
/* A figure, and a note. FW_ENOMEM. */
int fw_examine_figure(const struct fw_examine *x, const char *name, double value,
                      struct fw_err *err);
int fw_examine_note(const struct fw_examine *x, struct fw_err *err, const char *fmt, ...)
    FW_PRINTF(3, 4);
/* null when not finite. */
json_t *fw_examine_number(double v);

#endif
