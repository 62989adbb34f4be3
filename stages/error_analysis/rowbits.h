/*
 * The rows of each feature value as bits, for fw_sliceline(). Rows with a loss come first and fill their
 * own words, so that losses are counted on those alone. When every loss is the same number (errors:
 * 0 or 1) they are counted as bits, else they are added up row by row.
 */
#ifndef FW_STAGES_ROWBITS_H
#define FW_STAGES_ROWBITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

enum { FW_ROWBITS_BLOCK = 1024 }; /* words that one call takes at most */

struct fw_literal { /* feature == value */
    uint8_t feature, value;
};

struct fw_rowbits {
    size_t n_literals; /* below 65536; those with enough rows, by feature, then value */
    struct fw_literal *literals;
    size_t loss_words, words; /* 64 rows each; rows with a loss lie in the first loss_words */
    uint64_t *bits;           /* n_literals × words */
    double *loss;             /* loss_words × 64, in the order of the bits; 0 where no row is */
    double same;              /* the one loss that there is, or 0 when they differ */
    double most;              /* the greatest */
};

struct fw_rowcount {
    size_t n;
    double loss, most; /* sum and greatest */
};

/* code: M × N, values 1..255 (0: none); loss: N, some above 0. FW_ENOMEM. */
int fw_rowbits_make(size_t n, size_t m, const uint8_t *code, const double *loss, size_t support,
                    struct fw_rowbits *out, struct fw_err *err);
void fw_rowbits_release(struct fw_rowbits *b);
/* The rows that have all of at[0..n), in words [from, from + words). All rows when n is 0. */
void fw_rowbits_and(const struct fw_rowbits *b, const uint16_t *at, size_t n, size_t from,
                    size_t words, uint64_t *out);
/* Adds the rows of `prefix` that have `literal` too. The words lie on one side of loss_words. */
void fw_rowbits_count(const struct fw_rowbits *b, const uint64_t *prefix, uint16_t literal,
                      size_t from, size_t words, struct fw_rowcount *to);

#endif
