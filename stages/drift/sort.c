#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stages/drift/two_sample.h"

enum { BITS = 11, BUCKETS = 1 << BITS, PASSES = 6, SMALL = 64 };

/* Bits whose unsigned order is the order of the numbers. */
static uint64_t key_of(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u >> 63 ? ~u : u | UINT64_C(1) << 63;
}

static double number_of(uint64_t u)
{
    double x;
    u = u >> 63 ? u & ~(UINT64_C(1) << 63) : ~u;
    memcpy(&x, &u, sizeof x);
    return x;
}

static void insertion(double *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        double x = v[i];
        size_t j = i;
        for (; j > 0 && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

/* Returns where the sorted keys are: a or b. */
static uint64_t *radix(uint64_t *a, uint64_t *b, size_t n, size_t (*count)[BUCKETS])
{
    for (size_t i = 0; i < n; i++)
        for (int p = 0; p < PASSES; p++)
            count[p][a[i] >> (BITS * p) & (BUCKETS - 1)]++;
    for (int p = 0; p < PASSES; p++) {
        size_t at = 0;
        if (count[p][a[0] >> (BITS * p) & (BUCKETS - 1)] == n)
            continue; /* all alike in these bits */
        for (size_t k = 0; k < BUCKETS; k++) {
            size_t here = count[p][k];
            count[p][k] = at;
            at += here;
        }
        for (size_t i = 0; i < n; i++)
            b[count[p][a[i] >> (BITS * p) & (BUCKETS - 1)]++] = a[i];
        uint64_t *t = a;
        a = b;
        b = t;
    }
    return a;
}

int fw_sort_numbers(double *v, size_t n, struct fw_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return fw_err_set(err, FW_EINVAL, "value %zu is %s", i + 1,
                              isnan(v[i]) ? "not a number" : "infinite");
    for (size_t i = 0; i < n; i++)
        v[i] += 0.0;
    if (n <= SMALL) {
        insertion(v, n);
        return FW_OK;
    }
    uint64_t *keys = malloc(n * sizeof *keys), *other = malloc(n * sizeof *other);
    size_t(*count)[BUCKETS] = calloc(PASSES, sizeof *count);
    int rc = keys && other && count ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK) {
        for (size_t i = 0; i < n; i++)
            keys[i] = key_of(v[i]);
        const uint64_t *sorted = radix(keys, other, n, count);
        for (size_t i = 0; i < n; i++)
            v[i] = number_of(sorted[i]);
    }
    free(keys);
    free(other);
    free(count);
    return rc;
}
