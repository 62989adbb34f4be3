/* Many small packs into one: each snapshot writes its own, and git slows down with their number. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/fs.h"
#include "pipeline/snap/rowspack.h"

static const size_t SMALL = (size_t)64 << 20; /* larger packs stay as they are */

struct list {
    const struct fw_mapped **v;
    size_t n, cap;
};

static int nothing(void *ctx, const unsigned char oid[FW_PACK_OID], const unsigned char *entry,
                   size_t n, struct fw_err *err)
{
    (void)ctx;
    (void)oid;
    (void)entry;
    (void)n;
    (void)err;
    return FW_OK;
}

static bool is_kept(const struct fw_repo *r, const struct fw_mapped *m)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/pack-%s.keep", r->pack_dir, m->name);
    return fw_fs_exists(path);
}

/* The packs that may be merged: small, of entries that can be moved, wanted by nobody in particular. */
static int gather(struct fw_repo *r, struct list *l, struct fw_err *err)
{
    char rows[FW_PACK_NAME];
    int rc = fw_rowspack_name(r, rows, err);
    for (const struct fw_mapped *m = fw_packs_first(r->packs); m && rc == FW_OK; m = m->next) {
        if (m->gone || m->size >= SMALL || !strcmp(m->name, rows) || is_kept(r, m) ||
            fw_mapped_each(m, nothing, NULL, NULL) != FW_OK)
            continue;
        if (l->n == l->cap) {
            size_t cap = l->cap ? l->cap * 2 : 64;
            const struct fw_mapped **v = realloc(l->v, cap * sizeof *v);
            if (!v)
                return fw_err_nomem(err);
            l->v = v;
            l->cap = cap;
        }
        l->v[l->n++] = m;
    }
    return rc;
}

static int merge(struct fw_repo *r, const struct list *l, struct fw_err *err)
{
    struct fw_pack_writer *w = NULL;
    char name[FW_PACK_NAME] = "";
    int rc = fw_pack_writer_open(r->pack_dir, r->squeeze, &w, err);
    for (size_t i = 0; i < l->n && rc == FW_OK; i++)
        rc = fw_pack_writer_copy(w, l->v[i], err);
    if (rc == FW_OK)
        rc = fw_pack_writer_finish(w, NULL, name, err);
    for (size_t i = 0; i < l->n && rc == FW_OK; i++)
        if (strcmp(l->v[i]->name, name) != 0)
            fw_pack_remove(r, l->v[i]->name);
    fw_pack_writer_free(w);
    return rc;
}

int fw_repo_tidy_packs(struct fw_repo *r, size_t more_than, size_t *merged, struct fw_err *err)
{
    struct list l = {0};
    int fd = -1, rc = fw_rows_lock(r, &fd, err);
    *merged = 0;
    if (rc == FW_OK)
        rc = fw_repo_packs_refresh(r, err);
    if (rc == FW_OK)
        rc = gather(r, &l, err);
    if (rc == FW_OK && l.n > more_than && l.n > 1) {
        rc = merge(r, &l, err);
        *merged = rc == FW_OK ? l.n : 0;
    }
    if (rc == FW_OK)
        rc = fw_repo_packs_refresh(r, err);
    if (fd >= 0)
        close(fd);
    free(l.v);
    return rc;
}
