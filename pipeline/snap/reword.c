/* A snapshot again with more said about it: the same tree and parent, the message with more trailers. */
#include <string.h>

#include "pipeline/snap/pack.h"
#include "pipeline/snap/repo.h"

int fw_snap_reword(struct fw_repo *r, const char *oid, const char *trailers, int64_t when,
                   char out[FW_OID_HEX], struct fw_err *err)
{
    git_oid id, made;
    git_commit *commit = NULL;
    struct fw_pack *pack = NULL;
    struct fw_buf message = {0};
    int rc = fw_oid_parse(oid, &id, err);
    if (rc != FW_OK)
        return rc;
    int grc = git_commit_lookup(&commit, r->git, &id);
    if (grc != 0)
        return fw_git_fail(err, grc, "cannot read commit %.12s", oid);
    const char *old = git_commit_message(commit);
    size_t n = strlen(old);
    while (n && old[n - 1] == '\n')
        n--;
    fw_buf_add(&message, old, n);
    fw_buf_printf(&message, "\n%s", trailers);
    rc = message.failed ? fw_err_nomem(err) : fw_pack_open(r, &pack, err);
    if (rc == FW_OK)
        rc = fw_commit_add(r, pack, git_commit_tree_id(commit),
                           git_commit_parentcount(commit) ? git_commit_parent_id(commit, 0) : NULL,
                           message.p, when, &made, err);
    if (rc == FW_OK)
        rc = fw_pack_finish(pack, err);
    if (rc == FW_OK)
        fw_oid_hex(&made, out);
    fw_pack_free(pack);
    git_commit_free(commit);
    fw_buf_release(&message);
    return rc;
}
