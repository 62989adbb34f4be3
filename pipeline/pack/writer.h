/*
 * One new pack with its index, streamed into a repository's objects/pack.
 *
 *     fw_pack_writer_open(dir, squeeze, &w, err);
 *     fw_pack_writer_add(w, FW_PACK_BLOB, oid, data, n, err);     // as often as needed, any thread
 *     fw_pack_writer_finish(w, keep, name, err);                  // on disk, synced, visible to git
 *     fw_pack_writer_free(w);                                     // removes what was not finished
 *
 * The file grows under a name that git takes no notice of (.flywheel-<pid>-XXXXXX) and gets its own
 * name last, behind its index; so what a killed writer leaves is never taken for a pack. Threads write
 * at places of their own without waiting for one another; the order of the entries says nothing.
 * The caller vouches for the ids: that each is the hash of its bytes.
 */
#ifndef FW_PACK_WRITER_H
#define FW_PACK_WRITER_H

#include <stdbool.h>

#include "pipeline/pack/reader.h"

struct fw_pack_writer;

/* dir: objects/pack, made when it is not there. squeeze is borrowed. */
int fw_pack_writer_open(const char *dir, struct fw_squeeze *squeeze, struct fw_pack_writer **out,
                        struct fw_err *err);
/* Each of these: any thread; an object that is there already is left as it is (and wanted again). */
int fw_pack_writer_add(struct fw_pack_writer *w, int type, const unsigned char oid[FW_PACK_OID],
                       const void *data, size_t n, struct fw_err *err);
/* delta against `base`, which must come into this pack too. */
int fw_pack_writer_delta(struct fw_pack_writer *w, const unsigned char oid[FW_PACK_OID],
                         const unsigned char base[FW_PACK_OID], const void *delta, size_t n,
                         struct fw_err *err);
/* All entries of another pack as they stand; FW_EINVAL: one of them cannot be moved (fw_mapped_each()). */
int fw_pack_writer_copy(struct fw_pack_writer *w, const struct fw_mapped *from, struct fw_err *err);
/* Leaves out, or takes back in, an object that was added. Not while others add. */
void fw_pack_writer_want(struct fw_pack_writer *w, const unsigned char oid[FW_PACK_OID],
                         bool wanted);
/* Objects that are wanted, and the bytes that all entries take. */
size_t fw_pack_writer_count(const struct fw_pack_writer *w);
uint64_t fw_pack_writer_bytes(const struct fw_pack_writer *w);
/* Everything durable, then visible as pack-<name>.pack and .idx. keep (may be NULL): the text of a
 * .keep file, there before the pack is, so that no repacking of git's throws out what no ref names
 * yet. name is "" when there is nothing to write. */
int fw_pack_writer_finish(struct fw_pack_writer *w, const char *keep, char name[FW_PACK_NAME],
                          struct fw_err *err);
void fw_pack_writer_free(struct fw_pack_writer *w);

#endif
