/*
 * Git's pack format (gitformat-pack): what its writer and its reader share. Nothing here needs a git
 * library; object ids come from the caller.
 *
 *   writer.h   one new pack and its index, streamed
 *   reader.h   the packs of a repository, mapped
 *   delta.h    differences between two versions of one text
 *   squeeze.h  deflating where that pays
 */
#ifndef FW_PACK_FORMAT_H
#define FW_PACK_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum {
    FW_PACK_OID = 20,  /* bytes of an object id: SHA-1 */
    FW_PACK_NAME = 41, /* hex digits of a pack's name and the NUL */
    FW_PACK_HEAD = 12,
    FW_PACK_ENTRY_HEAD = 16 /* the longest header of an entry, without a delta's base */
};

/* The numbers are git's. */
enum fw_pack_type {
    FW_PACK_COMMIT = 1,
    FW_PACK_TREE = 2,
    FW_PACK_BLOB = 3,
    FW_PACK_TAG = 4,
    FW_PACK_OFS_DELTA = 6,
    FW_PACK_REF_DELTA = 7
};

/* An entry's header: kind and size, four bits and then seven a byte. Returns its length. */
size_t fw_pack_head_put(unsigned char out[FW_PACK_ENTRY_HEAD], int type, uint64_t size);
/* The same read from n bytes at p: its length, 0 when it is cut off or too long. */
size_t fw_pack_head_get(const unsigned char *p, size_t n, int *type, uint64_t *size);

void fw_pack_put32(unsigned char *p, uint32_t v); /* big-endian, as all of git's numbers */
uint32_t fw_pack_get32(const unsigned char *p);
uint64_t fw_pack_get64(const unsigned char *p);
void fw_pack_hex(const unsigned char oid[FW_PACK_OID], char out[FW_PACK_NAME]);

#endif
