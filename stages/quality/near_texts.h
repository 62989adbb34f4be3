/*
 * Texts that are nearly the same. Pure; reproducible from the seed, the same for any number of
 * threads.
 *
 * A text is normalised (normalise.h: lower case, white space squeezed, ASCII punctuation left out)
 * and cut into shingles: every run of 5 code points, or the whole text when it is shorter. Two
 * texts are near when the Jaccard similarity of their sets of shingles, |A ∩ B| / |A ∪ B| (Broder
 * 1997, "On the resemblance and containment of documents"), reaches the threshold.
 * Shingles are compared by 64-bit hashes.
 *
 * Candidates come from MinHash signatures cut into bands (locality-sensitive hashing; Leskovec,
 * Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4): two texts of similarity s share
 * one of b bands of r rows with probability 1 − (1 − s^r)^b. Each candidate is then checked, so no
 * text is called near that is not; b and r are chosen so that a pair right at the threshold is
 * missed with probability 1/1000 at most, and one above it more rarely. Besides, where more than
 * 1000 texts that differ share a band, only runs of 1000 (in order of index, each with the first of
 * all) are compared with each other.
 */
#ifndef FW_QUALITY_NEAR_TEXTS_H
#define FW_QUALITY_NEAR_TEXTS_H

#include "stages/quality/links.h"

enum { FW_SHINGLE = 5, FW_MINHASH_MAX = 160 };

/* The most rows for which `bands` × rows ≤ FW_MINHASH_MAX and (1 − threshold^rows)^bands ≤ 1/1000,
 * with the fewest bands. threshold in (0, 1]. FW_EINVAL below 0.1, above 1. */
int fw_minhash_bands(double threshold, size_t *bands, size_t *rows, struct fw_err *err);

/* Jaccard similarity of two texts as above; 0 when either has no letter or digit. */
int fw_text_similarity(const char *a, const char *b, double *out, struct fw_err *err);

/* Joins near texts: appends the links that join what `sets` does not hold together yet. texts: n
 * strings, NULL = no text; one without letters or digits is near to nothing. threshold in 0.1..1.
 * Memory: about 4 bytes a text and band beside the texts. FW_EINVAL, FW_ENOMEM: links may hold some
 * of the new pairs then. */
int fw_near_texts(const char *const *texts, size_t n, double threshold, uint64_t seed,
                  struct fw_sets *sets, struct fw_links *links, struct fw_err *err);

#endif
