/*
 * Exact k nearest neighbours by brute force. Pure; any number of threads gives the same result, and
 * so does any processor.
 *
 * Candidates are found with dot products of 32-bit floats, tiled as in matrix multiplication, and
 * kept by a lower bound of their distance that holds for every rounding of those floats. The
 * distances of the kept ones are then computed in 64 bits from the given values. Where the bound
 * does not prove that nothing nearer was left out (ties, mostly), the row is searched a second
 * time. So the result is that of 64-bit arithmetic on the given numbers; ties go to the lower
 * index.
 *
 * Time N² · D; memory N · k for the result and two copies of the input.
 */
#ifndef FW_QUALITY_NEIGHBOURS_H
#define FW_QUALITY_NEIGHBOURS_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

enum fw_distance {
    FW_EUCLIDEAN,
    FW_COSINE, /* 1 − cos, in 0..2; 1 to and from a row of zeros */
};

/* Cosine for embeddings, D > 3; Euclidean below. */
enum fw_distance fw_distance_for(size_t d);

struct fw_neighbours {
    size_t n, k;
    uint32_t *index; /* n × k, nearest first */
    float *distance; /* n × k, ascending */
};

/* The k nearest other rows of each row of x (n × d, row-major). k is lowered to n − 1; with n < 2
 * the result has k = 0. FW_EINVAL: a value that is not finite (row and column named), d = 0 or over
 * 65 536, n of 2^32 or more, k = 0. */
int fw_neighbours(const float *x, size_t n, size_t d, size_t k, enum fw_distance how,
                  struct fw_neighbours *out, struct fw_err *err);
/* The k nearest rows of base (n_base × d) of each query (n × d). k is lowered to n_base. */
int fw_neighbours_in(const float *base, size_t n_base, const float *query, size_t n, size_t d,
                     size_t k, enum fw_distance how, struct fw_neighbours *out, struct fw_err *err);
void fw_neighbours_release(struct fw_neighbours *nb);

#endif
