/*
 * What an image looks like, as numbers for a linear model. Pure.
 *
 * Three groups, in this order:
 *   - HOG, histograms of oriented gradients (Dalal and Triggs, CVPR 2005): 4 × 4 cells, 9 unsigned
 *     orientations with trilinear votes, blocks of 2 × 2 cells normalised L2-Hys (clipped at 0.2),
 *     3 × 3 × 36 numbers: where which edges run;
 *   - LBP, local binary patterns (Ojala, Pietikäinen and Mäenpää, PAMI 2002), uniform, 8 neighbours,
 *     at three scales (the image, its half, its quarter), over the whole image and its four quarters,
 *     square roots of the frequencies (so that a dot product is the Bhattacharyya coefficient): which
 *     texture;
 *   - tones: a 16-bin histogram of the grey values (square roots), mean and standard deviation, and
 *     mean gradient strength of the image and its four quarters: how bright, how rough.
 */
#ifndef FW_TRAIN_HOG_H
#define FW_TRAIN_HOG_H

#include <stddef.h>

#include "pipeline/base/err.h"

enum {
    FW_HOG_CELLS = 4,
    FW_HOG_BINS = 9,
    FW_HOG_DIM = (FW_HOG_CELLS - 1) * (FW_HOG_CELLS - 1) * 4 * FW_HOG_BINS,
    FW_LBP_SCALES = 3,
    FW_LBP_PATTERNS = 59, /* 58 uniform patterns and one for all others */
    FW_LBP_REGIONS = 5,   /* the whole image and its quarters */
    FW_LBP_DIM = FW_LBP_SCALES * FW_LBP_PATTERNS * FW_LBP_REGIONS,
    FW_TONE_BINS = 16,
    FW_TONE_DIM = FW_TONE_BINS + 3 * FW_LBP_REGIONS,
    FW_LOOK_DIM = FW_HOG_DIM + FW_LBP_DIM + FW_TONE_DIM,
    FW_LOOK_MIN_SIDE = 16,
};

/* gray: h × w in 0..1, both at least FW_LOOK_MIN_SIDE. Each writes its *_DIM numbers to out.
 * FW_EINVAL for a smaller image, FW_ENOMEM. */
int fw_hog(const float *gray, int w, int h, float *out, struct fw_err *err);
int fw_lbp(const float *gray, int w, int h, float *out, struct fw_err *err);
int fw_tones(const float *gray, int w, int h, float *out, struct fw_err *err);
/* All three: FW_LOOK_DIM numbers. */
int fw_look(const float *gray, int w, int h, float *out, struct fw_err *err);

#endif
