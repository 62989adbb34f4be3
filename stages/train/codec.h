/*
 * JPEG by libjpeg-turbo and PNG by libpng, which are kept safe (a fuzzer finds writes out of bounds in
 * stb_image's JPEG within seconds), and the binary forms of PGM and PPM. For image.c alone.
 */
#ifndef FW_TRAIN_CODEC_H
#define FW_TRAIN_CODEC_H

#include <stdbool.h>

#include "stages/train/image.h"

bool fw_is_jpeg(const void *bytes, size_t n);
bool fw_is_png(const void *bytes, size_t n);
/* FW_EINVAL when a size read from a header is out of bounds for a file of n bytes. */
int fw_image_check_size(long long w, long long h, size_t n, struct fw_err *err);
/* gray: one channel is all that is wanted; the result may have more all the same. */
int fw_jpeg_decode(const void *bytes, size_t n, bool gray, struct fw_image *out,
                   struct fw_err *err);
bool fw_is_pnm(const void *bytes, size_t n);
int fw_pnm_decode(const void *bytes, size_t n, struct fw_image *out, struct fw_err *err);
int fw_png_decode(const void *bytes, size_t n, struct fw_image *out, struct fw_err *err);

#endif
