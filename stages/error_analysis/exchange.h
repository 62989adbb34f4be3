/*
 * Clean or collect? What is one label checked worth, and what is one new sample worth, to the model
 * that is held fixed, on the data as they are now.
 *
 * Pure; the same result for any number of threads. All values are in points of the metric, signed so
 * that positive is better. With s(n) the score of the model on n train samples as they come, noise
 * included:
 *
 *   slope    b = d s / d ln n at the present n: the least-squares line through the points of the
 *            learning curve, each weighted by its n, since what counts is the slope at its end
 *   sample   b / n: a new sample from the same source, with labels as noisy as the present ones
 *   cleaning V = s(trusted) − [s(n) − b ln(n / m)]: the model trained on the m samples whose labels
 *            do not look wrong, against the curve at m. That is what the wrong labels cost beyond
 *            their absence, s(trusted) − s(n), and the worth of as many samples once they are
 *            right, b ln(n / m).
 *   label    V / (n − m): a label checked among the suspects, right or wrong
 *   corrected V / w, w the estimated number of wrong labels among the suspects (at most n − m)
 *   rate     (label / its cost) / (sample / its cost): how many new samples one label checked is
 *            worth, when both cost the same
 *
 * Assumptions: near n the curve is a straight line in ln n (a power law is one over short ranges);
 * a corrected label is worth what a fresh sample is; suspects that are right are no harder than
 * others (they are: leaving them out costs a little, so V errs low, which is on the safe side where
 * confident learning is wrong about a hard but clean dataset). Intervals are percentiles of a paired
 * bootstrap over the dev samples, stratified by class (Efron and Tibshirani 1993, ch. 16); they hold
 * for these trained models and leave out what other subsets and seeds would have given.
 *
 * Power law s(n) = limit − scale · n^−exponent (Cortes, Jackel, Solla, Vapnik and Denker 1994,
 * "Learning curves: asymptotic values and rate of convergence", NIPS 6; Figueroa, Zeng-Treitler,
 * Kandula and Ngo 2012, "Predicting sample size required for classification performance", BMC Med
 * Inform Decis Mak 12:8): for each exponent of a grid the weighted least squares line, of which the
 * one with the least plain sum of squares is kept. Used to extrapolate to 2 n, and only with
 * 3 points or more, an exponent inside the grid, a limit that the metric can reach, residuals within
 * the points' standard errors, and all this in nine of ten resamples.
 */
#ifndef FW_STAGES_EXCHANGE_H
#define FW_STAGES_EXCHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "stages/evaluate/compare.h"

struct fw_analysis_input;

/* Fewer estimated wrong labels than this, or than this share, are nothing to clean. */
enum { FW_EXCHANGE_FEW = 5 };
#define FW_EXCHANGE_FEW_SHARE 0.002

struct fw_exchange_point { /* a model's predictions on the N dev samples, aligned with the truth */
    double n;              /* labelled train samples it had; > 0 */
    const int *pred;       /* N; NULL for regression */
    const float *probs;    /* N × K, or NULL */
    const double *value;   /* N; NULL for classification */
};

struct fw_exchange_input {
    struct fw_metric metric;
    struct fw_truth truth;
    size_t n_points; /* ascending n; the last is the train split as it is */
    const struct fw_exchange_point *points;
    const struct fw_exchange_point *trusted; /* NULL: not measured */
    double wrong;                   /* estimated wrong labels in train; NaN: not estimated */
    double cost_label, cost_sample; /* > 0, in one unit */
    size_t resamples;               /* 0: 2 000, fewer from 20 000 dev samples on, at least 200 */
    double level;                   /* 0: 0.95 */
    uint64_t seed;
};

struct fw_estimate {
    double value, low, high; /* NaN: not known */
};

enum fw_advice {
    FW_ADVISE_NONE,
    FW_ADVISE_CLEAN,
    FW_ADVISE_COLLECT,
    FW_ADVISE_EITHER,
    FW_ADVISE_NEITHER
};

struct fw_exchange {
    struct fw_estimate trusted_score, slope, sample, cleaning, label, corrected, rate;
    double suspects, wrong; /* n − m; wrong labels among them. 0 when not measured */
    bool nothing_to_clean;  /* measured, and too few labels look wrong */
    /* Classification with a trusted point; FW_ADVISE_NONE otherwise. With d the difference of the
     * two worths per unit of cost: CLEAN when the interval of d is above 0, COLLECT when below;
     * else EITHER when one of the two has an interval above 0, NEITHER when none has. Nothing to
     * clean: COLLECT or NEITHER. */
    enum fw_advice advice;
    /* The share of the budget that goes to labels: the share of resamples in which a label is worth
     * more per unit of cost (probability matching: Thompson 1933); ties count half. 0.5 for NEITHER
     * and NONE, 0 with nothing to clean. */
    double share_to_clean;
    bool has_power_law;
    double limit, scale, exponent; /* in the metric's own sign */
    struct fw_estimate doubled;    /* the score at 2 n, by the power law */
};

/* out_points: n_points estimates, the scores of the points in the metric's own sign. FW_EINVAL: fewer
 * than two points, sizes that do not ascend, costs that are not positive, nothing to measure on, a
 * metric that is not a number; FW_ENOMEM. */
int fw_exchange(const struct fw_exchange_input *in, struct fw_exchange *out,
                struct fw_estimate *out_points, struct fw_err *err);

const char *fw_advice_name(enum fw_advice advice); /* "clean"; NULL for NONE */

/* Puts the object "exchange" of analysis.h (or null) into root, from the curve of the input and the
 * noise estimate in root. */
int fw_exchange_json(const struct fw_analysis_input *in, json_t *root, json_t *notes,
                     struct fw_err *err);

#endif
