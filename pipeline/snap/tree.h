/* Inside pipeline/snap: git trees made from lists of paths, and lists of paths from git trees. */
#ifndef FW_SNAP_TREE_H
#define FW_SNAP_TREE_H

#include "pipeline/base/arena.h"
#include "pipeline/snap/repo.h"

struct fw_change {
    const char *path;
    git_oid oid; /* of a blob */
    bool remove;
};

/* The tree `base` (NULL = empty) with the changes made; only trees on the way to a change are
 * written. Sorts the changes by path. A tree left empty is left out, the root excepted. A path both
 * named as a file and used as a folder is FW_EINVAL. */
int fw_tree_update(struct fw_repo *r, struct fw_pack *pack, const git_oid *base,
                   struct fw_change *changes, size_t n, git_oid *out, struct fw_err *err);

/* The entry `name` of a tree: 0 and its id, FW_ENOTFOUND (without a message) when absent. */
int fw_tree_entry(struct fw_repo *r, const git_oid *tree, const char *name, git_object_t type,
                  git_oid *out, struct fw_err *err);

/* All blobs below a tree, sorted by path (bytes). */
struct fw_file {
    const char *path;
    git_oid oid;
};
struct fw_files {
    struct fw_arena arena;
    struct fw_file *v;
    size_t n, cap;
};
int fw_files_load(struct fw_repo *r, const git_oid *tree, struct fw_files *out, struct fw_err *err);
const struct fw_file *fw_files_find(const struct fw_files *files, const char *path);
/* Is there a file below path/, or a file that is a folder on the way to path? */
bool fw_files_clash(const struct fw_files *files, const char *path);
void fw_files_release(struct fw_files *files);

#endif
