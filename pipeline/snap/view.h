/* Inside pipeline/snap: the pool of unpacked contents that views link to. */
#ifndef FW_SNAP_VIEW_H
#define FW_SNAP_VIEW_H

#include "pipeline/snap/snapshot.h"

/* Writes the blob to dir/name below `root` (folders are made), read-only as a link into the pool
 * or, with `own`, as a writable file of its own. */
int fw_blob_place(struct fw_repo *r, const git_oid *oid, const char *root, const char *name,
                  bool own, struct fw_err *err);
/* Everything written below path is on disk after this. */
int fw_sync_all(const char *path, struct fw_err *err);

#endif
