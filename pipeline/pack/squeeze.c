#include "pipeline/pack/squeeze.h"

#include <libdeflate.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAMPLE = 4096, /* bytes deflated to see whether deflating pays */
    LEVEL = 4,     /* rows: as small as zlib's 6, at three times its speed */
    STORE = 0,
    TRY = 1
};

/* What one thread works with; made on first use, for a compressor is some 100 KB. */
struct tools {
    struct tools *next;
    struct libdeflate_compressor *at[LEVEL + 1];
    struct libdeflate_decompressor *undo;
};

struct fw_squeeze {
    pthread_mutex_t lock;
    struct tools *idle;
};

struct fw_squeeze *fw_squeeze_new(void)
{
    struct fw_squeeze *s = calloc(1, sizeof *s);
    if (s && pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return NULL;
    }
    return s;
}

void fw_squeeze_free(struct fw_squeeze *s)
{
    if (!s)
        return;
    for (struct tools *t = s->idle, *next; t; t = next) {
        next = t->next;
        for (int i = 0; i <= LEVEL; i++)
            libdeflate_free_compressor(t->at[i]);
        libdeflate_free_decompressor(t->undo);
        free(t);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static struct tools *borrow(struct fw_squeeze *s)
{
    pthread_mutex_lock(&s->lock);
    struct tools *t = s->idle;
    if (t)
        s->idle = t->next;
    pthread_mutex_unlock(&s->lock);
    return t ? t : calloc(1, sizeof *t);
}

static void give_back(struct fw_squeeze *s, struct tools *t)
{
    pthread_mutex_lock(&s->lock);
    t->next = s->idle;
    s->idle = t;
    pthread_mutex_unlock(&s->lock);
}

static bool is_compressed(const unsigned char *d, size_t n)
{
    static const struct {
        const char *magic;
        size_t n;
    } known[] = {
        {"\xff\xd8\xff", 3},
        {"\x89PNG", 4},
        {"GIF8", 4},
        {"PK\x03\x04", 4},
        {"\x1f\x8b", 2},
        {"OggS", 4},
        {"fLaC", 4},
        {"ID3", 3},
        {"\x28\xb5\x2f\xfd", 4},
        {"\xfd"
         "7zXZ",
         5},
        {"BZh", 3},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n >= known[i].n && !memcmp(d, known[i].magic, known[i].n))
            return true;
    return n >= 12 && !memcmp(d, "RIFF", 4) && !memcmp(d + 8, "WEBP", 4);
}

/* Do the bytes occur about equally often? Then they are compressed or encrypted already: for random
 * bytes the sum of the squared counts is n + n (n - 1) / 256 in the mean, for text several times
 * that. Costs a tenth of deflating them to see. */
static bool looks_random(const unsigned char *d, size_t n)
{
    size_t counts[256] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++)
        counts[d[i]]++;
    for (int i = 0; i < 256; i++)
        sum += counts[i] * counts[i];
    return n >= 256 && (double)sum < 1.1 * ((double)n + (double)n * (double)(n - 1) / 256);
}

static int squeeze(struct tools *t, int level, const void *data, size_t n, struct fw_buf *out,
                   struct fw_err *err)
{
    if (!t->at[level] && !(t->at[level] = libdeflate_alloc_compressor(level)))
        return fw_err_nomem(err);
    size_t room = libdeflate_zlib_compress_bound(t->at[level], n);
    char *to = fw_buf_reserve(out, room);
    if (!to)
        return fw_err_nomem(err);
    size_t got = libdeflate_zlib_compress(t->at[level], data, n, to, room);
    if (!got)
        return fw_err_set(err, FW_EIO, "libdeflate failed to deflate an object");
    out->len += got;
    return FW_OK;
}

static int choose(struct tools *t, const void *data, size_t n, struct fw_buf *out,
                  struct fw_err *err)
{
    size_t part = n < SAMPLE ? n : SAMPLE, start = out->len;
    if (is_compressed(data, n) || looks_random(data, part))
        return squeeze(t, STORE, data, n, out, err);
    int rc = squeeze(t, part < n ? TRY : LEVEL, data, part, out, err);
    if (rc != FW_OK)
        return rc;
    bool pays = out->len - start <= part - part / 20 || n < 64;
    if (part == n && pays)
        return FW_OK; /* small: the sample was all */
    out->len = start;
    return squeeze(t, pays ? LEVEL : STORE, data, n, out, err);
}

int fw_squeeze_add(struct fw_squeeze *s, const void *data, size_t n, struct fw_buf *out,
                   struct fw_err *err)
{
    struct tools *t = borrow(s);
    if (!t)
        return fw_err_nomem(err);
    int rc = choose(t, data, n, out, err);
    give_back(s, t);
    return rc;
}

int fw_squeeze_undo(struct fw_squeeze *s, const void *in, size_t n_in, void *out, size_t n,
                    size_t *used, struct fw_err *err)
{
    struct tools *t = borrow(s);
    size_t in_used = 0, got = 0;
    if (!t)
        return fw_err_nomem(err);
    int rc = FW_OK;
    if (!t->undo && !(t->undo = libdeflate_alloc_decompressor()))
        rc = fw_err_nomem(err);
    else if (libdeflate_zlib_decompress_ex(t->undo, in, n_in, out, n, &in_used, &got) !=
                 LIBDEFLATE_SUCCESS ||
             got != n)
        rc = fw_err_set(err, FW_ECORRUPT, "an object of the repository is damaged");
    else if (used)
        *used = in_used;
    give_back(s, t);
    return rc;
}
