/* Pictures for tests: a texture whose seed decides it, so that two seeds are two pictures. */
#ifndef FW_TEST_STAGES_PICTURES_H
#define FW_TEST_STAGES_PICTURES_H

#include <math.h>
#include <stdlib.h>

#include "files.h"
#include "pipeline/base/rng.h"
#include "stages/train/image.h"

/* Spots on a slope of light; channels 1 or 3. Release px. */
static inline struct fw_image picture(uint64_t seed, int w, int h, int channels)
{
    struct fw_rng rng;
    struct fw_image im = {.w = w, .h = h, .channels = channels};
    double spots[60][3];
    fw_rng_seed(&rng, seed);
    for (int i = 0; i < 60; i++)
        for (int k = 0; k < 3; k++)
            spots[i][k] = fw_rng_double(&rng);
    im.px = malloc((size_t)w * h * channels);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            double u = (double)x / w, v = (double)y / h, t = 80 + 120 * u;
            for (int i = 0; i < 60; i++)
                if (hypot(u - spots[i][0], v - spots[i][1]) < 0.02 + 0.05 * spots[i][2])
                    t += i % 2 ? 70 : -70;
            t = t < 0 ? 0 : t > 255 ? 255 : t;
            for (int c = 0; c < channels; c++)
                im.px[((size_t)y * w + x) * channels + c] = (unsigned char)(t * (1 - 0.2 * c));
        }
    return im;
}

/* Writes a PNG below the test's folder and releases the picture. */
static inline void put_picture(const char *name, struct fw_image im)
{
    struct fw_buf png = {0};
    put(name, "");
    if (fw_image_png(&im, &png, NULL) != 0 ||
        fw_fs_write_atomic(in_dir(name), png.p, png.len, NULL) != 0)
        abort();
    fw_buf_release(&png);
    fw_image_release(&im);
}

#endif
