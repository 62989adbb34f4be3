/*
 * What to work on: the table a person would make by hand (Ng, Machine Learning Yearning, 2018, chapters 14
 * to 17: error analysis by categories; and the gap to human-level performance, chapters 33 to 35). Pure.
 *
 * Car noise: a gap of 4 % on 4 % of the data is worth 0.16 points. Clean speech: 1 % on 60 % is worth 0.6.
 *
 * A loss is 1 for a sample predicted otherwise, or the absolute error; a slice's mean loss is 1 − accuracy,
 * or its mean absolute error. Its gap is what its mean loss exceeds the loss of people by. "The gap closes"
 * always means the same: each of its samples keeps the fraction 1 − f of its loss, f = gap / mean loss, so
 * that the slice comes out at human level.
 */
#ifndef FW_STAGES_PRIORITY_H
#define FW_STAGES_PRIORITY_H

#include <stdint.h>

#include "stages/evaluate/metrics.h"

/* gap × share: what the mean loss of the whole would fall by. */
double fw_worth(double gap, double share);
/* worth × importance × ease. */
double fw_priority(double gap, double share, double importance, double ease);

struct fw_worth_rows { /* the N judged samples; borrowed */
    size_t n, k;
    const int *truth, *pred; /* N, or NULL for regression */
    const double *loss;      /* N, as above */
    const float *probs;      /* N × K by `at`, for log loss and Brier; else NULL */
    const uint32_t *at;      /* N: row of probs */
    const double *value;     /* N true values, for R²; else NULL */
    const bool *left_out;    /* N: rows that do not count; NULL: all do */
};

/* The run's metric over the rows, kept so that it can be recomputed after a change. */
struct fw_worth_base {
    const struct fw_worth_rows *rows;
    struct fw_metric metric;
    double n, value;
    double *margins;                 /* 3 × K: diagonal, true, predicted */
    double *scratch;                 /* 2 × K */
    double absolute, square, spread; /* sums: |error|, error², (value − mean)² */
    double cost, right; /* log loss, Brier: sum, and mean over the samples predicted right */
};

int fw_worth_open(const struct fw_metric *m, const struct fw_worth_rows *rows,
                  struct fw_worth_base *out, struct fw_err *err);
void fw_worth_close(struct fw_worth_base *b);

/*
 * What the run's metric would gain if the fraction f of the loss in a slice went; positive is better.
 * row: the slice's rows that have a loss.
 *   of the confusion matrix   each wrong sample counts 1 − f where it is and f where it belongs:
 *                             [true][predicted] −= f, [true][true] += f
 *   log loss, Brier           a wrong sample costs 1 − f of what it does, and f of what the samples
 *                             predicted right cost on average
 *   MAE, RMSE, R²             each error is 1 − f times what it is
 * Gains of slices that overlap do not add up. NaN when the metric has no value or is
 * none of these.
 */
double fw_worth_metric(struct fw_worth_base *b, const uint32_t *row, size_t n_rows, double f);

struct fw_priority_slice {
    const uint32_t *row; /* its rows that have a loss */
    size_t n_rows, n;    /* n: all its rows */
    double human_loss;
    double worth, weight; /* of the slice alone; importance × ease */
};

/*
 * The order to work in when each gap that is closed makes those that overlap it smaller: again and again
 * the slice whose worth × weight is greatest now. order[0..*n): slices; next[0..*n): what each is worth
 * after those before it, its worth times the part of its gap that is left. Ends at `most` slices, or when
 * nothing is worth anything. loss: N, of all rows. FW_ENOMEM.
 */
int fw_priority_order(const struct fw_priority_slice *v, size_t n_slices, const double *loss,
                      size_t n_rows, size_t most, size_t *order, double *next, size_t *n,
                      struct fw_err *err);

#endif
