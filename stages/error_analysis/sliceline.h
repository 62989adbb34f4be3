/*
 * Where is the model worse than on average? The K conjunctions of feature values with the greatest
 * score, exactly, by SliceLine (Sagadeeva and Boehm, "SliceLine: Fast, Linear-Algebra-based Slice
 * Finding for ML Model Debugging", SIGMOD 2021). Pure; the same result for any number of threads.
 *
 * A slice S of n_S of the N rows with the sum of losses e_S scores (section 2.2 there, Definition 1)
 *
 *     α ((e_S / n_S) / (e / N) − 1) − (1 − α) (N / n_S − 1)
 *
 * its loss relative to the mean, less what its smallness costs. Slices have n_S ≥ σ, e_S > 0 and a
 * score above 0. The search goes level by level (L values of L features) and prunes by the score's upper
 * bound over what the parents allow: n, e and the greatest loss of a row can only fall (section 3.1);
 * a slice with a parent that is gone is gone (section 3.2). Each slice is made once, from the two parents
 * that agree in all but their last value (Agrawal and Srikant 1994). Rows are bits, those with a
 * loss first: a candidate's losses are counted on them, and most are pruned before the rest is looked at.
 *
 * Memory: N/8 bytes for each value that has σ rows, and 40 bytes for each slice that a level keeps.
 */
#ifndef FW_STAGES_SLICELINE_H
#define FW_STAGES_SLICELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

enum { FW_SLICELINE_LEVELS = 8 }; /* the most values in one slice */

struct fw_sliceline_input {
    size_t n, m;         /* rows (below 2^32 − 64), features (below 256) */
    const uint8_t *code; /* M × N, row-major: the value 1..255 of each row; 0: none to speak of */
    const double *loss; /* N, finite, at least 0: 0 or 1, absolute or squared error, log loss, .. */
    double alpha;       /* in (0, 1]; the paper's choice is 0.95 */
    size_t min_support; /* σ; 0: max(32, N/100), rounded up, as in the paper */
    size_t max_level;   /* 1..FW_SLICELINE_LEVELS; 0: as many as there are */
    size_t k;           /* how many slices at most */
    size_t max_looks;   /* stop after about so many slices; 0: 20 million */
};

struct fw_sliceline_slice {
    size_t level;
    struct {
        uint8_t feature, value;
    } at[FW_SLICELINE_LEVELS]; /* `level` of them, features ascending */
    size_t n;
    double loss, score; /* sum of losses */
};

struct fw_sliceline_result {
    size_t n;
    struct fw_sliceline_slice *v; /* score descending; ties: more rows, then features and values */
    size_t looks;                 /* slices that were counted */
    bool complete;                /* false: stopped by max_looks, so a better one may be missing */
};

/* FW_EINVAL: a parameter out of its range, a loss that is negative or not finite; FW_ENOMEM. No
 * rows or no losses: an empty result. Release with fw_sliceline_release(). */
int fw_sliceline(const struct fw_sliceline_input *in, struct fw_sliceline_result *out,
                 struct fw_err *err);
void fw_sliceline_release(struct fw_sliceline_result *r);
/* σ as above: max(32, ⌈n/100⌉). */
size_t fw_sliceline_support(size_t n);
/* The score above. */
double fw_sliceline_score(double alpha, double n, double loss, double n_all, double loss_all);

#endif
