/*
 * Images that are nearly the same, by the hashes of phash.h. Pure.
 *
 * All pairs whose 64-bit hashes differ in at most FW_PHASH_RADIUS bits are found by multi-index
 * hashing (Norouzi, Punjani and Fleet 2012, "Fast Search in Hamming Space with Multi-Index
 * Hashing"): of four 16-bit parts of two such hashes one differs in at most one bit, so 4 × 17
 * look-ups find every candidate. Each is then checked by fw_phash_near().
 */
#ifndef FW_QUALITY_NEAR_IMAGES_H
#define FW_QUALITY_NEAR_IMAGES_H

#include "stages/quality/links.h"
#include "stages/quality/phash.h"

/* Appends the links that join what `sets` does not hold together yet; hashes: n, one a sample, with
 * usable = 0 for a sample that takes no part. FW_EINVAL, FW_ENOMEM: links may hold some of the new
 * pairs then. */
int fw_near_images(const struct fw_phash *hashes, size_t n, struct fw_sets *sets,
                   struct fw_links *links, struct fw_err *err);

#endif
