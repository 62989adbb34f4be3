/* Inside pipeline/snap: the open repository, errors, objects and commits. */
#ifndef FW_SNAP_REPO_H
#define FW_SNAP_REPO_H

#include <pthread.h>

#include "pipeline/pack/reader.h"
#include "pipeline/snap/git2.h"
#include "pipeline/snap/snap.h"

struct fw_pack;

struct fw_repo {
    git_repository *git;
    git_odb *odb;
    char *state_dir;
    char *name, *email; /* of the commits */
    char *pack_dir;     /* objects/pack */
    char keep_text[40]; /* of our .keep files: "flywheel <pid>\n" */
    struct fw_squeeze *squeeze;
    pthread_mutex_t packs_lock;
    struct fw_packs *packs; /* NULL until first used */
    struct fw_kept *kept;   /* packs that git must not repack yet */
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
/* objects.c. The bytes of a blob into *out (cleared first; NUL behind them). Any thread, several at
 * once. A repack by git meanwhile is no error. FW_ECORRUPT: missing, or damaged. */
int fw_blob_read(struct fw_repo *r, const git_oid *oid, struct fw_buf *out, struct fw_err *err);
/* The repository's common .git folder, borrowed; ends in '/'. */
const char *fw_repo_common_dir(const struct fw_repo *r);
/* Looks for packs that have come or gone. Any thread. */
int fw_repo_packs_refresh(struct fw_repo *r, struct fw_err *err);
/* Notes that pack-<name>.keep is ours. */
int fw_repo_kept(struct fw_repo *r, const char *name, struct fw_err *err);
/* A ref names what was written, or nobody ever will: the .keep files go. */
void fw_repo_released(struct fw_repo *r);
/* Inside fw_repo_open() and fw_repo_close(). */
int fw_repo_objects_open(struct fw_repo *r, struct fw_err *err);
void fw_repo_objects_close(struct fw_repo *r);
/* Adds a commit to the pack. parent may be NULL. The message gets one newline at its end. */
int fw_commit_add(struct fw_repo *r, struct fw_pack *pack, const git_oid *tree,
                  const git_oid *parent, const char *message, int64_t when, git_oid *out,
                  struct fw_err *err);
/* refs/heads/flywheel/<name>; FW_EINVAL when that is no valid ref. malloc'd. */
int fw_branch_ref(const char *name, char **out, struct fw_err *err);

#endif
