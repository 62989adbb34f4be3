/*
 * Images that are probably of no use, or not like the others of their dataset. Reads files, changes
 * nothing; the same for any number of threads. One broken file is an issue and does not end the
 * rest.
 *
 * Each measure is a score in 0..1, low = more of an issue; an image is flagged below the threshold
 * of its kind. Luminance is ITU-R BT.601 in 0..1, of the image reduced to at most 256 pixels a side
 * (area average), about what a model sees: finer detail would only tell large pictures from small
 * ones.
 *
 *   undecodable      score 0: no image of a kind read here, cut short, or a file that cannot be read
 *   empty            score 0 when all luminances are within 2 of 255 levels, else 1. Of the others
 *                    only shape and size are judged then
 *   dark             99th percentile of the luminance; 0.32
 *   light            1 − 5th percentile; 0.05
 *   low_information  entropy of the luminances in 256 levels (Shannon 1948), in bits, over 8; 0.3
 *   blurry           v / (v + 100), v the variance of the Laplacian (4 neighbours; luminance in
 *                    0..255; Pech-Pacheco and others 2000, "Diatom autofocusing in brightfield
 *                    microscopy"); 0.5, which is v = 100, and v below a tenth of the median of its
 *                    class besides (of all images when it has no class, or one with fewer than 10
 *                    images): smooth things are no issue where they are expected. An image under
 *                    3 × 3 pixels scores 1
 *   odd_aspect       the shorter side over the longer; 0.35
 *   odd_size         √area over e to the median of ln √area, or its inverse, whichever is below 1;
 *                    0.5, and ln √area further from its median than 3.5 spreads (1.4826 × median
 *                    absolute deviation; Iglewicz and Hoaglin 1993) besides
 *   gray             0 when red, green and blue are within 2 levels of each other everywhere, else
 *                    1: an issue among images with colour
 *
 * A kind that holds for more than half of the images is what the dataset is like: for dark, light,
 * low_information, odd_aspect and gray the flags are taken back then, and `trait` says so.
 */
#ifndef FW_QUALITY_IMAGE_ISSUES_H
#define FW_QUALITY_IMAGE_ISSUES_H

#include "stages/data/dataset.h"
#include "stages/train/image.h"

enum fw_image_issue {
    FW_IMAGE_UNDECODABLE,
    FW_IMAGE_EMPTY,
    FW_IMAGE_DARK,
    FW_IMAGE_LIGHT,
    FW_IMAGE_LOW_INFORMATION,
    FW_IMAGE_BLURRY,
    FW_IMAGE_ODD_ASPECT,
    FW_IMAGE_ODD_SIZE,
    FW_IMAGE_GRAY,
    FW_IMAGE_ISSUES
};
const char *fw_image_issue_name(enum fw_image_issue i); /* "low_information" */

struct fw_image_measure {
    bool looked_at; /* false: the sample has no file */
    int klass;      /* -1: none */
    int w, h;
    double laplacian;             /* variance; NaN when not measured */
    float score[FW_IMAGE_ISSUES]; /* 1 where it was not measured */
    unsigned flags;               /* bit 1u << issue */
};

struct fw_image_issues {
    size_t n, n_images;
    struct fw_image_measure *v; /* n: one a sample */
    size_t count[FW_IMAGE_ISSUES];
    bool trait[FW_IMAGE_ISSUES];
};

/* thresholds as above */
extern const float fw_image_thresholds[FW_IMAGE_ISSUES];

/* What can be said of one image by itself: scores (odd_size stays 1) and size; no class, no flags.
 * FW_ENOMEM, FW_EINVAL for an image without pixels. */
int fw_image_measure_of(const struct fw_image *im, struct fw_image_measure *out,
                        struct fw_err *err);
/* Scores of size and flags, from the measures of all. */
int fw_image_judge(struct fw_image_issues *x, const float thresholds[FW_IMAGE_ISSUES],
                   struct fw_err *err);
/* All samples of ds that name a file. thresholds may be NULL. FW_ENOMEM. */
int fw_image_issues_find(const struct fw_dataset *ds, const float thresholds[FW_IMAGE_ISSUES],
                         struct fw_image_issues *out, struct fw_err *err);
void fw_image_issues_release(struct fw_image_issues *x);

#endif
