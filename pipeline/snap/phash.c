#include "pipeline/snap/phash.h"

#include "pipeline/snap/map.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/fs.h"
#include "pipeline/base/hash.h"
#include "stages/train/image.h"

enum {
    CELLS = FW_THUMB * FW_THUMB,
    BANDS = 6,    /* of the 64 bits; two hashes that differ in at most MAX_BITS share one */
    MAX_BITS = 5, /* so no more than BANDS - 1 */
};
/* Measured on 1 800 photographs of steel surfaces, where most pictures share the light and differ
 * only in texture: these find the two pairs that are the same piece of steel and no other, and of
 * copies saved again at quality 40, scaled to 60 % or with noise added, at least 99 in 100. The
 * thumbnails alone call 65 pairs of different pieces the same. */
static const double MIN_CONTRAST = 2.0;     /* standard deviation of the thumbnail, of 255 */
static const double MIN_DETAIL = 0.3;       /* the same of its detail */
static const double MIN_CORRELATION = 0.98; /* Pearson, of the thumbnails */
static const double MIN_DETAIL_CORRELATION = 0.90;

bool fw_is_image(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    return (n > 3 && !memcmp(p, "\xff\xd8\xff", 3)) || (n > 8 && !memcmp(p, "\x89PNG\r\n", 6)) ||
           (n > 26 && !memcmp(p, "BM", 2) && p[6] == 0 && p[7] == 0) ||
           (n > 8 && p[0] == 'P' && (p[1] == '5' || p[1] == '6') && p[2] <= ' ');
}

/* v with mean 0; returns the standard deviation. */
static double centre(double *v)
{
    double mean = 0, sum2 = 0;
    for (int i = 0; i < CELLS; i++)
        mean += v[i] / CELLS;
    for (int i = 0; i < CELLS; i++) {
        v[i] -= mean;
        sum2 += v[i] * v[i];
    }
    return sqrt(sum2 / CELLS);
}

/* The thumbnail, and its detail: each cell less the mean of its 3 × 3 neighbourhood. Light and
 * shade across the picture are in the first only. sd: of both. */
static void views(const struct fw_phash *h, double whole[CELLS], double detail[CELLS], double sd[2])
{
    for (int y = 0; y < FW_THUMB; y++) {
        for (int x = 0; x < FW_THUMB; x++) {
            double sum = 0;
            int n = 0;
            for (int v = y > 0 ? y - 1 : 0; v <= y + 1 && v < FW_THUMB; v++)
                for (int u = x > 0 ? x - 1 : 0; u <= x + 1 && u < FW_THUMB; u++, n++)
                    sum += h->thumb[FW_THUMB * v + u];
            whole[FW_THUMB * y + x] = h->thumb[FW_THUMB * y + x];
            detail[FW_THUMB * y + x] = h->thumb[FW_THUMB * y + x] - sum / n;
        }
    }
    sd[0] = centre(whole);
    sd[1] = centre(detail);
}

static double dot(const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < CELLS; i++)
        sum += a[i] * b[i];
    return sum / CELLS;
}

int fw_phash_compute(const void *bytes, size_t n, struct fw_phash *out, struct fw_err *err)
{
    struct fw_image im = {0};
    float cells[9 * 8], thumb[CELLS];
    *out = (struct fw_phash){0};
    int rc = fw_image_decode(bytes, n, &im, err);
    if (rc == FW_OK)
        rc = fw_image_gray(&im, 9, 8, cells, err);
    if (rc == FW_OK)
        rc = fw_image_gray(&im, FW_THUMB, FW_THUMB, thumb, err);
    fw_image_release(&im);
    if (rc != FW_OK)
        return rc;
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++)
            if (cells[9 * y + x] < cells[9 * y + x + 1])
                out->bits |= 1ull << (8 * y + x);
    for (int i = 0; i < CELLS; i++) {
        float v = thumb[i] * 255.0f + 0.5f;
        out->thumb[i] = (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
    double whole[CELLS], detail[CELLS], sd[2];
    views(out, whole, detail, sd);
    out->decoded = 1;
    out->usable = sd[0] >= MIN_CONTRAST && sd[1] >= MIN_DETAIL;
    return FW_OK;
}

bool fw_phash_near(const struct fw_phash *a, const struct fw_phash *b)
{
    if (!a->usable || !b->usable || __builtin_popcountll(a->bits ^ b->bits) > MAX_BITS)
        return false;
    double wa[CELLS], wb[CELLS], da[CELLS], db[CELLS], sa[2], sb[2];
    views(a, wa, da, sa);
    views(b, wb, db, sb);
    return dot(wa, wb) >= MIN_CORRELATION * sa[0] * sb[0] &&
           dot(da, db) >= MIN_DETAIL_CORRELATION * sa[1] * sb[1];
}

/* ---- kept hashes ---- */

static const char magic[8] = "FWPHASH1";

struct record {
    unsigned char oid[20];
    unsigned char usable, decoded, pad[2];
    uint64_t bits;
    unsigned char thumb[CELLS];
    uint64_t check; /* of all before it: a torn or foreign record is not believed */
};
_Static_assert(sizeof(struct record) == 20 + 4 + 8 + CELLS + 8, "written as it is in memory");

struct kept {
    git_oid oid;
    struct fw_phash hash;
    bool saved;
    UT_hash_handle hh;
};

struct fw_phashes {
    char *path;
    bool foreign; /* the file is not ours to append to: write it anew */
    struct fw_arena arena;
    struct kept *by_oid;
    size_t unsaved;
};

static struct kept *keep(struct fw_phashes *c, const git_oid *oid, const struct fw_phash *hash,
                         bool saved)
{
    struct kept *k = fw_arena_alloc(&c->arena, sizeof *k);
    if (!k)
        return NULL;
    k->oid = *oid;
    k->hash = *hash;
    k->saved = saved;
    HASH_ADD(hh, c->by_oid, oid, sizeof k->oid, k);
    if (!FW_ADDED(k))
        return NULL;
    c->unsaved += !saved;
    return k;
}

static uint64_t check_of(const struct record *rec)
{
    return fw_hash64(rec, offsetof(struct record, check), 2);
}

static int load(struct fw_phashes *c, const struct fw_buf *data, struct fw_err *err)
{
    if (data->len < sizeof magic || memcmp(data->p, magic, sizeof magic) != 0) {
        c->foreign = data->len > 0;
        return FW_OK;
    }
    c->foreign = (data->len - sizeof magic) % sizeof(struct record) != 0;
    for (size_t at = sizeof magic; at + sizeof(struct record) <= data->len;
         at += sizeof(struct record)) {
        struct record rec;
        struct fw_phash h = {0};
        git_oid oid;
        memcpy(&rec, data->p + at, sizeof rec);
        if (rec.check != check_of(&rec)) {
            c->foreign = true;
            continue;
        }
        memcpy(oid.id, rec.oid, sizeof rec.oid);
        h.usable = rec.usable;
        h.decoded = rec.decoded;
        h.bits = rec.bits;
        memcpy(h.thumb, rec.thumb, sizeof h.thumb);
        if (!fw_phashes_get(c, &oid) && !keep(c, &oid, &h, true))
            return fw_err_nomem(err);
    }
    return FW_OK;
}

int fw_phashes_open(const char *state_dir, struct fw_phashes **out, struct fw_err *err)
{
    struct fw_buf data = {0};
    struct fw_phashes *c = calloc(1, sizeof *c);
    int rc = c && (c->path = fw_fs_join(state_dir, "phash")) ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && fw_fs_exists(c->path))
        rc = fw_fs_read(c->path, 0, &data, err);
    if (rc == FW_OK)
        rc = load(c, &data, err);
    fw_buf_release(&data);
    if (rc == FW_OK)
        *out = c;
    else
        fw_phashes_close(c);
    return rc;
}

const struct fw_phash *fw_phashes_get(const struct fw_phashes *c, const git_oid *oid)
{
    struct kept *k = NULL;
    HASH_FIND(hh, c->by_oid, oid, sizeof *oid, k);
    return k ? &k->hash : NULL;
}

int fw_phashes_of(struct fw_phashes *c, const git_oid *oid, const void *bytes, size_t n,
                  const struct fw_phash **out, struct fw_err *err)
{
    struct fw_phash h = {0};
    const struct fw_phash *known = fw_phashes_get(c, oid);
    *out = known;
    if (known || !fw_is_image(bytes, n))
        return FW_OK;
    /* an image that cannot be decoded is remembered as one that has no near copies */
    int rc = fw_phash_compute(bytes, n, &h, err);
    if (rc != FW_OK && rc != FW_EINVAL)
        return rc;
    struct kept *k = keep(c, oid, &h, false);
    if (!k)
        return fw_err_nomem(err);
    *out = &k->hash;
    return FW_OK;
}

int fw_phashes_of_blob(struct fw_phashes *c, struct fw_repo *r, const git_oid *oid,
                       const struct fw_phash **out, struct fw_err *err)
{
    git_odb_object *o = NULL;
    if ((*out = fw_phashes_get(c, oid)))
        return FW_OK;
    int rc = fw_object_read(r, oid, GIT_OBJECT_BLOB, &o, err);
    if (rc == FW_OK)
        rc = fw_phashes_of(c, oid, git_odb_object_data(o), git_odb_object_size(o), out, err);
    if (o)
        git_odb_object_free(o);
    return rc;
}

static void put_record(struct fw_buf *out, const struct kept *k)
{
    struct record rec = {.usable = k->hash.usable, .decoded = k->hash.decoded};
    memcpy(rec.oid, k->oid.id, sizeof rec.oid);
    memcpy(rec.thumb, k->hash.thumb, sizeof rec.thumb);
    rec.bits = k->hash.bits;
    rec.check = check_of(&rec);
    fw_buf_add(out, &rec, sizeof rec);
}

int fw_phashes_save(struct fw_phashes *c, struct fw_err *err)
{
    struct fw_buf b = {0};
    if (!c->unsaved)
        return FW_OK;
    bool anew = c->foreign || !fw_fs_exists(c->path);
    if (anew)
        fw_buf_add(&b, magic, sizeof magic);
    for (struct kept *k = c->by_oid; k; k = k->hh.next)
        if (anew || !k->saved)
            put_record(&b, k);
    int rc = b.failed ? fw_err_nomem(err) : FW_OK;
    if (rc == FW_OK && anew) {
        rc = fw_fs_write_atomic(c->path, b.p, b.len, err);
    } else if (rc == FW_OK) {
        int fd = open(c->path, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (fd < 0 || write(fd, b.p, b.len) != (ssize_t)b.len)
            rc = fw_err_sys(err, errno, "cannot write %s", c->path);
        if (fd >= 0)
            close(fd);
    }
    fw_buf_release(&b);
    for (struct kept *k = c->by_oid; k && rc == FW_OK; k = k->hh.next)
        k->saved = true;
    if (rc == FW_OK) {
        c->unsaved = 0;
        c->foreign = false;
    }
    return rc;
}

void fw_phashes_close(struct fw_phashes *c)
{
    if (!c)
        return;
    HASH_CLEAR(hh, c->by_oid);
    fw_arena_release(&c->arena);
    free(c->path);
    free(c);
}

/* ---- looking up ---- */

struct near_item {
    const struct fw_phash *hash;
    const void *tag;
    struct near_item *next[BANDS]; /* the next with the same bits in that band */
};

enum { BAND_BITS = 11, SLOTS = 1 << BAND_BITS };

struct fw_near {
    struct fw_arena arena;
    struct near_item *slots[BANDS][SLOTS];
};

static unsigned band(uint64_t bits, int i)
{
    return (unsigned)(bits >> (i * BAND_BITS)) & (SLOTS - 1); /* 5 × 11 and 9 bits */
}

struct fw_near *fw_near_new(void)
{
    return calloc(1, sizeof(struct fw_near));
}

void fw_near_free(struct fw_near *x)
{
    if (x)
        fw_arena_release(&x->arena);
    free(x);
}

int fw_near_add(struct fw_near *x, const struct fw_phash *hash, const void *tag, struct fw_err *err)
{
    if (!hash->usable)
        return FW_OK;
    struct near_item *item = fw_arena_alloc(&x->arena, sizeof *item);
    if (!item)
        return fw_err_nomem(err);
    item->hash = hash;
    item->tag = tag;
    for (int i = 0; i < BANDS; i++) {
        struct near_item **slot = &x->slots[i][band(hash->bits, i)];
        item->next[i] = *slot;
        *slot = item;
    }
    return FW_OK;
}

const void *fw_near_find(const struct fw_near *x, const struct fw_phash *hash)
{
    if (!hash->usable)
        return NULL;
    for (int i = 0; i < BANDS; i++)
        for (const struct near_item *it = x->slots[i][band(hash->bits, i)]; it; it = it->next[i])
            if (fw_phash_near(it->hash, hash))
                return it->tag;
    return NULL;
}
