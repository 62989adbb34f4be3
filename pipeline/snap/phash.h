/*
 * Inside pipeline/snap: the perceptual hashes of a repository's images (stages/quality/phash.h), kept
 * in <state_dir>/phash by git id, so an image is decoded once in its life.
 */
#ifndef FW_SNAP_PHASH_H
#define FW_SNAP_PHASH_H

#include "pipeline/snap/repo.h"
#include "stages/quality/phash.h"

/* The kept hashes. An unreadable or torn file is started anew: it only saves time. */
struct fw_phashes;
int fw_phashes_open(const char *state_dir, struct fw_phashes **out, struct fw_err *err);
/* NULL when not known. Borrowed until close. */
const struct fw_phash *fw_phashes_get(const struct fw_phashes *c, const git_oid *oid);
/* Known, or computed from the bytes. *out is NULL for what is no image. */
int fw_phashes_of(struct fw_phashes *c, const git_oid *oid, const void *bytes, size_t n,
                  const struct fw_phash **out, struct fw_err *err);
/* The same for a blob of the repository. */
int fw_phashes_of_blob(struct fw_phashes *c, struct fw_repo *r, const git_oid *oid,
                       const struct fw_phash **out, struct fw_err *err);
int fw_phashes_save(struct fw_phashes *c, struct fw_err *err); /* appends what is new */
void fw_phashes_close(struct fw_phashes *c);

#endif
