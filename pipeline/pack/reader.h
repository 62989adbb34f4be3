/*
 * The packs of a repository, mapped into memory and read from many threads at once.
 *
 * Finds objects in packs with an index of version 2; loose objects, other indexes and borrowed object
 * folders are for libgit2 to read. An object's bytes are checked by the checksum of its zlib stream and
 * by sizes, as git checks them; not by its id (`flywheel fsck` does that).
 *
 * Packs that disappear (repacked by git) stay mapped, so what was found can still be read. A pack that
 * came later is found after fw_packs_refresh(), which looks at the folder only when it has changed.
 */
#ifndef FW_PACK_READER_H
#define FW_PACK_READER_H

#include <stdbool.h>

#include "pipeline/pack/format.h"
#include "pipeline/pack/index.h"
#include "pipeline/pack/squeeze.h"

struct fw_packs;

struct fw_packed { /* where an object lies; valid while the fw_packs is open */
    const struct fw_mapped *pack;
    uint64_t at;
};

struct fw_mapped { /* one pack */
    char name[FW_PACK_NAME];
    const unsigned char *data; /* the whole file */
    size_t size;
    const unsigned char *index_data;
    size_t index_size;
    struct fw_index index;
    _Atomic bool gone; /* not in the folder any more: read from, but not counted on */
    struct fw_mapped *next;
};

/* dir: objects/pack; it need not be there. squeeze is borrowed. */
int fw_packs_open(const char *dir, struct fw_squeeze *squeeze, struct fw_packs **out,
                  struct fw_err *err);
void fw_packs_close(struct fw_packs *p);
/* All of these: any thread. */
int fw_packs_refresh(struct fw_packs *p, struct fw_err *err);
bool fw_packs_find(struct fw_packs *p, const unsigned char oid[FW_PACK_OID], struct fw_packed *out);
/* Is it in a pack that is still in the folder, as far as the last look tells? */
bool fw_packs_has(struct fw_packs *p, const unsigned char oid[FW_PACK_OID]);
/* The pack of that name, or NULL. */
const struct fw_mapped *fw_packs_named(struct fw_packs *p, const char *name);
/* The first pack, then ->next: those known now. */
const struct fw_mapped *fw_packs_first(struct fw_packs *p);
/* The object's bytes into *out (cleared first) and its kind. FW_ENOTFOUND (without a message): in no
 * pack known, or a delta whose base is not in its pack; FW_ECORRUPT. */
int fw_packs_read(struct fw_packs *p, const unsigned char oid[FW_PACK_OID], int *type,
                  struct fw_buf *out, struct fw_err *err);
/* Calls fn for each entry of a pack, in the order of their places: its bytes as they stand. A pack of
 * which an entry is a delta by place (not by id) is FW_EINVAL, for its entries cannot be moved. */
typedef int fw_packed_fn(void *ctx, const unsigned char oid[FW_PACK_OID],
                         const unsigned char *entry, size_t n, struct fw_err *err);
int fw_mapped_each(const struct fw_mapped *pack, fw_packed_fn *fn, void *ctx, struct fw_err *err);

/* The parts, for tests and fuzzing: an object out of a pack in memory. depth is bounded. */
int fw_mapped_read(const struct fw_mapped *pack, struct fw_squeeze *squeeze, uint64_t at, int *type,
                   struct fw_buf *out, struct fw_err *err);

#endif
