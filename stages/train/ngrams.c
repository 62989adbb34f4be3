#include "stages/train/ngrams.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/buf.h"
#include "pipeline/base/hash.h"

enum { SEED_WORD = 1, SEED_SHAPE = 2, SEED_CHAR = 3, MAX_NGRAM = 8 };

static int by_bucket(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int push(struct fw_ngrams *g, uint64_t hash, int bits)
{
    if (g->n == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 256;
        uint32_t *bucket = realloc(g->bucket, cap * sizeof *bucket);
        if (bucket)
            g->bucket = bucket;
        float *count = bucket ? realloc(g->count, cap * sizeof *count) : NULL;
        if (!count)
            return FW_ENOMEM;
        g->count = count;
        g->cap = cap;
    }
    g->bucket[g->n++] = (uint32_t)(hash >> (64 - bits));
    return FW_OK;
}

static bool is_letter(unsigned char c)
{
    return isalpha(c) || c >= 128 || c == '\'';
}

/* One token of the text at *at; its kind is that of its first byte. Returns its length, 0 at the
 * end. */
static size_t next_word(const char *s, size_t n, size_t *at)
{
    while (*at < n && (isspace((unsigned char)s[*at]) || (unsigned char)s[*at] < 32))
        (*at)++;
    size_t from = *at;
    if (from == n)
        return 0;
    unsigned char c = (unsigned char)s[from];
    if (is_letter(c))
        while (*at < n && is_letter((unsigned char)s[*at]))
            (*at)++;
    else if (isdigit(c))
        while (*at < n && isdigit((unsigned char)s[*at]))
            (*at)++;
    else
        (*at)++;
    return *at - from;
}

/* An n-gram's hash is that of its words' hashes, so that its words need not be joined. */
static int words(const char *s, size_t n, const struct fw_ngram_params *p, struct fw_ngrams *out)
{
    uint64_t last[MAX_NGRAM] = {0};
    size_t at = 0, len, seen = 0;
    int rc = FW_OK;

    while (rc == FW_OK && (len = next_word(s, n, &at)) > 0) {
        const char *word = s + at - len;
        memmove(last + 1, last, (MAX_NGRAM - 1) * sizeof *last);
        last[0] = fw_hash64(word, len, SEED_WORD);
        seen++;
        for (int k = 1; rc == FW_OK && k <= p->words && (size_t)k <= seen; k++)
            rc = push(out, fw_hash64(last, (size_t)k * sizeof *last, SEED_WORD + 16u * (unsigned)k),
                      p->hash_bits);
        if (rc == FW_OK && isdigit((unsigned char)*word)) {
            uint64_t shape = len < 12 ? len : 12;
            rc = push(out, fw_hash64(&shape, sizeof shape, SEED_SHAPE), p->hash_bits);
        }
    }
    return rc;
}

static bool starts_point(const char *s, size_t i)
{
    return ((unsigned char)s[i] & 0xc0) != 0x80;
}

/* s is one piece with a space at either end. */
static int chars_of(const char *s, size_t n, const struct fw_ngram_params *p, struct fw_ngrams *out)
{
    int rc = FW_OK;

    for (size_t i = 0; rc == FW_OK && i < n; i++) {
        if (!starts_point(s, i))
            continue;
        size_t end = i;
        for (int k = 1; rc == FW_OK && k <= p->chars && end < n; k++) {
            end++;
            while (end < n && !starts_point(s, end))
                end++;
            if (k >= 2)
                rc = push(out, fw_hash64(s + i, end - i, SEED_CHAR), p->hash_bits);
        }
    }
    return rc;
}

static int chars(const char *s, size_t n, const struct fw_ngram_params *p, struct fw_ngrams *out)
{
    struct fw_buf piece = {0};
    int rc = FW_OK;

    for (size_t i = 0; rc == FW_OK && i < n;) {
        size_t from = i;
        while (i < n && !isspace((unsigned char)s[i]))
            i++;
        if (i > from) {
            fw_buf_clear(&piece);
            fw_buf_putc(&piece, ' ');
            fw_buf_add(&piece, s + from, i - from);
            fw_buf_putc(&piece, ' ');
            rc = piece.failed ? FW_ENOMEM : chars_of(piece.p, piece.len, p, out);
        }
        while (i < n && isspace((unsigned char)s[i]))
            i++;
    }
    fw_buf_release(&piece);
    return rc;
}

int fw_ngrams_count(const char *text, size_t n, const struct fw_ngram_params *p,
                    struct fw_ngrams *out, struct fw_err *err)
{
    if (p->words < 0 || p->words > MAX_NGRAM || p->chars < 0 || p->chars > MAX_NGRAM ||
        p->hash_bits < 8 || p->hash_bits > 24)
        return fw_err_set(err, FW_EINVAL,
                          "n-gram settings out of range (words %d, chars %d, bits %d)", p->words,
                          p->chars, p->hash_bits);
    out->n = 0;
    char *lower = malloc(n ? n : 1);
    if (!lower)
        return fw_err_nomem(err);
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 32 : text[i]);

    int rc = words(lower, n, p, out);
    if (rc == FW_OK)
        rc = chars(lower, n, p, out);
    free(lower);
    if (rc != FW_OK)
        return fw_err_nomem(err);

    if (out->n)
        qsort(out->bucket, out->n, sizeof *out->bucket, by_bucket);
    size_t distinct = 0;
    for (size_t i = 0; i < out->n; i++) {
        if (distinct && out->bucket[distinct - 1] == out->bucket[i]) {
            out->count[distinct - 1] += 1;
        } else {
            out->bucket[distinct] = out->bucket[i];
            out->count[distinct++] = 1;
        }
    }
    out->n = distinct;
    return FW_OK;
}

void fw_ngrams_release(struct fw_ngrams *g)
{
    free(g->bucket);
    free(g->count);
    *g = (struct fw_ngrams){0};
}
