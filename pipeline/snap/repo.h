/* Inside pipeline/snap: the open repository, errors, objects and commits. */
#ifndef FW_SNAP_REPO_H
#define FW_SNAP_REPO_H

#include "pipeline/snap/git2.h"
#include "pipeline/snap/snap.h"

struct fw_pack;

struct fw_repo {
    git_repository *git;
    git_odb *odb;
    char *state_dir;
    char *name, *email; /* of the commits */
};

/* Fills err from libgit2's last error behind "<what>: "; the code tells not found, moved, corrupt
 * and system errors apart. rc is what the libgit2 function returned. */
int fw_git_fail(struct fw_err *err, int rc, const char *fmt, ...) FW_PRINTF(3, 4);
int fw_oid_parse(const char *hex, git_oid *out, struct fw_err *err);
void fw_oid_hex(const git_oid *oid, char hex[FW_OID_HEX]);
/* Reads one object, checked against its id and to be of this kind. Free with git_odb_object_free().
 */
int fw_object_read(struct fw_repo *r, const git_oid *oid, git_object_t type, git_odb_object **out,
                   struct fw_err *err);
/* Adds a commit to the pack. parent may be NULL. The message gets one newline at its end. */
int fw_commit_add(struct fw_repo *r, struct fw_pack *pack, const git_oid *tree,
                  const git_oid *parent, const char *message, int64_t when, git_oid *out,
                  struct fw_err *err);
/* refs/heads/flywheel/<name>; FW_EINVAL when that is no valid ref. malloc'd. */
int fw_branch_ref(const char *name, char **out, struct fw_err *err);

#endif
