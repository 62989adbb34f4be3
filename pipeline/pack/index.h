/* A pack's index, version 2 (gitformat-pack): which objects, where, and their checksums. Pure but for
 * the digest. */
#ifndef FW_PACK_INDEX_H
#define FW_PACK_INDEX_H

#include <stdbool.h>

#include "pipeline/base/buf.h"
#include "pipeline/pack/format.h"

struct fw_index_entry {
    unsigned char oid[FW_PACK_OID];
    uint32_t crc; /* CRC-32 of the entry as it stands in the pack */
    uint64_t at;  /* where it begins */
};

/* Appends the whole index. Sorts the entries by id. pack_sha: the pack's own checksum. */
int fw_index_write(struct fw_index_entry *v, size_t n, const unsigned char pack_sha[FW_PACK_OID],
                   struct fw_buf *out, struct fw_err *err);

struct fw_index { /* an index in memory, borrowed */
    const unsigned char *fanout, *oids, *crcs, *offsets, *large;
    size_t n, n_large;
};
/* Takes bytes apart and checks that they hang together: sizes, order of the fan-out. What it says of
 * the pack is checked when it is used. false: no index of version 2, or damaged. */
bool fw_index_open(const unsigned char *data, size_t n, struct fw_index *out);
/* Position of an id; -1 when it is not there. */
long fw_index_find(const struct fw_index *x, const unsigned char oid[FW_PACK_OID]);
/* Where entry i begins in the pack; 0 (never a place) when the index is damaged. */
uint64_t fw_index_at(const struct fw_index *x, size_t i);

#endif
