/*
 * All new objects of one snapshot.
 *
 *     fw_pack_open(r, &pack, err);
 *     fw_pack_add(pack, GIT_OBJECT_BLOB, data, n, &oid, err);     // as often as needed
 *     fw_pack_finish(pack, err);                                  // on disk, synced, readable
 *     fw_pack_free(pack);
 *
 * Objects that the repository has, or that were added before, are not written again. They go into one
 * pack (pipeline/pack/writer.h), which git sees when it is whole. Refs may move only after finish().
 * Until then, and until the ref has moved, .keep files hold git's repacking off (fw_repo_released()).
 *
 * Shards of rows have a pack of their own, the rows pack, because a patch that changes a row in a
 * hundred changes nearly every shard. In it a new version of a shard is a delta against the one before,
 * so a version costs what it changed. As git wants a delta's base in the same pack, the rows pack is
 * written anew with the new versions behind the old ones (bytes are copied, not deflated again) and
 * takes the old one's place. After ROWS_GENERATIONS of that a new one is begun, with whole shards, so
 * that neither the file nor the chains of deltas grow for ever. <git dir>/flywheel/rows says which pack
 * it is; when that is lost or git has repacked, the next versions are written whole.
 */
#ifndef FW_SNAP_PACK_H
#define FW_SNAP_PACK_H

#include "pipeline/snap/repo.h"

int fw_pack_open(struct fw_repo *r, struct fw_pack **out, struct fw_err *err);
/* Any thread, several at once. */
int fw_pack_add(struct fw_pack *p, git_object_t type, const void *data, size_t n, git_oid *out,
                struct fw_err *err);

struct fw_version { /* a shard as it was: borrowed for the call */
    git_oid oid;
    const char *data;
    size_t n;
};
/* Adds a shard of rows, as a change of `old` (may be NULL) where that is shorter. Any thread. */
int fw_pack_add_rows(struct fw_pack *p, const struct fw_version *old, const void *data, size_t n,
                     git_oid *out, struct fw_err *err);
/* Leaves out, or takes back in, an object that was added with fw_pack_add(). */
void fw_pack_want(struct fw_pack *p, const git_oid *oid, bool wanted);
int fw_pack_finish(struct fw_pack *p, struct fw_err *err);
void fw_pack_free(struct fw_pack *p);

#endif
