#include "stages/error_analysis/rowbits.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"

static inline __attribute__((always_inline)) size_t ones_of(const uint64_t *a, const uint64_t *b,
                                                            size_t n)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (size_t)__builtin_popcountll(a[i] & b[i]);
    return sum;
}

static size_t ones_anywhere(const uint64_t *a, const uint64_t *b, size_t n)
{
    return ones_of(a, b, n);
}

#if defined(__x86_64__)
/* One instruction a word, which not every x86-64 has. */
__attribute__((target("popcnt"))) static size_t ones_popcnt(const uint64_t *a, const uint64_t *b,
                                                            size_t n)
{
    return ones_of(a, b, n);
}
#endif

static size_t ones(const uint64_t *a, const uint64_t *b, size_t n)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("popcnt"))
        return ones_popcnt(a, b, n);
#endif
    return ones_anywhere(a, b, n);
}

void fw_rowbits_and(const struct fw_rowbits *b, const uint16_t *at, size_t n, size_t from,
                    size_t words, uint64_t *out)
{
    if (!n) {
        memset(out, 0xff, words * sizeof *out);
        return;
    }
    memcpy(out, b->bits + at[0] * b->words + from, words * sizeof *out);
    for (size_t l = 1; l < n; l++) {
        const uint64_t *more = b->bits + at[l] * b->words + from;
        for (size_t i = 0; i < words; i++)
            out[i] &= more[i];
    }
}

void fw_rowbits_count(const struct fw_rowbits *b, const uint64_t *prefix, uint16_t literal,
                      size_t from, size_t words, struct fw_rowcount *to)
{
    const uint64_t *own = b->bits + literal * b->words + from;
    if (from >= b->loss_words) {
        to->n += ones(prefix, own, words);
        return;
    }
    if (b->same > 0) {
        to->n += ones(prefix, own, words);
        to->loss = (double)to->n * b->same;
        to->most = to->n ? b->same : 0;
        return;
    }
    for (size_t i = 0; i < words; i++) {
        const double *loss = b->loss + (from + i) * 64;
        for (uint64_t w = prefix[i] & own[i]; w; w &= w - 1) {
            double one = loss[__builtin_ctzll(w)];
            to->n++;
            to->loss += one;
            to->most = one > to->most ? one : to->most;
        }
    }
}

struct fill {
    size_t n;
    const uint8_t *code;
    const uint32_t *place; /* of a row: its bit */
    size_t (*count)[256];
    uint16_t (*literal)[256]; /* of a value: its literal + 1, or 0 */
    struct fw_rowbits *b;
};

static int count_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct fill *f = ctx;
    (void)err;
    for (size_t j = chunk->from; j < chunk->to; j++)
        for (size_t i = 0; i < f->n; i++)
            f->count[j][f->code[j * f->n + i]]++;
    return FW_OK;
}

static int fill_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct fill *f = ctx;
    (void)err;
    for (size_t j = chunk->from; j < chunk->to; j++) {
        for (size_t i = 0; i < f->n; i++) {
            size_t l = f->literal[j][f->code[j * f->n + i]], bit = f->place[i];
            if (l)
                f->b->bits[(l - 1) * f->b->words + bit / 64] |= UINT64_C(1) << bit % 64;
        }
    }
    return FW_OK;
}

/* Which values get bits. */
static int choose(struct fill *f, size_t m, size_t support, struct fw_err *err)
{
    size_t bytes, rows;
    f->b->literals = malloc((m * 255 + 1) * sizeof *f->b->literals);
    if (!f->b->literals)
        return fw_err_nomem(err);
    for (size_t j = 0; j < m; j++) {
        for (size_t v = 1; v < 256; v++) {
            if (f->count[j][v] < support || !f->count[j][v])
                continue;
            f->b->literals[f->b->n_literals++] = (struct fw_literal){(uint8_t)j, (uint8_t)v};
            f->literal[j][v] = (uint16_t)f->b->n_literals;
        }
    }
    if (__builtin_mul_overflow(f->b->n_literals, f->b->words, &rows) ||
        __builtin_mul_overflow(rows, sizeof *f->b->bits, &bytes) ||
        !(f->b->bits = calloc(bytes + 1, 1)))
        return fw_err_nomem(err);
    return FW_OK;
}

/* The order of the rows in the bits. */
static int place_rows(const double *loss, size_t n, uint32_t *place, struct fw_rowbits *b,
                      struct fw_err *err)
{
    size_t with = 0, without = 0;
    bool alike = true;
    for (size_t i = 0; i < n; i++)
        with += loss[i] > 0;
    b->loss_words = (with + 63) / 64;
    b->words = b->loss_words + (n - with + 63) / 64;
    b->loss = calloc(b->loss_words * 64 + 1, sizeof *b->loss);
    if (!b->loss)
        return fw_err_nomem(err);
    with = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(loss[i] > 0)) {
            place[i] = (uint32_t)(b->loss_words * 64 + without++);
            continue;
        }
        alike = alike && (!with || loss[i] == b->loss[0]);
        b->most = fmax(b->most, loss[i]);
        b->loss[with] = loss[i];
        place[i] = (uint32_t)with++;
    }
    b->same = alike ? b->loss[0] : 0;
    return FW_OK;
}

int fw_rowbits_make(size_t n, size_t m, const uint8_t *code, const double *loss, size_t support,
                    struct fw_rowbits *out, struct fw_err *err)
{
    struct fw_rowbits b = {0};
    uint32_t *place = n < UINT32_MAX - 64 ? malloc((n + 1) * sizeof *place) : NULL;
    struct fill f = {.n = n, .code = code, .place = place, .b = &b};
    f.count = calloc(m + 1, sizeof *f.count);
    f.literal = calloc(m + 1, sizeof *f.literal);
    int rc = place && f.count && f.literal ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = place_rows(loss, n, place, &b, err);
    if (rc == FW_OK)
        rc = fw_parallel(m, 1, count_work, &f, err);
    if (rc == FW_OK)
        rc = choose(&f, m, support, err);
    if (rc == FW_OK)
        rc = fw_parallel(m, 1, fill_work, &f, err);
    free(place);
    free(f.count);
    free(f.literal);
    if (rc == FW_OK)
        *out = b;
    else
        fw_rowbits_release(&b);
    return rc;
}

void fw_rowbits_release(struct fw_rowbits *b)
{
    free(b->literals);
    free(b->bits);
    free(b->loss);
    memset(b, 0, sizeof *b);
}
