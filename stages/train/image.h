/*
 * Small images: decoding (JPEG by libjpeg-turbo, PNG by libpng, PGM, PPM, and BMP by stb_image),
 * grey floats of a wanted size, and PNG encoding. Pure functions of bytes; any thread. Errors carry
 * no place: the caller knows the file and adds it with fw_err_at().
 */
#ifndef FW_TRAIN_IMAGE_H
#define FW_TRAIN_IMAGE_H

#include <stddef.h>

#include "pipeline/base/buf.h"

enum {
    FW_IMAGE_MAX_SIDE = 16384,       /* pixels */
    FW_IMAGE_MAX_PIXELS = 1 << 26,   /* 67 million */
    FW_IMAGE_MAX_BYTES = 256u << 20, /* of the encoded file */
};

struct fw_image {
    int w, h, channels; /* channels 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) */
    unsigned char *px;  /* h × w × channels, row-major, malloc'd */
};

/* Decodes n bytes with the channels of the file. FW_EINVAL when they are no image, are cut short, or
 * have a side outside 1..FW_IMAGE_MAX_SIDE. */
int fw_image_decode(const void *bytes, size_t n, struct fw_image *out, struct fw_err *err);
/* want_h × want_w luminances in 0..1, row-major, malloc'd; averaged over the area when made
 * smaller, interpolated when made larger. want_w and want_h in 1..FW_IMAGE_MAX_SIDE. */
int fw_image_load(const void *bytes, size_t n, int want_w, int want_h, float **gray,
                  struct fw_err *err);
/* The same from decoded pixels; n_out = want_w × want_h. */
int fw_image_gray(const struct fw_image *im, int want_w, int want_h, float *out,
                  struct fw_err *err);
/* Appends a PNG of im. */
int fw_image_png(const struct fw_image *im, struct fw_buf *out, struct fw_err *err);
void fw_image_release(struct fw_image *im);

/* Appends the bytes of root/rel, following no link out of root; errors carry the file. */
int fw_image_read_file(const char *root, const char *rel, struct fw_buf *out, struct fw_err *err);

#endif
