/*
 * Seeded random numbers: xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64. The same
 * seed gives the same stream on every machine. Not for secrets.
 */
#ifndef FW_BASE_RNG_H
#define FW_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct fw_rng {
    uint64_t s[4];
};

void fw_rng_seed(struct fw_rng *r, uint64_t seed);
/* A stream of its own for a name, e.g. a sample id or a worker: independent of the order of use. */
void fw_rng_seed_named(struct fw_rng *r, uint64_t seed, const char *name);
uint64_t fw_rng_u64(struct fw_rng *r);
uint64_t fw_rng_below(struct fw_rng *r,
                      uint64_t n);      /* uniform in [0, n), unbiased (Lemire 2019); n > 0 */
double fw_rng_double(struct fw_rng *r); /* uniform in [0, 1) */
double fw_rng_normal(struct fw_rng *r); /* standard normal (polar method) */
void fw_rng_shuffle(struct fw_rng *r, size_t *v, size_t n); /* Fisher–Yates */

#endif
