#include "pipeline/snap/pack.h"

#include "pipeline/snap/map.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/fs.h"

enum {
    SPOOL_MEMORY = 16 << 20, /* entries beyond this go to a file */
    FEED_STEP = 1 << 20,
    SAMPLE = 4096, /* bytes deflated to see whether deflating pays */
    LEVEL = 3      /* rows: 2 % larger than level 6 and twice as fast */
};

struct entry {
    git_oid oid;
    uint64_t at, len; /* in the spool */
    bool dropped;
    UT_hash_handle hh;
};

struct fw_pack {
    struct fw_repo *r;
    struct fw_arena arena;
    struct entry *by_oid; /* uthash keeps the order of adding */
    size_t n;
    struct fw_buf memory; /* the spool's tail: bytes from `spooled` on */
    uint64_t spooled;     /* bytes in the file */
    int fd;
    z_stream z[LEVEL + 1]; /* one a level, made on first use: to set one up costs 5 µs and more */
    bool z_ready[LEVEL + 1];
};

int fw_pack_open(struct fw_repo *r, struct fw_pack **out, struct fw_err *err)
{
    struct fw_pack *p = calloc(1, sizeof *p);
    if (!p)
        return fw_err_nomem(err);
    p->r = r;
    p->fd = -1;
    *out = p;
    return FW_OK;
}

void fw_pack_free(struct fw_pack *p)
{
    if (!p)
        return;
    HASH_CLEAR(hh, p->by_oid);
    for (int i = 0; i <= LEVEL; i++)
        if (p->z_ready[i])
            deflateEnd(&p->z[i]);
    if (p->fd >= 0)
        close(p->fd);
    fw_buf_release(&p->memory);
    fw_arena_release(&p->arena);
    free(p);
}

/* Contents that are compressed already only grow and cost time when deflated again. */
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

/* Appends the deflated data. */
static int deflate_at(struct fw_pack *p, int level, const void *data, size_t n, struct fw_buf *out,
                      struct fw_err *err)
{
    z_stream *z = &p->z[level];
    if (!p->z_ready[level] && deflateInit(z, level) != Z_OK)
        return fw_err_nomem(err);
    if (p->z_ready[level])
        deflateReset(z);
    p->z_ready[level] = true;
    size_t room = deflateBound(z, n);
    if (room > UINT_MAX || n > UINT_MAX)
        return fw_err_set(err, FW_EINVAL, "a file of 4 GB or more cannot be stored in git");
    char *to = fw_buf_reserve(out, room);
    if (!to)
        return fw_err_nomem(err);
    z->next_in = (unsigned char *)data;
    z->avail_in = (uInt)n;
    z->next_out = (unsigned char *)to;
    z->avail_out = (uInt)room;
    if (deflate(z, Z_FINISH) != Z_STREAM_END)
        return fw_err_set(err, FW_EIO, "zlib failed to deflate an object");
    out->len += room - z->avail_out;
    return FW_OK;
}

/* Deflates where that pays: contents compressed already, and those whose beginning does not shrink
 * by a twentieth, are stored. */
static int deflate_to(struct fw_pack *p, const void *data, size_t n, struct fw_err *err)
{
    size_t part = n < SAMPLE ? n : SAMPLE, start = p->memory.len;
    if (is_compressed(data, n) || looks_random(data, part))
        return deflate_at(p, 0, data, n, &p->memory, err);
    int rc = deflate_at(p, part < n ? 1 : LEVEL, data, part, &p->memory, err);
    if (rc != FW_OK)
        return rc;
    bool pays = p->memory.len - start <= part - part / 20 || n < 64;
    if (part == n && pays)
        return FW_OK; /* small: the sample was all */
    p->memory.len = start;
    return deflate_at(p, pays ? LEVEL : 0, data, n, &p->memory, err);
}

/* An entry's header: kind and size, four bits and then seven a byte (gitformat-pack). */
static void put_header(struct fw_buf *b, git_object_t type, uint64_t n)
{
    unsigned char c = (unsigned char)((unsigned)type << 4 | (n & 15));
    for (n >>= 4; n; n >>= 7) {
        fw_buf_putc(b, (char)(c | 0x80));
        c = n & 0x7f;
    }
    fw_buf_putc(b, (char)c);
}

static int spill(struct fw_pack *p, struct fw_err *err)
{
    int rc = FW_OK;
    if (p->fd < 0) {
        struct fw_buf path = {0};
        if ((rc = fw_fs_mkdirs(p->r->state_dir, err)) != FW_OK)
            return rc;
        fw_buf_printf(&path, "%s/pack.XXXXXX", p->r->state_dir);
        if (path.failed)
            rc = fw_err_nomem(err);
        else if ((p->fd = mkostemp(path.p, O_CLOEXEC)) < 0)
            rc = fw_err_sys(err, errno, "cannot create a file in %s", p->r->state_dir);
        else
            unlink(path.p);
        fw_buf_release(&path);
    }
    for (size_t at = 0; rc == FW_OK && at < p->memory.len;) {
        ssize_t w = write(p->fd, p->memory.p + at, p->memory.len - at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            rc = fw_err_sys(err, errno, "cannot write a temporary file in %s", p->r->state_dir);
        else
            at += (size_t)w;
    }
    if (rc == FW_OK) {
        p->spooled += p->memory.len;
        fw_buf_clear(&p->memory);
    }
    return rc;
}

int fw_pack_add(struct fw_pack *p, git_object_t type, const void *data, size_t n, git_oid *out,
                struct fw_err *err)
{
    git_oid oid;
    struct entry *e = NULL;
    int grc = git_odb_hash(&oid, data, n, type);
    if (grc != 0)
        return fw_git_fail(err, grc, "cannot hash an object");
    HASH_FIND(hh, p->by_oid, &oid, sizeof oid, e);
    /* no refresh: a miss is the rule here, and each would list the pack folder again */
    if (e || git_odb_exists_ext(p->r->odb, &oid, GIT_ODB_LOOKUP_NO_REFRESH)) {
        if (e)
            e->dropped = false;
        *out = oid;
        return FW_OK;
    }
    if (!(e = fw_arena_alloc(&p->arena, sizeof *e)))
        return fw_err_nomem(err);
    e->oid = oid;
    size_t start = p->memory.len;
    e->at = p->spooled + start;
    put_header(&p->memory, type, n);
    int rc = p->memory.failed ? fw_err_nomem(err) : deflate_to(p, data, n, err);
    if (rc != FW_OK) {
        p->memory.len = start;
        return rc;
    }
    e->len = p->memory.len - start;
    HASH_ADD(hh, p->by_oid, oid, sizeof e->oid, e);
    if (!FW_ADDED(e))
        return fw_err_nomem(err);
    p->n++;
    if (p->memory.len > SPOOL_MEMORY && (rc = spill(p, err)) != FW_OK)
        return rc;
    *out = oid;
    return FW_OK;
}

void fw_pack_want(struct fw_pack *p, const git_oid *oid, bool wanted)
{
    struct entry *e = NULL;
    HASH_FIND(hh, p->by_oid, oid, sizeof *oid, e);
    if (e)
        e->dropped = !wanted;
}

struct feed {
    git_odb_writepack *to;
    git_indexer_progress progress;
    EVP_MD_CTX *sha;
};

static int feed(struct feed *f, const void *data, size_t n, struct fw_err *err)
{
    if (EVP_DigestUpdate(f->sha, data, n) != 1)
        return fw_err_nomem(err);
    int grc = f->to->append(f->to, data, n, &f->progress);
    return grc == 0 ? FW_OK : fw_git_fail(err, grc, "cannot write the snapshot's pack");
}

/* Bytes [at, end) of the spool. */
static int feed_range(struct fw_pack *p, struct feed *f, uint64_t at, uint64_t end, char *step,
                      struct fw_err *err)
{
    int rc = FW_OK;
    while (at < end && at < p->spooled && rc == FW_OK) {
        uint64_t want = (end < p->spooled ? end : p->spooled) - at;
        ssize_t got = pread(p->fd, step, want < FEED_STEP ? want : FEED_STEP, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fw_err_sys(err, got < 0 ? errno : EIO, "cannot read a temporary file in %s",
                              p->r->state_dir);
        rc = feed(f, step, (size_t)got, err);
        at += (uint64_t)got;
    }
    if (at < end && rc == FW_OK)
        rc = feed(f, p->memory.p + (at - p->spooled), end - at, err);
    return rc;
}

static int feed_all(struct fw_pack *p, struct feed *f, uint32_t count, struct fw_err *err)
{
    unsigned char head[12] = {'P', 'A', 'C', 'K', 0, 0, 0, 2};
    unsigned char sha[20];
    char *step = malloc(FEED_STEP);
    for (int i = 0; i < 4; i++)
        head[8 + i] = (unsigned char)(count >> (24 - 8 * i));
    int rc = step ? feed(f, head, sizeof head, err) : fw_err_nomem(err);
    /* neighbours go together: one call for as many bytes as possible */
    uint64_t from = 0, to = 0;
    for (struct entry *e = p->by_oid; e && rc == FW_OK; e = e->hh.next) {
        if (e->dropped)
            continue;
        if (e->at != to) {
            rc = feed_range(p, f, from, to, step, err);
            from = e->at;
        }
        to = e->at + e->len;
    }
    if (rc == FW_OK)
        rc = feed_range(p, f, from, to, step, err);
    if (rc == FW_OK && EVP_DigestFinal_ex(f->sha, sha, NULL) != 1)
        rc = fw_err_nomem(err);
    if (rc == FW_OK) {
        int grc = f->to->append(f->to, sha, sizeof sha, &f->progress);
        if (grc == 0)
            grc = f->to->commit(f->to, &f->progress);
        if (grc != 0)
            rc = fw_git_fail(err, grc, "cannot write the snapshot's pack");
    }
    free(step);
    return rc;
}

int fw_pack_finish(struct fw_pack *p, struct fw_err *err)
{
    struct feed f = {0};
    size_t count = 0;
    for (struct entry *e = p->by_oid; e; e = e->hh.next)
        count += !e->dropped;
    if (count == 0)
        return FW_OK;
    if (count > UINT32_MAX)
        return fw_err_set(err, FW_EINVAL, "more than 4 294 967 295 new objects in one snapshot");
    int rc = FW_OK;
    f.sha = EVP_MD_CTX_new();
    if (!f.sha || EVP_DigestInit_ex(f.sha, EVP_sha1(), NULL) != 1) {
        rc = fw_err_nomem(err);
        goto out;
    }
    int grc = git_odb_write_pack(&f.to, p->r->odb, NULL, NULL);
    if (grc != 0) {
        rc = fw_git_fail(err, grc, "cannot write to the repository");
        goto out;
    }
    rc = feed_all(p, &f, (uint32_t)count, err);
    if (rc == FW_OK && (grc = git_odb_refresh(p->r->odb)) != 0)
        rc = fw_git_fail(err, grc, "cannot read the new pack");
out:
    if (f.to)
        f.to->free(f.to);
    EVP_MD_CTX_free(f.sha);
    return rc;
}
