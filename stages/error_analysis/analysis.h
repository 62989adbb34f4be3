/*
 * analysis.json: what error analysis hands to the stages that propose fixes and to the reader.
 *
 * {
 *   "version": 1,
 *   "metric": {"name": "macro_f1", "value": 0.87},
 *   "slices": [                         sorted by priority, greatest first
 *     {"slice": "class == 'pitted'",    the condition, as in dataset.slices; a class is class == 'NAME'
 *      "class": "pitted" | null,
 *      "n": 60, "share": 0.17,          of the dev split (for a class slice: of the true class)
 *      "train_n": 240,
 *      "metric": 0.81, "low": 0.70, "high": 0.89,   accuracy in the slice, Wilson 95 % interval
 *      "errors": 11, "error_share": 0.3,
 *      "human_level": 0.93, "gap": 0.12,            gap = max(0, human_level − metric)
 *      "importance": 1, "ease": 1,
 *      "worth": 0.020,                  gap × share: what the accuracy of the whole would gain if
 *                                       the gap closed, whatever the metric
 *      "priority": 0.020,               worth × importance × ease
 *                                       from here on optional, for other people's plugins:
 *      "worth_metric": 0.031 | null,    what the run's metric would gain (priority.h); worths of
 *                                       slices that overlap do not add up, so:
 *      "order": 1 | null,               its place in the order to work in, the first ten,
 *      "worth_next": 0.020 | null,      and what it is worth after those before it
 *      "p": 0.002 | null,               "no worse than the rest" (worse.h); null: nothing to test
 *      "p_adjusted": 0.01 | null,       over all slices that were looked at: declared ones, classes
 *                                       and values by Benjamini and Hochberg, found ones by Holm
 *      "weak": true,                    p_adjusted ≤ 0.05
 *      "found": null | "sliceline" | "cluster",     not declared, but found in the data (found.h).
 *                                       A cluster has no condition: its "slice" is "cluster 3". All
 *                                       figures of a sliceline slice are of the half of the samples
 *                                       that the search did not see
 *      "suspects": 12 | null,           train samples of the slice whose label is suspected; null
 *      "missing": 90 | null,            for a cluster; train samples it lacks (see coverage)
 *      "examples": ["id"],              of a found slice: its greatest losses, or nearest the centre
 *      "traits": [{"condition": "shift == 'night'", "share": 0.8, "lift": 3.1}]}],
 *                                       of a cluster: what is frequent in it, and how many times as
 *                                       frequent as in all
 *   "suspects": [                       train samples, most suspicious first
 *     {"id": "x", "label": "a", "suggested": "b", "score": 0.03, "method": "confident-learning"}],
 *   "confusions": [{"true": "a", "predicted": "b", "n": 7, "rate": 0.12}],      dev, greatest first
 *   "noise": {"rate": 0.18, "labelled": 1080, "estimated_errors": 194,
 *             "by_class": [{"class": "a", "n": 180, "rate": 0.2}]},
 *                                       null without out-of-fold predictions
 *   "coverage": [{"slice": "shift == 'night'", "train_share": 0.02, "dev_share": 0.1, "missing": 90}],
 *   "exchange": {                       clean or collect (exchange.h); null without a learning curve
 *     "metric": "accuracy",
 *     "points": [{"kind": "subset" | "full" | "trusted", "n": 125, "value": 0.71, "low": 0.67,
 *                 "high": 0.75}],       the metric on dev by the number of labelled train samples
 *     "slope": E, "sample": E,          E = {"value", "low", "high"} (95 %) or null when not known;
 *     "label": E, "corrected": E,       points of the metric (1 = all), positive is better: per unit
 *     "cleaning": E,                    of ln n, per new sample, per label checked, per label put
 *                                       right, and if all suspects were put right
 *     "suspects": 61, "wrong": 52,      labels left out of "trusted"; estimated wrong among them
 *     "nothing_to_clean": false,
 *     "costs": {"label": 1, "sample": 1},
 *     "rate": E,                        worth of a label checked / its cost, over that of a new
 *                                       sample / its cost; null when the sample's may be 0: undecided
 *     "advice": "clean" | "collect" | "either" | "neither" | null,     null: noise is not estimated
 *     "share_to_clean": 0.97,           of the budget: the probability that a label is worth more;
 *                                       0.5 when undecided
 *     "power_law": {"limit", "scale", "exponent", "doubled": E} | null,     the metric at twice n
 *     "sentence": "Checking one suspect label is worth 3.1 [1.8, 6] new samples: clean first."},
 *   "notes": ["..."]                    plain sentences about what could not be said, and why
 * }
 */
#ifndef FW_STAGES_ANALYSIS_H
#define FW_STAGES_ANALYSIS_H

#include <jansson.h>

#include "pipeline/base/err.h"
#include "stages/data/dataset.h"
#include "stages/data/ids.h"
#include "stages/data/predictions.h"
#include "stages/error_analysis/confident.h"
#include "stages/error_analysis/curve.h"
#include "stages/evaluate/metrics.h"

/* Reads the file and checks the fields above (unknown ones are kept). FW_EINVAL with the file and
 * what is missing. *out is a new reference. */
int fw_analysis_load(const char *path, json_t **out, struct fw_err *err);

/* What an analysis is made from; everything is borrowed. */
struct fw_analysis_input {
    const struct fw_task_info *task;
    const struct fw_dataset *data; /* rows of split "train" and "dev"; others are left out */
    bool judge_all; /* no splits: each labelled row is judged by `dev` and is a train row too, whose
                       label is judged by `out_of_fold` (the two may be the same) */
    const struct fw_predictions *dev;         /* of the dev rows */
    const struct fw_predictions *out_of_fold; /* of the train rows by models that did not see them;
                                                 NULL: no suspects, no noise estimate */
    const struct fw_curve *curve; /* NULL: no exchange rate */
    double cost_label, cost_sample;
    struct fw_metric metric;
    /* Objects name → number: "default", class names, slice texts; NULL or absent: human level 1
     * (regression: an error of 0), importance 1, ease 1. */
    const json_t *human_level, *importance, *ease;
    size_t n_slices;
    const char *const *slices;      /* conditions, or bare fields: each value is a slice */
    const struct fw_ids *not_asked; /* ids that are no suspects any more; may be NULL */
    const struct fw_ids *looked_at; /* ids whose present label people found right; may be NULL */
    size_t max_suspects;
    enum fw_cl_filter filter; /* which labels are suspects, and */
    enum fw_cl_score score;   /* in which order */
    size_t max_found;         /* slices to find at most; 0: none are sought */
    size_t found_level;       /* values in a found condition at most; 0: 3 */
    double found_share;       /* of the rows searched that a found slice has at least; 0: 0.01 */
    bool
        found_class; /* may a found condition speak of the class? Then it cannot be collected for */
    uint64_t seed;   /* of the halves and the clusters */
};

/*
 * Makes the object above. Pure: the same input gives the same object.
 *
 * For regression a slice's `metric` is its mean absolute error with a normal 95 % interval, its gap
 * is metric − human level, an error is a sample off by more than twice the overall mean, and a
 * suspect is a train sample whose out-of-fold residual lies beyond 3.5 robust standard deviations
 * (median absolute deviation: Iglewicz and Hoaglin 1993); label and suggestion are numbers as text.
 *
 * Noise is what confident learning estimates for the labels that nobody has looked at (`looked_at`
 * counts as right; `not_asked` does not); rates are of all labels.
 *
 * Coverage lists a slice when its train share lies below the Wilson 95 % interval of its dev share
 * (`missing`: how many more train samples would bring it to the dev share), and a class with less
 * than a quarter of an equal share of the train split (`missing`: up to half an equal share).
 *
 * FW_EINVAL: a slice that cannot be parsed (err->col is its column); FW_ENOMEM.
 */
int fw_analysis_build(const struct fw_analysis_input *in, json_t **out, struct fw_err *err);

/* The parts that need no slices, for analysis.c. Arrays of the object above; all: the ids of all
 * suspects, also of those beyond max_suspects (borrowed from the dataset). */
int fw_analysis_suspects(const struct fw_analysis_input *in, json_t *root, json_t *notes,
                         struct fw_ids *all, struct fw_err *err);

#endif
