/*
 * A scorecard: the standard metrics of a task with intervals, over all samples and by slice. Pure; values
 * out, for a caller that prints them.
 *
 *     struct fw_scorecard_in in = {.data = {.n = n, .k = k, .truth = truth, .pred = pred, .probs = probs},
 *                                  .level = 0.95, .resamples = 2000, .per_class = true};
 *     struct fw_scorecard card;
 *     if (fw_scorecard(&in, &card, &err) == FW_OK) { ...; fw_scorecard_release(&card); }
 *
 * Lines, the same for each group, in this order:
 *   classification  accuracy, balanced_accuracy, macro_precision, macro_recall, macro_f1,
 *                   weighted_precision, weighted_f1, mcc; with probs top_5 (more than five classes),
 *                   log_loss, brier, ece, macro_roc_auc, weighted_roc_auc, macro_average_precision,
 *                   weighted_average_precision
 *   per class       precision, recall, f1; with probs roc_auc and average_precision (without interval)
 *   regression      mae, rmse, r2
 *
 * Intervals: accuracy, top-k, and precision, recall and F1 of a class by Wilson 1927. Given how many samples
 * are predicted to be of the class, are of it, or are either, the hits among them are binomial, and F1 is
 * 2 J / (1 + J) of the share J of hits among the last. With weights n is the effective sample size
 * (Σ w)² / Σ w² (Kish 1965), which makes them approximate. The others by the bootstrap of compare.h.
 */
#ifndef FW_STAGES_SCORECARD_H
#define FW_STAGES_SCORECARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/evaluate/metrics.h"

struct fw_subset { /* a slice: one of the two */
    const char *name;
    const bool *in;      /* N, or NULL */
    const size_t *index; /* n_index sample indices */
    size_t n_index;
};

struct fw_scorecard_in {
    struct fw_metric_data data; /* regression when truth is NULL; probs may be NULL */
    const struct fw_subset *slices;
    size_t n_slices;
    double level;     /* of the intervals, two-sided, in (0, 1) */
    size_t resamples; /* 0 = no bootstrap: those lines have no interval */
    uint64_t seed;
    bool per_class;
};

enum fw_interval { FW_NO_INTERVAL, FW_BY_WILSON, FW_BY_BOOTSTRAP };

struct fw_score_line {
    struct fw_metric metric;
    double value, low, high; /* NaN where not defined, or without interval */
    enum fw_interval by;
    double
        support; /* what it rests on, in weight: the class's true samples, or all labelled ones */
};

struct fw_score_group {
    const char *name; /* NULL: all samples; else the slice's, borrowed */
    size_t n;         /* labelled samples of weight above 0 */
    struct fw_score_line *lines;
};

struct fw_scorecard {
    size_t n_groups; /* 1 + slices */
    size_t n_lines;  /* of each group */
    struct fw_score_group *groups;
};

/* FW_EINVAL for what fw_metric_measure() refuses, an index of N or more, a level outside (0, 1) and no
 * classes. A slice without a labelled sample has n = 0 and NaN throughout. */
int fw_scorecard(const struct fw_scorecard_in *in, struct fw_scorecard *out, struct fw_err *err);
void fw_scorecard_release(struct fw_scorecard *card);

#endif
