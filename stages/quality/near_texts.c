#include "stages/quality/near_texts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "pipeline/base/parallel.h"
#include "pipeline/base/rng.h"
#include "stages/quality/shingles.h"

enum {
    RUN = 1000,               /* texts of one band compared with each other */
    RUN_SHINGLES = 16u << 20, /* and how many shingles they may have, 8 bytes each */
    GRAIN = 256,
    DIGITS = 1 << 16,
};

struct search {
    const char *const *texts;
    double threshold;
    size_t bands, rows;
    uint64_t mul[FW_MINHASH_MAX], add[FW_MINHASH_MAX];
    size_t n;       /* distinct texts */
    uint32_t *text; /* n: which text */
    uint32_t *key;  /* bands × n */
    const struct fw_sets *sets;
    struct fw_shingles *scratch; /* one a worker */
    /* of the band at hand */
    uint32_t *order; /* n, by key and then index */
    size_t *bucket;  /* 2 × n_buckets: from and to in order */
    size_t n_buckets;
    struct fw_links *found; /* one a chunk */
};

int fw_minhash_bands(double threshold, size_t *bands, size_t *rows, struct fw_err *err)
{
    size_t b = 1, r = 1;
    if (!(threshold >= 0.1 && threshold <= 1))
        return fw_err_set(err, FW_EINVAL, "texts are near from a similarity of %g; give 0.1 to 1",
                          threshold);
    for (size_t i = 1; threshold < 1 && i <= FW_MINHASH_MAX; i++) {
        double need = ceil(log(1e-3) / log1p(-pow(threshold, (double)i)));
        if (!(need * (double)i <= FW_MINHASH_MAX))
            break;
        r = i;
        b = need < 1 ? 1 : (size_t)need;
    }
    *bands = b;
    *rows = threshold < 1 ? r : 8; /* equal sets agree everywhere */
    return FW_OK;
}

int fw_text_similarity(const char *a, const char *b, double *out, struct fw_err *err)
{
    struct fw_shingles x = {0}, y = {0};
    int rc = fw_shingles_set(a, &x, err);
    rc = rc == FW_OK ? fw_shingles_set(b, &y, err) : rc;
    if (rc == FW_OK)
        *out = fw_jaccard(x.v, x.n, y.v, y.n);
    fw_shingles_release(&x);
    fw_shingles_release(&y);
    return rc;
}

/* ---- texts that are equal once normalised ---- */

struct digest {
    uint64_t h[2];
    uint32_t text;
    bool empty;
};

struct digests {
    const char *const *texts;
    struct digest *v;
    struct fw_shingles *scratch;
};

static int digest_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct digests *d = ctx;
    struct fw_shingles *s = &d->scratch[chunk->worker];
    for (size_t i = chunk->from; i < chunk->to; i++) {
        struct digest *g = &d->v[i];
        int rc = d->texts[i] ? fw_shingles_list(d->texts[i], s, err) : FW_OK;
        if (rc != FW_OK)
            return rc;
        *g = (struct digest){.text = (uint32_t)i, .empty = !d->texts[i] || s->n == 0};
        for (uint64_t seed = 0; seed < 2 && !g->empty; seed++)
            g->h[seed] = fw_hash64(s->text.p, s->text.len, seed + 1);
    }
    return FW_OK;
}

static int by_digest(const void *a, const void *b)
{
    const struct digest *x = a, *y = b;
    if (x->empty != y->empty)
        return x->empty ? 1 : -1;
    for (int k = 0; k < 2; k++)
        if (x->h[k] != y->h[k])
            return x->h[k] < y->h[k] ? -1 : 1;
    return (x->text > y->text) - (x->text < y->text);
}

static int by_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Fills s->text with one of each, ascending; the others are linked to it. */
static int distinct(struct search *s, size_t n, struct fw_sets *sets, struct fw_links *links,
                    struct fw_err *err)
{
    struct digests d = {s->texts, calloc(n ? n : 1, sizeof *d.v), s->scratch};
    s->text = calloc(n ? n : 1, sizeof *s->text);
    int rc = d.v && s->text ? FW_OK : fw_err_nomem(err);
    rc = rc == FW_OK ? fw_parallel(n, GRAIN, digest_work, &d, err) : rc;
    if (rc == FW_OK)
        qsort(d.v, n, sizeof *d.v, by_digest);
    for (size_t i = 0; rc == FW_OK && i < n && !d.v[i].empty; i++) {
        if (i > 0 && d.v[i].h[0] == d.v[i - 1].h[0] && d.v[i].h[1] == d.v[i - 1].h[1])
            rc = fw_links_join(links, sets, d.v[i - 1].text, d.v[i].text, FW_DUP_TEXT, 1, err);
        else
            s->text[s->n++] = d.v[i].text;
    }
    if (rc == FW_OK)
        qsort(s->text, s->n, sizeof *s->text, by_index);
    free(d.v);
    return rc;
}

/* ---- signatures ---- */

/* Each function is a multiply-shift (Dietzfelbinger and others 1997) of the shingle's hash. */
static int signature_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct search *s = ctx;
    struct fw_shingles *sh = &s->scratch[chunk->worker];
    size_t functions = s->bands * s->rows;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        uint32_t least[FW_MINHASH_MAX];
        int rc = fw_shingles_list(s->texts[s->text[i]], sh, err);
        if (rc != FW_OK)
            return rc;
        memset(least, 0xff, sizeof least);
        for (size_t j = 0; j < sh->n; j++)
            for (size_t f = 0; f < functions; f++) {
                uint32_t h = (uint32_t)((s->mul[f] * sh->v[j] + s->add[f]) >> 32);
                least[f] = h < least[f] ? h : least[f];
            }
        for (size_t b = 0; b < s->bands; b++)
            s->key[b * s->n + i] =
                (uint32_t)fw_hash64(least + b * s->rows, s->rows * sizeof *least, b);
    }
    return FW_OK;
}

/* ---- checking the candidates of one band ---- */

struct run { /* some texts of one bucket */
    size_t n;
    uint32_t text[RUN + 1], root[RUN + 1];
    size_t from[RUN + 2]; /* in shingles */
    uint64_t *shingles;
    size_t cap;
};

static int run_add(struct run *r, const struct search *s, uint32_t text, struct fw_shingles *sh,
                   struct fw_err *err)
{
    int rc = fw_shingles_set(s->texts[text], sh, err);
    if (rc != FW_OK)
        return rc;
    size_t at = r->n ? r->from[r->n] : 0, need = at + sh->n;
    if (need > r->cap) {
        size_t cap = need + need / 2;
        uint64_t *v = reallocarray(r->shingles, cap, sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        r->shingles = v;
        r->cap = cap;
    }
    if (sh->n)
        memcpy(r->shingles + at, sh->v, sh->n * sizeof *sh->v);
    r->text[r->n] = text;
    r->root[r->n] = fw_sets_find(s->sets, text);
    r->from[r->n++] = at;
    r->from[r->n] = need;
    return FW_OK;
}

/* Compares each with each, but not what is joined already. */
static int run_compare(const struct run *r, const struct search *s, struct fw_links *found,
                       struct fw_err *err)
{
    struct fw_sets local = {0};
    int rc = fw_sets_new(r->n, &local, err);
    for (size_t i = 0; rc == FW_OK && i < r->n; i++)
        for (size_t j = i + 1; rc == FW_OK && j < r->n; j++) {
            if (r->root[i] == r->root[j] ||
                fw_sets_find(&local, (uint32_t)i) == fw_sets_find(&local, (uint32_t)j))
                continue;
            size_t ni = r->from[i + 1] - r->from[i], nj = r->from[j + 1] - r->from[j];
            if ((double)(ni < nj ? ni : nj) < s->threshold * (double)(ni < nj ? nj : ni))
                continue; /* even if the smaller were all in the larger */
            double same = fw_jaccard(r->shingles + r->from[i], ni, r->shingles + r->from[j], nj);
            if (same < s->threshold)
                continue;
            fw_sets_join(&local, (uint32_t)i, (uint32_t)j);
            struct fw_link link = {r->text[i], r->text[j], FW_DUP_TEXT, (float)same};
            rc = fw_links_add(found, link, err);
        }
    fw_sets_release(&local);
    return rc;
}

static int bucket_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct search *s = ctx;
    struct run *r = calloc(1, sizeof *r);
    int rc = r ? FW_OK : fw_err_nomem(err);
    for (size_t b = chunk->from; rc == FW_OK && b < chunk->to; b++) {
        size_t first = s->bucket[2 * b], to = s->bucket[2 * b + 1];
        for (size_t i = first; rc == FW_OK && i < to;) {
            r->n = 0;
            if (i > first)
                rc = run_add(r, s, s->text[s->order[first]], &s->scratch[chunk->worker], err);
            size_t start = i;
            while (rc == FW_OK && i < to && r->n <= RUN &&
                   (i - start < 2 || r->from[r->n] < RUN_SHINGLES))
                rc = run_add(r, s, s->text[s->order[i++]], &s->scratch[chunk->worker], err);
            rc = rc == FW_OK ? run_compare(r, s, &s->found[chunk->index], err) : rc;
        }
    }
    if (r)
        free(r->shingles);
    free(r);
    return rc;
}

/* order: 0..n-1 by key, stable: two counting passes of 16 bits. other: room for n. */
static void sort_by_key(const uint32_t *key, size_t n, uint32_t *order, uint32_t *other,
                        size_t *count)
{
    uint32_t *from = NULL, *to = other;
    for (int shift = 0; shift <= 16; shift += 16) {
        memset(count, 0, (DIGITS + 1) * sizeof *count);
        for (size_t i = 0; i < n; i++)
            count[(key[i] >> shift & (DIGITS - 1)) + 1]++;
        for (size_t i = 0; i < DIGITS; i++)
            count[i + 1] += count[i];
        for (size_t i = 0; i < n; i++) {
            uint32_t item = from ? from[i] : (uint32_t)i;
            to[count[key[item] >> shift & (DIGITS - 1)]++] = item;
        }
        from = other;
        to = order;
    }
}

static int band(struct search *s, size_t b, uint32_t *other, size_t *count, struct fw_sets *sets,
                struct fw_links *links, struct fw_err *err)
{
    const uint32_t *key = s->key + b * s->n;
    sort_by_key(key, s->n, s->order, other, count);
    s->n_buckets = 0;
    for (size_t i = 0, from = 0; i < s->n; i++)
        if (i + 1 == s->n || key[s->order[i + 1]] != key[s->order[i]]) {
            if (i > from) {
                s->bucket[2 * s->n_buckets] = from;
                s->bucket[2 * s->n_buckets++ + 1] = i + 1;
            }
            from = i + 1;
        }
    size_t chunks = fw_parallel_chunks(s->n_buckets, GRAIN);
    s->found = calloc(chunks ? chunks : 1, sizeof *s->found);
    int rc = s->found ? fw_parallel(s->n_buckets, GRAIN, bucket_work, s, err) : fw_err_nomem(err);
    for (size_t c = 0; s->found && c < chunks; c++) {
        for (size_t i = 0; rc == FW_OK && i < s->found[c].n; i++) {
            const struct fw_link *l = &s->found[c].v[i];
            rc = fw_links_join(links, sets, l->a, l->b, l->how, (double)l->similarity, err);
        }
        fw_links_release(&s->found[c]);
    }
    free(s->found);
    return rc;
}

int fw_near_texts(const char *const *texts, size_t n, double threshold, uint64_t seed,
                  struct fw_sets *sets, struct fw_links *links, struct fw_err *err)
{
    struct search s = {.texts = texts, .threshold = threshold, .sets = sets};
    size_t workers = fw_parallel_workers(), *count = calloc(DIGITS + 1, sizeof *count);
    uint32_t *other = NULL;
    struct fw_rng rng;
    int rc = fw_minhash_bands(threshold, &s.bands, &s.rows, err);
    s.scratch = calloc(workers, sizeof *s.scratch);
    if (rc == FW_OK && (!s.scratch || !count))
        rc = fw_err_nomem(err);
    fw_rng_seed(&rng, seed);
    for (size_t f = 0; f < FW_MINHASH_MAX; f++) {
        s.mul[f] = fw_rng_u64(&rng) | 1;
        s.add[f] = fw_rng_u64(&rng);
    }
    rc = rc == FW_OK ? distinct(&s, n, sets, links, err) : rc;
    if (rc == FW_OK) {
        s.key = calloc(s.n ? s.n : 1, s.bands * sizeof *s.key);
        s.order = calloc(s.n ? s.n : 1, sizeof *s.order);
        s.bucket = calloc(s.n / 2 + 1, 2 * sizeof *s.bucket);
        other = calloc(s.n ? s.n : 1, sizeof *other);
        rc = s.key && s.order && s.bucket && other ? FW_OK : fw_err_nomem(err);
    }
    rc = rc == FW_OK ? fw_parallel(s.n, GRAIN, signature_work, &s, err) : rc;
    for (size_t b = 0; rc == FW_OK && b < s.bands; b++)
        rc = band(&s, b, other, count, sets, links, err);
    for (size_t i = 0; s.scratch && i < workers; i++)
        fw_shingles_release(&s.scratch[i]);
    free(s.scratch);
    free(s.text);
    free(s.key);
    free(s.order);
    free(s.bucket);
    free(other);
    free(count);
    return rc;
}
