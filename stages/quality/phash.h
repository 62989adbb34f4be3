/*
 * Near copies of images. Pure.
 *
 * Two hashes an image: a 64-bit difference hash (is each of 8 × 8 cells darker than its right
 * neighbour?) and a grey thumbnail of 16 × 16. Near copies agree in both: few bits differ, and the
 * thumbnails correlate, as they are and in their detail alone. The first finds candidates without
 * comparing all pairs; the second keeps different pictures under one light apart. Saving again,
 * scaling, noise and a change of brightness or contrast are seen through; cropping, turning and
 * mirroring are not. An image with hardly any contrast or detail is only ever equal to itself.
 */
#ifndef FW_QUALITY_PHASH_H
#define FW_QUALITY_PHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

enum { FW_THUMB = 16, FW_PHASH_RADIUS = 5 /* bits in which near copies differ at most */ };

struct fw_phash {
    unsigned char usable; /* 0: not decodable, or hardly any contrast */
    unsigned char decoded;
    uint64_t bits;
    unsigned char thumb[FW_THUMB * FW_THUMB];
};

bool fw_is_image(const void *bytes, size_t n); /* by its first bytes, of the kinds decoded here */
int fw_phash_compute(const void *bytes, size_t n, struct fw_phash *out, struct fw_err *err);
bool fw_phash_near(const struct fw_phash *a, const struct fw_phash *b);

/* Which of many images is a near copy of this one? */
struct fw_near;
struct fw_near *fw_near_new(void); /* NULL when memory is out */
void fw_near_free(struct fw_near *x);
/* hash and tag are borrowed. */
int fw_near_add(struct fw_near *x, const struct fw_phash *hash, const void *tag,
                struct fw_err *err);
/* The tag of the first near copy added, or NULL. */
const void *fw_near_find(const struct fw_near *x, const struct fw_phash *hash);

#endif
