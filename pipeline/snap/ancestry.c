#include "pipeline/snap/repo.h"

int fw_repo_descends(struct fw_repo *r, const char *oid, const char *ancestor, bool *out,
                     struct fw_err *err)
{
    git_oid at, wanted;
    int rc = fw_oid_parse(oid, &at, err);
    if (rc == FW_OK)
        rc = fw_oid_parse(ancestor, &wanted, err);
    if (rc != FW_OK)
        return rc;
    for (;;) {
        git_commit *commit = NULL;
        if (git_oid_equal(&at, &wanted)) {
            *out = true;
            return FW_OK;
        }
        int grc = git_commit_lookup(&commit, r->git, &at);
        if (grc != 0)
            return fw_git_fail(err, grc, "cannot read the history of %.12s", oid);
        bool root = git_commit_parentcount(commit) == 0;
        if (!root)
            at = *git_commit_parent_id(commit, 0);
        git_commit_free(commit);
        if (root) {
            *out = false;
            return FW_OK;
        }
    }
}

int fw_repo_ref(struct fw_repo *r, const char *ref, char oid[FW_OID_HEX], struct fw_err *err)
{
    git_oid id;
    int grc = git_reference_name_to_id(&id, r->git, ref);
    if (grc == GIT_ENOTFOUND)
        return fw_err_set(err, FW_ENOTFOUND, "there is no ref %s", ref);
    if (grc != 0)
        return fw_git_fail(err, grc, "cannot read %s", ref);
    fw_oid_hex(&id, oid);
    return FW_OK;
}
