/* Inside pipeline/snap: the rows pack (what it is: pack.h). */
#ifndef FW_SNAP_ROWSPACK_H
#define FW_SNAP_ROWSPACK_H

#include "pipeline/pack/writer.h"
#include "pipeline/snap/pack.h"

struct fw_rowspack;

/* objects: where shards go when there are too few of them for a pack of their own; borrowed. */
int fw_rowspack_open(struct fw_repo *r, struct fw_pack_writer *objects, struct fw_rowspack **out,
                     struct fw_err *err);
/* Any thread. */
int fw_rowspack_add(struct fw_rowspack *p, const git_oid *oid, const struct fw_version *old,
                    const void *data, size_t n, struct fw_err *err);
/* Writes what there is and puts it in the old one's place. Call before `objects` is finished. */
int fw_rowspack_finish(struct fw_rowspack *p, struct fw_err *err);
void fw_rowspack_free(struct fw_rowspack *p);
/* The name of the rows pack that a repository has; "" when none is known. */
int fw_rowspack_name(struct fw_repo *r, char name[FW_PACK_NAME], struct fw_err *err);
/* Held (with flock, on *fd, until that is closed) by who puts packs in the place of others: writers in
 * other processes do it one after the other. */
int fw_rows_lock(struct fw_repo *r, int *fd, struct fw_err *err);
/* Removes a pack all of whose objects another has. Readers that have it open keep it. */
void fw_pack_remove(const struct fw_repo *r, const char *name);

#endif
