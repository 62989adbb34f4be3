/* Reading objects from many threads, and the .keep files of packs that no ref names yet. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/fs.h"
#include "pipeline/snap/repo.h"

struct fw_kept {
    struct fw_kept *next;
    char name[FW_PACK_NAME];
};

const char *fw_repo_common_dir(const struct fw_repo *r)
{
    return git_repository_commondir(r->git);
}

int fw_repo_objects_open(struct fw_repo *r, struct fw_err *err)
{
    struct fw_buf dir = {0};
    if (!(r->squeeze = fw_squeeze_new()))
        return fw_err_nomem(err);
    if (pthread_mutex_init(&r->packs_lock, NULL) != 0) {
        fw_squeeze_free(r->squeeze);
        r->squeeze = NULL;
        return fw_err_nomem(err);
    }
    fw_buf_printf(&dir, "%sobjects/pack", fw_repo_common_dir(r));
    r->pack_dir = fw_buf_steal(&dir);
    snprintf(r->keep_text, sizeof r->keep_text, "flywheel %ld\n", (long)getpid());
    return r->pack_dir ? FW_OK : fw_err_nomem(err);
}

void fw_repo_objects_close(struct fw_repo *r)
{
    if (!r->squeeze) /* never opened */
        return;
    fw_repo_released(r);
    fw_packs_close(r->packs);
    fw_squeeze_free(r->squeeze);
    pthread_mutex_destroy(&r->packs_lock);
    free(r->pack_dir);
}

/* Opening maps every pack, so it waits until someone reads. */
static int packs(struct fw_repo *r, bool refresh, struct fw_packs **out, struct fw_err *err)
{
    int rc = FW_OK;
    pthread_mutex_lock(&r->packs_lock);
    bool opened = r->packs != NULL;
    if (!opened)
        rc = fw_packs_open(r->pack_dir, r->squeeze, &r->packs, err);
    *out = r->packs;
    pthread_mutex_unlock(&r->packs_lock);
    return rc == FW_OK && opened && refresh ? fw_packs_refresh(*out, err) : rc;
}

int fw_repo_packs_refresh(struct fw_repo *r, struct fw_err *err)
{
    struct fw_packs *p;
    return packs(r, true, &p, err);
}

/* Loose objects, borrowed folders and whatever else git knows. */
static int read_by_libgit2(struct fw_repo *r, const git_oid *oid, struct fw_buf *out,
                           struct fw_err *err)
{
    git_odb_object *o = NULL;
    int rc = fw_object_read(r, oid, GIT_OBJECT_BLOB, &o, err);
    if (rc != FW_OK)
        return rc;
    fw_buf_clear(out);
    fw_buf_add(out, git_odb_object_data(o), git_odb_object_size(o));
    fw_buf_add(out, "", 0);
    git_odb_object_free(o);
    return out->failed ? fw_err_nomem(err) : FW_OK;
}

int fw_blob_read(struct fw_repo *r, const git_oid *oid, struct fw_buf *out, struct fw_err *err)
{
    struct fw_packs *p;
    int type = 0, rc = packs(r, false, &p, err);
    if (rc != FW_OK)
        return rc;
    rc = fw_packs_read(p, oid->id, &type, out, err);
    if (rc == FW_ENOTFOUND && (rc = fw_packs_refresh(p, err)) == FW_OK)
        rc = fw_packs_read(p, oid->id, &type, out, err);
    if (rc == FW_ENOTFOUND)
        return read_by_libgit2(r, oid, out, err);
    if (rc == FW_OK && type != FW_PACK_BLOB) {
        char hex[FW_OID_HEX];
        fw_oid_hex(oid, hex);
        return fw_err_set(err, FW_ECORRUPT, "object %s is not of the kind it should be", hex);
    }
    return rc;
}

int fw_repo_kept(struct fw_repo *r, const char *name, struct fw_err *err)
{
    struct fw_kept *k = calloc(1, sizeof *k);
    if (!k)
        return fw_err_nomem(err);
    memcpy(k->name, name, sizeof k->name);
    k->next = r->kept;
    r->kept = k;
    return FW_OK;
}

void fw_repo_released(struct fw_repo *r)
{
    char path[PATH_MAX + 64];
    for (struct fw_kept *k = r->kept, *next; k; k = next) {
        next = k->next;
        snprintf(path, sizeof path, "%s/pack-%s.keep", r->pack_dir, k->name);
        unlink(path);
        free(k);
    }
    r->kept = NULL;
}
