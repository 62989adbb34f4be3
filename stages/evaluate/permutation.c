#include "stages/evaluate/permutation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "pipeline/base/parallel.h"
#include "stages/evaluate/permutation_parts.h"

enum { GRAIN = 32 }; /* permutations */

struct run {
    fw_permuted_fn *gain;
    void *ctx;
    size_t differing, words;
    uint64_t seed;
    bool exact;
    double observed;
    uint64_t *swap; /* words for each worker */
    struct tally {
        size_t both, up, down;
    } * tally; /* for each chunk */
};

/* Permutation `at`: the bits of its number, or random ones of its own stream. */
static void choose(const struct run *r, size_t at, uint64_t *swap)
{
    struct fw_rng rng;
    uint64_t number = at;
    if (r->exact) {
        swap[0] = number;
        return;
    }
    fw_rng_seed(&rng, fw_hash64(&number, sizeof number, r->seed));
    for (size_t i = 0; i < r->words; i++)
        swap[i] = fw_rng_u64(&rng);
}

static int permute_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct run *r = ctx;
    struct tally t = {0, 0, 0};
    uint64_t *swap = r->swap + chunk->worker * r->words;
    /* Ties with what was observed count, also when they are summed in another order. */
    double same = 1e-9 * fabs(r->observed) + 1e-14, size = fabs(r->observed);
    for (size_t i = chunk->from; i < chunk->to; i++) {
        double gain;
        choose(r, i, swap);
        int rc = r->gain(r->ctx, swap, chunk->worker, &gain, err);
        if (rc != FW_OK)
            return rc;
        /* What is not defined counts against a finding. */
        t.both += !(fabs(gain) < size - same);
        t.up += !(gain < r->observed - same);
        t.down += !(gain > r->observed + same);
    }
    r->tally[chunk->index] = t;
    return FW_OK;
}

int fw_permute_run(fw_permuted_fn *gain, void *ctx, size_t differing, size_t resamples,
                   uint64_t seed, bool serial, struct fw_permutation *out, struct fw_err *err)
{
    struct run r = {.gain = gain, .ctx = ctx, .differing = differing, .seed = seed};
    size_t all = differing < 63 ? (size_t)1 << differing : SIZE_MAX;
    size_t draws = resamples;
    if (!resamples)
        return fw_err_set(err, FW_EINVAL, "a permutation test needs resamples");
    if (all <= FW_PERMUTATION_ALL || all <= resamples) {
        r.exact = true;
        draws = all;
    }
    r.words = differing / 64 + 1;
    size_t chunks = fw_parallel_chunks(draws, GRAIN);
    r.swap = calloc(fw_parallel_workers() * r.words, sizeof *r.swap);
    r.tally = calloc(chunks, sizeof *r.tally);
    int rc = r.swap && r.tally ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = gain(ctx, r.swap, 0, &r.observed, err); /* nothing swapped */
    if (rc == FW_OK && isnan(r.observed))
        rc = fw_err_set(err, FW_EINVAL, "the metric is not defined on these samples");
    if (rc == FW_OK && !serial)
        rc = fw_parallel(draws, GRAIN, permute_work, &r, err);
    for (size_t c = 0; c < chunks && rc == FW_OK && serial; c++) {
        struct fw_chunk chunk = {c, c * GRAIN, c + 1 < chunks ? (c + 1) * GRAIN : draws, 0};
        rc = permute_work(&r, &chunk, err);
    }
    if (rc == FW_OK) {
        struct tally t = {0, 0, 0};
        double add = r.exact ? 0 : 1, n = (double)draws + add;
        for (size_t c = 0; c < chunks; c++) {
            t.both += r.tally[c].both;
            t.up += r.tally[c].up;
            t.down += r.tally[c].down;
        }
        *out = (struct fw_permutation){.gain = r.observed,
                                       .p = ((double)t.both + add) / n,
                                       .p_improved = ((double)t.up + add) / n,
                                       .p_worse = ((double)t.down + add) / n,
                                       .differing = differing,
                                       .draws = draws,
                                       .exact = r.exact};
    }
    free(r.swap);
    free(r.tally);
    return rc;
}

struct signs {
    double *part; /* the differing samples' parts of the mean */
    size_t n;
};

static int sum_signs(void *ctx, const uint64_t *swap, size_t worker, double *gain,
                     struct fw_err *err)
{
    const struct signs *s = ctx;
    double sum = 0;
    (void)worker;
    (void)err;
    for (size_t i = 0; i < s->n; i++)
        sum += swap[i / 64] >> (i % 64) & 1 ? -s->part[i] : s->part[i];
    *gain = sum;
    return FW_OK;
}

int fw_permute_mean(const double *difference, const double *weight, size_t n, size_t resamples,
                    uint64_t seed, struct fw_permutation *out, struct fw_err *err)
{
    struct signs s = {NULL, 0};
    double all = 0;
    for (size_t i = 0; i < n; i++) {
        double w = weight ? weight[i] : 1;
        if (!isfinite(difference[i]) || !(w >= 0 && isfinite(w)))
            return fw_err_set(err, FW_EINVAL, "difference %zu is %g, of weight %g", i + 1,
                              difference[i], w);
        all += w;
    }
    if (!(all > 0))
        return fw_err_set(err, FW_EINVAL, "there is no labelled sample to measure on");
    s.part = malloc(n * sizeof *s.part);
    if (!s.part)
        return fw_err_nomem(err);
    for (size_t i = 0; i < n; i++) {
        double part = difference[i] * ((weight ? weight[i] : 1) / all);
        if (part != 0)
            s.part[s.n++] = part;
    }
    int rc = fw_permute_run(sum_signs, &s, s.n, resamples, seed, false, out, err);
    free(s.part);
    return rc;
}
