/* What the two files of permutation.h share. */
#ifndef FW_STAGES_PERMUTATION_PARTS_H
#define FW_STAGES_PERMUTATION_PARTS_H

#include "pipeline/base/rng.h"
#include "stages/evaluate/permutation.h"

/* The gain when the samples in `swap` (d bits, 64 in a word) are swapped. */
typedef int fw_permuted_fn(void *ctx, const uint64_t *swap, size_t worker, double *gain,
                           struct fw_err *err);

/* Looks at the permutations and fills *out; gain(no swap) is the observed one. `serial` when gain() itself
 * uses threads. */
int fw_permute_run(fw_permuted_fn *gain, void *ctx, size_t differing, size_t resamples,
                   uint64_t seed, bool serial, struct fw_permutation *out, struct fw_err *err);

#endif
