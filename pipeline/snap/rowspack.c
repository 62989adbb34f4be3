#include "pipeline/snap/rowspack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "pipeline/base/fs.h"
#include "pipeline/pack/delta.h"

enum {
    ROWS_GENERATIONS = 24,
    HELD_MAX = 4 << 20,  /* bytes of shards held back until it is clear where they go */
    OWN_PACK = 256 << 10 /* fewer bytes of shards are not worth a pack of their own */
};

struct held { /* a shard whose place is not decided */
    git_oid oid, base;
    char *data, *delta; /* delta: NULL = none */
    size_t n, n_delta;
    struct held *next;
};

struct fw_rowspack {
    struct fw_repo *r;
    struct fw_pack_writer *objects, *rows;
    const struct fw_mapped *now; /* the rows pack there is, or NULL */
    int generation;
    pthread_mutex_t lock; /* of what follows */
    struct held *held;
    size_t held_bytes;
    bool decided; /* they go into the rows pack */
    bool deltas;  /* there are some, so it must hold what is in `now` */
};

static int state_path(const struct fw_repo *r, const char *name, char out[PATH_MAX],
                      struct fw_err *err)
{
    int n = snprintf(out, PATH_MAX, "%sflywheel/%s", fw_repo_common_dir(r), name);
    return n > 0 && n < PATH_MAX
               ? FW_OK
               : fw_err_set(err, FW_EINVAL, "path too long: %s", fw_repo_common_dir(r));
}

static int read_state(const struct fw_repo *r, char name[FW_PACK_NAME], int *generation,
                      struct fw_err *err)
{
    char path[PATH_MAX];
    struct fw_buf text = {0};
    int rc = state_path(r, "rows", path, err);
    bool known = rc == FW_OK && fw_fs_exists(path) && fw_fs_read(path, 200, &text, NULL) == FW_OK &&
                 text.p && sscanf(text.p, "%40[0-9a-f] %d", name, generation) == 2;
    if (!known)
        name[0] = '\0';
    fw_buf_release(&text);
    return rc;
}

int fw_rowspack_name(struct fw_repo *r, char name[FW_PACK_NAME], struct fw_err *err)
{
    int generation;
    return read_state(r, name, &generation, err);
}

/* The rows pack and its generation, as far as they are known and there. */
static int find_now(struct fw_rowspack *p, struct fw_err *err)
{
    char name[FW_PACK_NAME];
    int generation = 0, rc = read_state(p->r, name, &generation, err);
    const struct fw_mapped *m = rc == FW_OK && *name ? fw_packs_named(p->r->packs, name) : NULL;
    if (m && !m->gone && generation >= 0 && generation < ROWS_GENERATIONS) {
        p->now = m;
        p->generation = generation;
    }
    return rc;
}

int fw_rowspack_open(struct fw_repo *r, struct fw_pack_writer *objects, struct fw_rowspack **out,
                     struct fw_err *err)
{
    struct fw_rowspack *p = calloc(1, sizeof *p);
    if (!p || pthread_mutex_init(&p->lock, NULL) != 0) {
        free(p);
        return fw_err_nomem(err);
    }
    p->r = r;
    p->objects = objects;
    int rc = fw_pack_writer_open(r->pack_dir, r->squeeze, &p->rows, err);
    if (rc == FW_OK)
        rc = find_now(p, err);
    if (rc == FW_OK)
        *out = p;
    else
        fw_rowspack_free(p);
    return rc;
}

static void held_free(struct held *h)
{
    if (!h)
        return;
    free(h->data);
    free(h->delta);
    free(h);
}

void fw_rowspack_free(struct fw_rowspack *p)
{
    if (!p)
        return;
    for (struct held *h = p->held, *next; h; h = next) {
        next = h->next;
        held_free(h);
    }
    fw_pack_writer_free(p->rows);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static int write_held(struct fw_pack_writer *to, const struct held *h, bool as_delta,
                      struct fw_err *err)
{
    return as_delta && h->delta
               ? fw_pack_writer_delta(to, h->oid.id, h->base.id, h->delta, h->n_delta, err)
               : fw_pack_writer_add(to, FW_PACK_BLOB, h->oid.id, h->data, h->n, err);
}

/* Too much to hold back: this patch is for the rows pack. */
static int let_go(struct fw_rowspack *p, struct held *list, struct fw_err *err)
{
    int rc = FW_OK;
    for (struct held *h = list, *next; h; h = next) {
        next = h->next;
        if (rc == FW_OK)
            rc = write_held(p->rows, h, true, err);
        held_free(h);
    }
    return rc;
}

/* Holds a shard back, or gives *list, all that are to be written now. */
static int hold(struct fw_rowspack *p, const git_oid *oid, const git_oid *base, const void *data,
                size_t n, struct fw_buf *delta, struct held **list, struct fw_err *err)
{
    struct held *h = calloc(1, sizeof *h);
    if (!h || !(h->data = malloc(n ? n : 1))) {
        held_free(h);
        return fw_err_nomem(err);
    }
    memcpy(h->data, data, n);
    h->n = n;
    h->oid = *oid;
    if (delta->len) {
        h->base = *base;
        h->n_delta = delta->len;
        if (!(h->delta = fw_buf_steal(delta))) {
            held_free(h);
            return fw_err_nomem(err);
        }
    }
    pthread_mutex_lock(&p->lock);
    h->next = p->held;
    p->held = h;
    p->held_bytes += n;
    p->deltas = p->deltas || h->delta;
    if (p->decided || p->held_bytes > HELD_MAX) {
        p->decided = true;
        *list = p->held;
        p->held = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    return FW_OK;
}

/* A base must lie in the rows pack there is. */
static bool has_base(const struct fw_rowspack *p, const struct fw_version *old)
{
    return old && p->now && fw_index_find(&p->now->index, old->oid.id) >= 0;
}

int fw_rowspack_add(struct fw_rowspack *p, const git_oid *oid, const struct fw_version *old,
                    const void *data, size_t n, struct fw_err *err)
{
    struct fw_buf delta = {0};
    struct held *list = NULL;
    bool is_delta = has_base(p, old) && fw_delta_make(old->data, old->n, data, n, n / 4, &delta);
    int rc = delta.failed ? fw_err_nomem(err) : FW_OK;
    pthread_mutex_lock(&p->lock);
    bool decided = p->decided;
    p->deltas = p->deltas || (decided && is_delta);
    pthread_mutex_unlock(&p->lock);
    if (rc == FW_OK && !decided)
        rc = hold(p, oid, old ? &old->oid : NULL, data, n, &delta, &list, err);
    else if (rc == FW_OK && is_delta)
        rc = fw_pack_writer_delta(p->rows, oid->id, old->oid.id, delta.p, delta.len, err);
    else if (rc == FW_OK)
        rc = fw_pack_writer_add(p->rows, FW_PACK_BLOB, oid->id, data, n, err);
    fw_buf_release(&delta);
    return rc == FW_OK && list ? let_go(p, list, err) : rc;
}

static int write_state(struct fw_rowspack *p, const char *name, int generation, struct fw_err *err)
{
    char path[PATH_MAX], text[80];
    int rc = state_path(p->r, "rows", path, err);
    int n = snprintf(text, sizeof text, "%s %d\n", name, generation);
    return rc == FW_OK ? fw_fs_write_atomic(path, text, (size_t)n, err) : rc;
}

void fw_pack_remove(const struct fw_repo *r, const char *name)
{
    static const char *const ends[] = {"idx", "pack", "keep"};
    char path[PATH_MAX + 64];
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(path, sizeof path, "%s/pack-%s.%s", r->pack_dir, name, ends[i]);
        unlink(path);
    }
}

int fw_rows_lock(struct fw_repo *r, int *fd, struct fw_err *err)
{
    char path[PATH_MAX];
    int rc = state_path(r, "", path, err);
    if (rc == FW_OK)
        rc = fw_fs_mkdirs(path, err);
    if (rc == FW_OK)
        rc = state_path(r, "lock", path, err);
    if (rc != FW_OK)
        return rc;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0)
        return fw_err_sys(err, errno, "cannot open %s", path);
    while (flock(*fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return fw_err_sys(err, errno, "cannot lock %s", path);
    return FW_OK;
}

static int publish(struct fw_rowspack *p, struct fw_err *err)
{
    char name[FW_PACK_NAME], old[FW_PACK_NAME] = "";
    /* the entries come from the pack that the deltas were made for: it stays mapped even when another
     * writer has put its own in its place meanwhile */
    int rc = p->deltas ? fw_pack_writer_copy(p->rows, p->now, err) : FW_OK;
    if (rc == FW_OK)
        rc = fw_pack_writer_finish(p->rows, p->r->keep_text, name, err);
    if (rc != FW_OK || !*name)
        return rc;
    rc = fw_repo_kept(p->r, name, err);
    if (p->now)
        memcpy(old, p->now->name, sizeof old);
    int generation = p->deltas ? p->generation + 1 : 0;
    if (rc == FW_OK)
        rc = write_state(p, name, generation, err);
    if (rc == FW_OK && p->deltas && strcmp(old, name) != 0)
        fw_pack_remove(p->r, old);
    return rc;
}

/* Are the shards held back worth the copying of the rows pack, or a pack of their own? */
static bool worth_it(const struct fw_rowspack *p)
{
    return p->now ? p->deltas && p->held_bytes * 2 > p->now->size : p->held_bytes >= OWN_PACK;
}

int fw_rowspack_finish(struct fw_rowspack *p, struct fw_err *err)
{
    int fd = -1, rc = FW_OK;
    bool own = p->decided || worth_it(p);
    if (!own)
        p->deltas = false;
    for (struct held *h = p->held, *next; h; h = next) {
        next = h->next;
        if (rc == FW_OK)
            rc = write_held(own ? p->rows : p->objects, h, own, err);
        held_free(h);
    }
    p->held = NULL;
    if (rc != FW_OK || !own)
        return rc;
    rc = fw_rows_lock(p->r, &fd, err);
    if (rc == FW_OK)
        rc = publish(p, err);
    if (fd >= 0)
        close(fd);
    return rc;
}
