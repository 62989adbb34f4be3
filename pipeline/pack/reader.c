#include "pipeline/pack/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/pack/delta.h"

enum { DEPTH = 4096 }; /* of deltas on deltas; git makes 50, or 250 when asked */

static const uint64_t MAX_OBJECT = (uint64_t)4 << 30;

struct fw_packs {
    char *dir;
    struct fw_squeeze *squeeze;
    pthread_mutex_t lock;              /* of a refresh; readers go without */
    _Atomic(struct fw_mapped *) first; /* grows at its head, never shrinks */
    _Atomic(struct fw_mapped *) last_hit;
    struct timespec seen; /* the folder's time at the last look */
    bool looked;
};

int fw_packs_open(const char *dir, struct fw_squeeze *squeeze, struct fw_packs **out,
                  struct fw_err *err)
{
    struct fw_packs *p = calloc(1, sizeof *p);
    if (!p || !(p->dir = strdup(dir)) || pthread_mutex_init(&p->lock, NULL) != 0) {
        if (p)
            free(p->dir);
        free(p);
        return fw_err_nomem(err);
    }
    p->squeeze = squeeze;
    int rc = fw_packs_refresh(p, err);
    if (rc == FW_OK)
        *out = p;
    else
        fw_packs_close(p);
    return rc;
}

static void unmap(struct fw_mapped *m)
{
    if (m->data)
        munmap((void *)m->data, m->size);
    if (m->index_data)
        munmap((void *)m->index_data, m->index_size);
    free(m);
}

void fw_packs_close(struct fw_packs *p)
{
    if (!p)
        return;
    for (struct fw_mapped *m = p->first, *next; m; m = next) {
        next = m->next;
        unmap(m);
    }
    pthread_mutex_destroy(&p->lock);
    free(p->dir);
    free(p);
}

/* NULL when the file is gone, empty or cannot be mapped: then the pack is not for us. */
static const unsigned char *map_file(const char *path, size_t *size)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *map = MAP_FAILED;
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (map == MAP_FAILED)
        return NULL;
    *size = (size_t)st.st_size;
    return map;
}

static bool head_fits(const struct fw_mapped *m)
{
    return m->size >= FW_PACK_HEAD + FW_PACK_OID && !memcmp(m->data, "PACK", 4) &&
           (fw_pack_get32(m->data + 4) == 2 || fw_pack_get32(m->data + 4) == 3) &&
           fw_pack_get32(m->data + 8) == m->index.n;
}

static void add_pack(struct fw_packs *p, const char *name)
{
    char path[PATH_MAX + 80];
    struct fw_mapped *m = calloc(1, sizeof *m);
    if (!m)
        return;
    snprintf(m->name, sizeof m->name, "%s", name);
    snprintf(path, sizeof path, "%s/pack-%s.idx", p->dir, name);
    m->index_data = map_file(path, &m->index_size);
    snprintf(path, sizeof path, "%s/pack-%s.pack", p->dir, name);
    if (m->index_data && fw_index_open(m->index_data, m->index_size, &m->index))
        m->data = map_file(path, &m->size);
    if (!m->data || !head_fits(m)) {
        unmap(m);
        return;
    }
    m->next = p->first;
    atomic_store(&p->first, m);
}

static struct fw_mapped *named(struct fw_packs *p, const char *name)
{
    for (struct fw_mapped *m = p->first; m; m = m->next)
        if (!strcmp(m->name, name))
            return m;
    return NULL;
}

/* "pack-<40 hex digits>.idx" → the digits. */
static bool index_name(const char *file, char name[FW_PACK_NAME])
{
    size_t n = strlen(file);
    if (n != 5 + 40 + 4 || strncmp(file, "pack-", 5) != 0 || strcmp(file + 45, ".idx") != 0)
        return false;
    memcpy(name, file + 5, 40);
    name[40] = '\0';
    return strspn(name, "0123456789abcdef") == 40;
}

int fw_packs_refresh(struct fw_packs *p, struct fw_err *err)
{
    struct stat st;
    int rc = FW_OK;
    pthread_mutex_lock(&p->lock);
    DIR *d = NULL;
    if (stat(p->dir, &st) != 0 ||
        (p->looked && st.st_mtim.tv_sec == p->seen.tv_sec && st.st_mtim.tv_nsec == p->seen.tv_nsec))
        goto out;
    if (!(d = opendir(p->dir))) {
        rc = fw_err_sys(err, errno, "cannot read %s", p->dir);
        goto out;
    }
    p->seen = st.st_mtim;
    p->looked = true;
    for (struct fw_mapped *m = p->first; m; m = m->next)
        m->gone = true;
    for (struct dirent *e; (e = readdir(d));) {
        char name[FW_PACK_NAME];
        if (!index_name(e->d_name, name))
            continue;
        struct fw_mapped *m = named(p, name);
        if (m)
            m->gone = false;
        else
            add_pack(p, name);
    }
out:
    if (d)
        closedir(d);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

static bool find_in(const struct fw_mapped *m, const unsigned char *oid, struct fw_packed *out)
{
    long i = fw_index_find(&m->index, oid);
    if (i < 0)
        return false;
    *out = (struct fw_packed){m, fw_index_at(&m->index, (size_t)i)};
    return out->at >= FW_PACK_HEAD && out->at < m->size - FW_PACK_OID;
}

bool fw_packs_find(struct fw_packs *p, const unsigned char oid[FW_PACK_OID], struct fw_packed *out)
{
    struct fw_mapped *hit = atomic_load(&p->last_hit);
    if (hit && find_in(hit, oid, out))
        return true;
    for (struct fw_mapped *m = atomic_load(&p->first); m; m = m->next)
        if (m != hit && find_in(m, oid, out)) {
            atomic_store(&p->last_hit, m);
            return true;
        }
    return false;
}

bool fw_packs_has(struct fw_packs *p, const unsigned char oid[FW_PACK_OID])
{
    struct fw_packed at;
    struct fw_mapped *hit = atomic_load(&p->last_hit);
    if (hit && !hit->gone && find_in(hit, oid, &at))
        return true;
    for (struct fw_mapped *m = atomic_load(&p->first); m; m = m->next)
        if (m != hit && !m->gone && find_in(m, oid, &at))
            return true;
    return false;
}

const struct fw_mapped *fw_packs_named(struct fw_packs *p, const char *name)
{
    return named(p, name);
}

const struct fw_mapped *fw_packs_first(struct fw_packs *p)
{
    return atomic_load(&p->first);
}

static int damaged(const struct fw_mapped *m, uint64_t at, struct fw_err *err)
{
    fw_err_set(err, FW_ECORRUPT, "pack %.12s is damaged at byte %llu", m->name,
               (unsigned long long)at);
    return fw_err_hint(err, "run `flywheel fsck`; fetch the lost objects from a clone or a backup");
}

struct head { /* of an entry, taken apart */
    int type;
    uint64_t size, data; /* data: where the zlib stream begins */
    uint64_t base;       /* of a delta; 0 = none */
};

/* Distance to the base of a delta by place: seven bits a byte, with one added at each (git's way to
 * have one spelling for each number). 0: cut off or out of range. */
static size_t base_distance(const unsigned char *p, size_t n, uint64_t *out)
{
    size_t at = 0;
    uint64_t v = 0;
    for (;;) {
        if (at == n || at == 9)
            return 0;
        unsigned char c = p[at++];
        v = v << 7 | (c & 0x7f);
        if (!(c & 0x80))
            break;
        v++;
    }
    *out = v;
    return at;
}

static int take_head(const struct fw_mapped *m, uint64_t at, struct head *h, struct fw_err *err)
{
    size_t end = m->size - FW_PACK_OID;
    if (at < FW_PACK_HEAD || at >= end)
        return damaged(m, at, err);
    const unsigned char *p = m->data + at;
    size_t n = fw_pack_head_get(p, end - (size_t)at, &h->type, &h->size);
    size_t left = end - (size_t)at - n;
    if (!n || h->size > MAX_OBJECT)
        return damaged(m, at, err);
    h->base = 0;
    if (h->type == FW_PACK_REF_DELTA) {
        struct fw_packed base;
        if (left < FW_PACK_OID)
            return damaged(m, at, err);
        if (!find_in(m, p + n, &base))
            return FW_ENOTFOUND;
        h->base = base.at;
        n += FW_PACK_OID;
    } else if (h->type == FW_PACK_OFS_DELTA) {
        uint64_t back = 0;
        size_t k = base_distance(p + n, left, &back);
        if (!k || back == 0 || back > at - FW_PACK_HEAD)
            return damaged(m, at, err);
        h->base = at - back;
        n += k;
    } else if (h->type < FW_PACK_COMMIT || h->type > FW_PACK_TAG) {
        return damaged(m, at, err);
    }
    h->data = at + n;
    return FW_OK;
}

static int inflate(const struct fw_mapped *m, struct fw_squeeze *squeeze, const struct head *h,
                   struct fw_buf *out, struct fw_err *err)
{
    fw_buf_clear(out);
    char *to = fw_buf_reserve(out, (size_t)h->size + 1);
    if (!to)
        return fw_err_nomem(err);
    struct fw_err why = {0};
    int rc = fw_squeeze_undo(squeeze, m->data + h->data, m->size - FW_PACK_OID - (size_t)h->data,
                             to, (size_t)h->size, NULL, &why);
    if (rc == FW_ENOMEM)
        return fw_err_nomem(err);
    if (rc != FW_OK)
        return damaged(m, h->data, err);
    out->len = (size_t)h->size;
    out->p[out->len] = '\0';
    return FW_OK;
}

/* Applies a delta to *out; the two buffers change places. */
static int apply(const struct fw_mapped *m, uint64_t at, const struct fw_buf *delta,
                 struct fw_buf *out, struct fw_buf *other, struct fw_err *err)
{
    uint64_t source, target;
    const unsigned char *d = (const unsigned char *)delta->p;
    if (!fw_delta_sizes(d, delta->len, &source, &target) || target > MAX_OBJECT)
        return damaged(m, at, err);
    fw_buf_clear(other);
    char *to = fw_buf_reserve(other, (size_t)target + 1);
    if (!to)
        return fw_err_nomem(err);
    if (!fw_delta_apply(d, delta->len, out->p, out->len, to, (size_t)target))
        return damaged(m, at, err);
    other->len = (size_t)target;
    other->p[other->len] = '\0';
    struct fw_buf swap = *out;
    *out = *other;
    *other = swap;
    return FW_OK;
}

int fw_mapped_read(const struct fw_mapped *m, struct fw_squeeze *squeeze, uint64_t at, int *type,
                   struct fw_buf *out, struct fw_err *err)
{
    struct fw_buf delta = {0}, other = {0};
    struct head *chain = NULL, h;
    size_t n = 0, cap = 0;
    int rc;
    while ((rc = take_head(m, at, &h, err)) == FW_OK && h.base) {
        if (n == DEPTH) {
            rc = damaged(m, at, err);
            break;
        }
        if (n == cap) {
            cap = cap ? cap * 2 : 16;
            struct head *v = realloc(chain, cap * sizeof *v);
            if (!v) {
                rc = fw_err_nomem(err);
                break;
            }
            chain = v;
        }
        chain[n++] = h;
        at = h.base;
    }
    if (rc == FW_OK)
        rc = inflate(m, squeeze, &h, out, err);
    while (rc == FW_OK && n > 0) {
        const struct head *d = &chain[--n];
        rc = inflate(m, squeeze, d, &delta, err);
        if (rc == FW_OK)
            rc = apply(m, d->data, &delta, out, &other, err);
    }
    if (rc == FW_OK)
        *type = h.type;
    free(chain);
    fw_buf_release(&delta);
    fw_buf_release(&other);
    return rc;
}

int fw_packs_read(struct fw_packs *p, const unsigned char oid[FW_PACK_OID], int *type,
                  struct fw_buf *out, struct fw_err *err)
{
    struct fw_packed at;
    if (!fw_packs_find(p, oid, &at))
        return FW_ENOTFOUND;
    return fw_mapped_read(at.pack, p->squeeze, at.at, type, out, err);
}

struct place {
    uint64_t at;
    size_t index;
};

static int by_place(const void *va, const void *vb)
{
    const struct place *a = va, *b = vb;
    return a->at < b->at ? -1 : a->at > b->at;
}

int fw_mapped_each(const struct fw_mapped *m, fw_packed_fn *fn, void *ctx, struct fw_err *err)
{
    size_t n = m->index.n;
    struct place *v = malloc((n + 1) * sizeof *v);
    int rc = v ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; v && i < n; i++)
        v[i] = (struct place){fw_index_at(&m->index, i), i};
    if (v && n)
        qsort(v, n, sizeof *v, by_place);
    for (size_t i = 0; i < n && rc == FW_OK; i++) {
        uint64_t end = i + 1 < n ? v[i + 1].at : m->size - FW_PACK_OID;
        if (v[i].at < FW_PACK_HEAD || v[i].at >= end || end > m->size - FW_PACK_OID)
            rc = damaged(m, v[i].at, err);
        else if ((m->data[v[i].at] >> 4 & 7) == FW_PACK_OFS_DELTA)
            rc = fw_err_set(err, FW_EINVAL, "pack %.12s has deltas by place", m->name);
        else
            rc = fn(ctx, m->index.oids + v[i].index * FW_PACK_OID, m->data + v[i].at,
                    (size_t)(end - v[i].at), err);
    }
    free(v);
    return rc;
}
