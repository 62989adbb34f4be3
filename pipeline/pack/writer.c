#include "pipeline/pack/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "pipeline/base/fs.h"
#include "pipeline/pack/index.h"

struct entry {
    struct fw_index_entry x;
    uint64_t len;
    bool dropped, written;
};

struct scratch { /* where one thread puts an entry together */
    struct scratch *next;
    struct fw_buf buf;
};

struct fw_pack_writer {
    char *dir, *tmp; /* tmp: NULL until the first entry and once it has its name */
    struct fw_squeeze *squeeze;
    int fd;
    _Atomic uint64_t end; /* of what is written or being written */
    pthread_mutex_t lock; /* of all below */
    struct entry *v;
    size_t n, cap;
    uint32_t *slots; /* open addressing by the first bytes of the id; index + 1 */
    size_t n_slots;
    struct scratch *idle;
};

int fw_pack_writer_open(const char *dir, struct fw_squeeze *squeeze, struct fw_pack_writer **out,
                        struct fw_err *err)
{
    struct fw_pack_writer *w = calloc(1, sizeof *w);
    if (!w || !(w->dir = strdup(dir)) || pthread_mutex_init(&w->lock, NULL) != 0) {
        if (w)
            free(w->dir);
        free(w);
        return fw_err_nomem(err);
    }
    w->squeeze = squeeze;
    w->fd = -1;
    w->end = FW_PACK_HEAD;
    *out = w;
    return FW_OK;
}

void fw_pack_writer_free(struct fw_pack_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    if (w->tmp)
        unlink(w->tmp);
    for (struct scratch *s = w->idle, *next; s; s = next) {
        next = s->next;
        fw_buf_release(&s->buf);
        free(s);
    }
    free(w->tmp);
    free(w->dir);
    free(w->v);
    free(w->slots);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* Why nothing can be written, in the user's words. */
static int cannot_write(const struct fw_pack_writer *w, int e, struct fw_err *err)
{
    int rc = fw_err_sys(err, e ? e : EIO, "cannot write a pack in %s", w->dir);
    if (e == EACCES || e == EROFS || e == EPERM)
        fw_err_hint(err, "make the repository's .git folder writable for this user");
    else if (e == ENOSPC || e == EDQUOT)
        fw_err_hint(err, "free some disk space, then run `flywheel resume`; nothing is lost");
    return rc;
}

static uint32_t *slot(const struct fw_pack_writer *w, const unsigned char *oid)
{
    size_t at = fw_pack_get32(oid) & (w->n_slots - 1);
    while (w->slots[at] && memcmp(w->v[w->slots[at] - 1].x.oid, oid, FW_PACK_OID) != 0)
        at = (at + 1) & (w->n_slots - 1);
    return &w->slots[at];
}

static struct entry *find(struct fw_pack_writer *w, const unsigned char *oid)
{
    uint32_t k = w->n_slots ? *slot(w, oid) : 0;
    return k ? &w->v[k - 1] : NULL;
}

static int grow(struct fw_pack_writer *w, struct fw_err *err)
{
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 64;
        struct entry *v = realloc(w->v, cap * sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        w->v = v;
        w->cap = cap;
    }
    if (w->n >= UINT32_MAX - 1)
        return fw_err_set(err, FW_EINVAL, "more than 4 294 967 294 new objects in one snapshot");
    if (w->n_slots && w->n < w->n_slots / 2)
        return FW_OK;
    size_t n = w->n_slots ? w->n_slots * 2 : 256;
    uint32_t *slots = calloc(n, sizeof *slots);
    if (!slots)
        return fw_err_nomem(err);
    free(w->slots);
    w->slots = slots;
    w->n_slots = n;
    for (size_t i = 0; i < w->n; i++)
        *slot(w, w->v[i].x.oid) = (uint32_t)i + 1;
    return FW_OK;
}

static int open_file(struct fw_pack_writer *w, struct fw_err *err)
{
    char path[PATH_MAX];
    if (w->fd >= 0)
        return FW_OK;
    int rc = fw_fs_mkdirs(w->dir, err);
    if (rc != FW_OK)
        return rc;
    int n = snprintf(path, sizeof path, "%s/.flywheel-%ld-XXXXXX", w->dir, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof path)
        return fw_err_set(err, FW_EINVAL, "path too long: %s", w->dir);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return cannot_write(w, errno, err);
    if (!(w->tmp = strdup(path))) {
        close(fd);
        unlink(path);
        return fw_err_nomem(err);
    }
    w->fd = fd;
    return FW_OK;
}

/* Makes a place for an object. *index SIZE_MAX: it is there already. */
static int reserve(struct fw_pack_writer *w, const unsigned char *oid, size_t *index,
                   struct scratch **scratch, struct fw_err *err)
{
    int rc = FW_OK;
    *index = SIZE_MAX;
    *scratch = NULL;
    pthread_mutex_lock(&w->lock);
    struct entry *e = find(w, oid);
    if (e) {
        e->dropped = false;
    } else if ((rc = open_file(w, err)) == FW_OK && (rc = grow(w, err)) == FW_OK) {
        *index = w->n;
        w->v[w->n] = (struct entry){0};
        memcpy(w->v[w->n].x.oid, oid, FW_PACK_OID);
        *slot(w, oid) = (uint32_t)w->n + 1;
        w->n++;
        *scratch = w->idle;
        if (*scratch)
            w->idle = (*scratch)->next;
    }
    pthread_mutex_unlock(&w->lock);
    if (*index != SIZE_MAX && !*scratch && !(*scratch = calloc(1, sizeof **scratch)))
        rc = fw_err_nomem(err);
    if (*scratch)
        fw_buf_clear(&(*scratch)->buf);
    return rc;
}

/* Writes an entry at the end. Takes the scratch back. */
static int append(struct fw_pack_writer *w, size_t index, struct scratch *s, const void *data,
                  size_t n, struct fw_err *err)
{
    uint64_t at = atomic_fetch_add(&w->end, n);
    const char *p = data;
    int rc = FW_OK;
    for (size_t done = 0; done < n && rc == FW_OK;) {
        ssize_t k = pwrite(w->fd, p + done, n - done, (off_t)(at + done));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            rc = cannot_write(w, k < 0 ? errno : EIO, err);
        else
            done += (size_t)k;
    }
    uint32_t crc = (uint32_t)crc32(0, data, (uInt)n);
    pthread_mutex_lock(&w->lock);
    struct entry *e = &w->v[index];
    e->x.at = at;
    e->x.crc = crc;
    e->len = n;
    e->written = rc == FW_OK;
    s->next = w->idle;
    w->idle = s;
    pthread_mutex_unlock(&w->lock);
    return rc;
}

static void give_back(struct fw_pack_writer *w, struct scratch *s)
{
    pthread_mutex_lock(&w->lock);
    s->next = w->idle;
    w->idle = s;
    pthread_mutex_unlock(&w->lock);
}

/* Header, base of a delta and deflated bytes; base may be NULL. */
static int add(struct fw_pack_writer *w, int type, const unsigned char *oid,
               const unsigned char *base, const void *data, size_t n, struct fw_err *err)
{
    unsigned char head[FW_PACK_ENTRY_HEAD];
    struct scratch *s;
    size_t index;
    if (n > UINT32_MAX)
        return fw_err_set(err, FW_EINVAL, "a file of 4 GB or more cannot be stored in git");
    int rc = reserve(w, oid, &index, &s, err);
    if (rc != FW_OK || index == SIZE_MAX)
        return rc;
    fw_buf_add(&s->buf, head, fw_pack_head_put(head, type, n));
    if (base)
        fw_buf_add(&s->buf, base, FW_PACK_OID);
    rc = s->buf.failed ? fw_err_nomem(err) : fw_squeeze_add(w->squeeze, data, n, &s->buf, err);
    if (rc != FW_OK) {
        give_back(w, s);
        return rc;
    }
    return append(w, index, s, s->buf.p, s->buf.len, err);
}

int fw_pack_writer_add(struct fw_pack_writer *w, int type, const unsigned char oid[FW_PACK_OID],
                       const void *data, size_t n, struct fw_err *err)
{
    return add(w, type, oid, NULL, data, n, err);
}

int fw_pack_writer_delta(struct fw_pack_writer *w, const unsigned char oid[FW_PACK_OID],
                         const unsigned char base[FW_PACK_OID], const void *delta, size_t n,
                         struct fw_err *err)
{
    return add(w, FW_PACK_REF_DELTA, oid, base, delta, n, err);
}

static int add_raw(void *ctx, const unsigned char oid[FW_PACK_OID], const unsigned char *entry,
                   size_t n, struct fw_err *err)
{
    struct fw_pack_writer *w = ctx;
    struct scratch *s;
    size_t index;
    int rc = reserve(w, oid, &index, &s, err);
    return rc != FW_OK || index == SIZE_MAX ? rc : append(w, index, s, entry, n, err);
}

int fw_pack_writer_copy(struct fw_pack_writer *w, const struct fw_mapped *from, struct fw_err *err)
{
    return fw_mapped_each(from, add_raw, w, err);
}

void fw_pack_writer_want(struct fw_pack_writer *w, const unsigned char oid[FW_PACK_OID],
                         bool wanted)
{
    struct entry *e = find(w, oid);
    if (e)
        e->dropped = !wanted;
}

size_t fw_pack_writer_count(const struct fw_pack_writer *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        n += !w->v[i].dropped;
    return n;
}

uint64_t fw_pack_writer_bytes(const struct fw_pack_writer *w)
{
    return w->end - FW_PACK_HEAD;
}

static int by_place(const void *va, const void *vb)
{
    const struct entry *a = va, *b = vb;
    return a->x.at < b->x.at ? -1 : a->x.at > b->x.at;
}

/* Moves the entries that are wanted together where others were left out. The table of ids is of no use
 * after this. */
static int close_gaps(struct fw_pack_writer *w, struct fw_err *err)
{
    struct fw_buf b = {0};
    uint64_t to = FW_PACK_HEAD;
    size_t kept = 0;
    int rc = FW_OK;
    qsort(w->v, w->n, sizeof *w->v, by_place);
    for (size_t i = 0; i < w->n && rc == FW_OK; i++) {
        struct entry e = w->v[i];
        if (e.dropped)
            continue;
        fw_buf_clear(&b);
        char *p = e.x.at == to ? NULL : fw_buf_reserve(&b, (size_t)e.len);
        if (e.x.at != to &&
            (!p || pread(w->fd, p, (size_t)e.len, (off_t)e.x.at) != (ssize_t)e.len ||
             pwrite(w->fd, p, (size_t)e.len, (off_t)to) != (ssize_t)e.len))
            rc = p ? cannot_write(w, errno, err) : fw_err_nomem(err);
        e.x.at = to;
        to += e.len;
        w->v[kept++] = e;
    }
    w->n = kept;
    w->end = to;
    if (rc == FW_OK && ftruncate(w->fd, (off_t)to) != 0)
        rc = cannot_write(w, errno, err);
    fw_buf_release(&b);
    return rc;
}

/* The header, and the checksum over all at the end; the file is mapped to be read once more. */
static int seal(struct fw_pack_writer *w, unsigned char sha[FW_PACK_OID], struct fw_err *err)
{
    unsigned char head[FW_PACK_HEAD] = {'P', 'A', 'C', 'K', 0, 0, 0, 2};
    size_t n = (size_t)w->end;
    fw_pack_put32(head + 8, (uint32_t)w->n);
    if (pwrite(w->fd, head, sizeof head, 0) != (ssize_t)sizeof head)
        return cannot_write(w, errno, err);
    void *map = mmap(NULL, n, PROT_READ, MAP_SHARED, w->fd, 0);
    if (map == MAP_FAILED)
        return fw_err_sys(err, errno, "cannot read a pack in %s", w->dir);
    madvise(map, n, MADV_SEQUENTIAL);
    bool ok = EVP_Digest(map, n, sha, NULL, EVP_sha1(), NULL) == 1;
    munmap(map, n);
    if (!ok)
        return fw_err_nomem(err);
    if (pwrite(w->fd, sha, FW_PACK_OID, (off_t)n) != FW_PACK_OID)
        return cannot_write(w, errno, err);
    return FW_OK;
}

static int write_index(struct fw_pack_writer *w, const unsigned char sha[FW_PACK_OID],
                       const char *path, struct fw_err *err)
{
    struct fw_index_entry *v = malloc(w->n * sizeof *v);
    struct fw_buf b = {0};
    int rc = v ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; v && i < w->n; i++)
        v[i] = w->v[i].x;
    if (rc == FW_OK)
        rc = fw_index_write(v, w->n, sha, &b, err);
    free(v);
    int fd = rc == FW_OK ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444) : -1;
    if (rc == FW_OK && fd < 0)
        rc = fw_err_sys(err, errno, "cannot write %s", path);
    int e = fd >= 0 ? fw_fs_write_all(fd, b.p, b.len) : 0;
    if (fd >= 0 && !e && fsync(fd) != 0)
        e = errno;
    if (fd >= 0 && close(fd) != 0 && !e)
        e = errno;
    if (e)
        rc = fw_err_sys(err, e, "cannot write %s", path);
    fw_buf_release(&b);
    return rc;
}

/* Git looks for the index, so it gets its name last. */
static int publish(struct fw_pack_writer *w, const char *keep, const char *name, const char *index,
                   struct fw_err *err)
{
    char path[PATH_MAX + 64];
    int rc = FW_OK;
    if (keep) {
        snprintf(path, sizeof path, "%s/pack-%s.keep", w->dir, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        int e = fd < 0 ? errno : fw_fs_write_all(fd, keep, strlen(keep));
        if (fd >= 0 && close(fd) != 0 && !e)
            e = errno;
        if (e)
            return fw_err_sys(err, e, "cannot write %s", path);
    }
    snprintf(path, sizeof path, "%s/pack-%s.pack", w->dir, name);
    if (rename(w->tmp, path) != 0)
        return fw_err_sys(err, errno, "cannot write %s", path);
    free(w->tmp);
    w->tmp = NULL;
    snprintf(path, sizeof path, "%s/pack-%s.idx", w->dir, name);
    if (rename(index, path) != 0)
        rc = fw_err_sys(err, errno, "cannot write %s", path);
    return rc == FW_OK ? fw_fs_sync(w->dir, err) : rc;
}

int fw_pack_writer_finish(struct fw_pack_writer *w, const char *keep, char name[FW_PACK_NAME],
                          struct fw_err *err)
{
    unsigned char sha[FW_PACK_OID];
    char index[PATH_MAX + 8];
    size_t count = fw_pack_writer_count(w);
    name[0] = '\0';
    if (!count)
        return FW_OK;
    for (size_t i = 0; i < w->n; i++)
        if (!w->v[i].dropped && !w->v[i].written)
            return fw_err_set(err, FW_EIO, "an object of the pack in %s was not written", w->dir);
    int rc = count < w->n ? close_gaps(w, err) : FW_OK;
    if (rc == FW_OK)
        rc = seal(w, sha, err);
    if (rc == FW_OK && (fchmod(w->fd, 0444) != 0 || fsync(w->fd) != 0))
        rc = cannot_write(w, errno, err);
    if (rc != FW_OK)
        return rc;
    snprintf(index, sizeof index, "%s.idx", w->tmp);
    rc = write_index(w, sha, index, err);
    char hex[FW_PACK_NAME];
    fw_pack_hex(sha, hex);
    if (rc == FW_OK)
        rc = publish(w, keep, hex, index, err);
    if (rc == FW_OK)
        memcpy(name, hex, sizeof hex);
    else
        unlink(index);
    return rc;
}
