/*
 * Small changes to an image that leave what it shows, and so its label, alone (where the task says
 * so: a flipped 6 is no 6). Pure; reproducible from the generator.
 *
 * flip-horizontal, flip-vertical, rotate (by 90, 180 or 270 degrees)
 * brightness   up to ± 15 % of the range added
 * contrast     0.75 to 1.33 times, around the mean
 * shift        up to 10 % either way in each axis, edges repeated
 * crop         80 to 95 % of each side, scaled back (bilinear)
 * noise        Gaussian, standard deviation 2 to 5 % of the range
 * blur         3 × 3 binomial kernel, once or twice
 *
 * Alpha is moved with its pixel and not changed otherwise.
 */
#ifndef FW_AUGMENT_PIXELS_H
#define FW_AUGMENT_PIXELS_H

#include "pipeline/base/rng.h"
#include "stages/train/image.h"

enum fw_image_change {
    FW_IMAGE_FLIP_H,
    FW_IMAGE_FLIP_V,
    FW_IMAGE_ROTATE,
    FW_IMAGE_BRIGHTNESS,
    FW_IMAGE_CONTRAST,
    FW_IMAGE_SHIFT,
    FW_IMAGE_CROP,
    FW_IMAGE_NOISE,
    FW_IMAGE_BLUR,
    FW_IMAGE_CHANGES
};

const char *fw_image_change_name(enum fw_image_change c);
/* A new image of the same channels (sides swapped by a quarter turn). FW_EINVAL for an image without
 * pixels, FW_ENOMEM. */
int fw_image_change(enum fw_image_change how, const struct fw_image *in, struct fw_rng *rng,
                    struct fw_image *out, struct fw_err *err);

#endif
