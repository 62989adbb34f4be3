#include "pipeline/snap/pack.h"

#include <stdlib.h>

#include "pipeline/snap/rowspack.h"

struct fw_pack {
    struct fw_repo *r;
    struct fw_pack_writer *objects;
    struct fw_rowspack *rows;
};

int fw_pack_open(struct fw_repo *r, struct fw_pack **out, struct fw_err *err)
{
    struct fw_pack *p = calloc(1, sizeof *p);
    if (!p)
        return fw_err_nomem(err);
    p->r = r;
    int rc = fw_repo_packs_refresh(r, err);
    if (rc == FW_OK)
        rc = fw_pack_writer_open(r->pack_dir, r->squeeze, &p->objects, err);
    if (rc == FW_OK)
        rc = fw_rowspack_open(r, p->objects, &p->rows, err);
    if (rc == FW_OK)
        *out = p;
    else
        fw_pack_free(p);
    return rc;
}

void fw_pack_free(struct fw_pack *p)
{
    if (!p)
        return;
    fw_rowspack_free(p->rows);
    fw_pack_writer_free(p->objects);
    free(p);
}

/* The id, and whether the repository has the object. */
static int identify(struct fw_pack *p, git_object_t type, const void *data, size_t n, git_oid *oid,
                    bool *there, struct fw_err *err)
{
    int grc = git_odb_hash(oid, data, n, type);
    if (grc != 0)
        return fw_git_fail(err, grc, "cannot hash an object");
    /* no refresh: a miss is the rule here, and each would list the pack folder again */
    *there = fw_packs_has(p->r->packs, oid->id) ||
             git_odb_exists_ext(p->r->odb, oid, GIT_ODB_LOOKUP_NO_REFRESH);
    return FW_OK;
}

int fw_pack_add(struct fw_pack *p, git_object_t type, const void *data, size_t n, git_oid *out,
                struct fw_err *err)
{
    git_oid oid;
    bool there = false;
    int rc = identify(p, type, data, n, &oid, &there, err);
    if (rc == FW_OK && !there)
        rc = fw_pack_writer_add(p->objects, (int)type, oid.id, data, n, err);
    if (rc == FW_OK)
        *out = oid;
    return rc;
}

int fw_pack_add_rows(struct fw_pack *p, const struct fw_version *old, const void *data, size_t n,
                     git_oid *out, struct fw_err *err)
{
    git_oid oid;
    bool there = false;
    int rc = identify(p, GIT_OBJECT_BLOB, data, n, &oid, &there, err);
    if (rc == FW_OK && !there)
        rc = fw_rowspack_add(p->rows, &oid, old, data, n, err);
    if (rc == FW_OK)
        *out = oid;
    return rc;
}

void fw_pack_want(struct fw_pack *p, const git_oid *oid, bool wanted)
{
    fw_pack_writer_want(p->objects, oid->id, wanted);
}

int fw_pack_finish(struct fw_pack *p, struct fw_err *err)
{
    char name[FW_PACK_NAME] = "";
    int rc = fw_rowspack_finish(p->rows, err);
    if (rc == FW_OK)
        rc = fw_pack_writer_finish(p->objects, p->r->keep_text, name, err);
    if (rc == FW_OK && *name)
        rc = fw_repo_kept(p->r, name, err);
    if (rc == FW_OK)
        rc = fw_repo_packs_refresh(p->r, err);
    int grc = rc == FW_OK ? git_odb_refresh(p->r->odb) : 0;
    return grc == 0 ? rc : fw_git_fail(err, grc, "cannot read the new pack");
}
