#include "pipeline/pack/format.h"

size_t fw_pack_head_put(unsigned char out[FW_PACK_ENTRY_HEAD], int type, uint64_t size)
{
    size_t n = 0;
    unsigned char c = (unsigned char)((unsigned)type << 4 | (size & 15));
    for (size >>= 4; size; size >>= 7) {
        out[n++] = c | 0x80;
        c = size & 0x7f;
    }
    out[n++] = c;
    return n;
}

size_t fw_pack_head_get(const unsigned char *p, size_t n, int *type, uint64_t *size)
{
    if (n == 0)
        return 0;
    unsigned shift = 4;
    size_t at = 1;
    *type = p[0] >> 4 & 7;
    *size = p[0] & 15;
    for (unsigned char c = p[0]; c & 0x80; shift += 7) {
        if (at == n || shift > 57)
            return 0;
        c = p[at++];
        *size |= (uint64_t)(c & 0x7f) << shift;
    }
    return at;
}

void fw_pack_put32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (24 - 8 * i));
}

uint32_t fw_pack_get32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t fw_pack_get64(const unsigned char *p)
{
    return (uint64_t)fw_pack_get32(p) << 32 | fw_pack_get32(p + 4);
}

void fw_pack_hex(const unsigned char oid[FW_PACK_OID], char out[FW_PACK_NAME])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < FW_PACK_OID; i++) {
        out[2 * i] = digits[oid[i] >> 4];
        out[2 * i + 1] = digits[oid[i] & 15];
    }
    out[2 * FW_PACK_OID] = '\0';
}
