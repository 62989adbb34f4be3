#include "pipeline/base/rng.h"

#include <math.h>
#include <string.h>

#include "pipeline/base/hash.h"

void fw_rng_seed(struct fw_rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        r->s[i] = z ^ (z >> 31);
    }
}

void fw_rng_seed_named(struct fw_rng *r, uint64_t seed, const char *name)
{
    fw_rng_seed(r, fw_hash64(name, strlen(name), seed));
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t fw_rng_u64(struct fw_rng *r)
{
    uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t fw_rng_below(struct fw_rng *r, uint64_t n)
{
    unsigned __int128 m = (unsigned __int128)fw_rng_u64(r) * n;
    if ((uint64_t)m < n) {
        uint64_t floor = -n % n;
        while ((uint64_t)m < floor)
            m = (unsigned __int128)fw_rng_u64(r) * n;
    }
    return (uint64_t)(m >> 64);
}

double fw_rng_double(struct fw_rng *r)
{
    return (double)(fw_rng_u64(r) >> 11) * 0x1.0p-53;
}

double fw_rng_normal(struct fw_rng *r)
{
    for (;;) {
        double u = 2 * fw_rng_double(r) - 1, v = 2 * fw_rng_double(r) - 1, q = u * u + v * v;
        if (q > 0 && q < 1)
            return u * sqrt(-2 * log(q) / q);
    }
}

void fw_rng_shuffle(struct fw_rng *r, size_t *v, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = fw_rng_below(r, i), t = v[i - 1];
        v[i - 1] = v[j];
        v[j] = t;
    }
}
