/*
 * All new objects of one snapshot, as one pack.
 *
 *     fw_pack_open(r, &pack, err);
 *     fw_pack_add(pack, GIT_OBJECT_BLOB, data, n, &oid, err);     // as often as needed
 *     fw_pack_finish(pack, err);                                  // on disk, synced, readable
 *     fw_pack_free(pack);
 *
 * Objects that the repository has, or that were added before, are not written again. Entries are
 * deflated as they come and kept in memory up to some megabytes, then in a file without a name
 * in the state folder; finish() streams them into libgit2's indexer, which checks every object and
 * syncs pack and index before they get their names. So refs may move only after finish().
 */
#ifndef FW_SNAP_PACK_H
#define FW_SNAP_PACK_H

#include "pipeline/snap/repo.h"

int fw_pack_open(struct fw_repo *r, struct fw_pack **out, struct fw_err *err);
int fw_pack_add(struct fw_pack *p, git_object_t type, const void *data, size_t n, git_oid *out,
                struct fw_err *err);
/* Leaves out, or takes back in, an object that was added to this pack. */
void fw_pack_want(struct fw_pack *p, const git_oid *oid, bool wanted);
int fw_pack_finish(struct fw_pack *p, struct fw_err *err);
void fw_pack_free(struct fw_pack *p);

#endif
