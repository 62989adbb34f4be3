#include "pipeline/snap/phash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/fs.h"
#include "pipeline/base/hash.h"
#include "pipeline/snap/map.h"

static const char magic[8] = "FWPHASH1";

struct record {
    unsigned char oid[20];
    unsigned char usable, decoded, pad[2];
    uint64_t bits;
    unsigned char thumb[FW_THUMB * FW_THUMB];
    uint64_t check; /* of all before it: a torn or foreign record is not believed */
};
_Static_assert(sizeof(struct record) == 20 + 4 + 8 + FW_THUMB * FW_THUMB + 8,
               "written as it is in memory");

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
