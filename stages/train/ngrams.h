/*
 * Hashed n-grams of text. Pure.
 *
 * Letters are lowered (ASCII); bytes of 128 and up count as letters, so any UTF-8 text works. Words
 * are runs of letters and of digits, and each other visible character by itself; every digit also
 * gives the shape '0', so that "£1000" and "£2500" share what makes them alike. Character n-grams
 * run over code points inside whitespace-separated pieces, with a space at either end. Each n-gram
 * is hashed by xxhash (XXH3, 64 bits) into 2^hash_bits buckets ("feature hashing", Weinberger et
 * al., ICML 2009).
 */
#ifndef FW_TRAIN_NGRAMS_H
#define FW_TRAIN_NGRAMS_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

struct fw_ngram_params {
    int words;     /* word n-grams of 1..words; 0 = none */
    int chars;     /* character n-grams of 2..chars; 0 or 1 = none */
    int hash_bits; /* 8..24 */
};

struct fw_ngrams { /* distinct buckets, ascending, with their counts; reused between texts */
    size_t n, cap;
    uint32_t *bucket;
    float *count;
};

/* Replaces the content of *out by the n-grams of n bytes of text. Empty text gives n = 0. */
int fw_ngrams_count(const char *text, size_t n, const struct fw_ngram_params *params,
                    struct fw_ngrams *out, struct fw_err *err);
void fw_ngrams_release(struct fw_ngrams *g);

#endif
