#include "pipeline/pack/index.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char magic[8] = {0xff, 't', 'O', 'c', 0, 0, 0, 2};

enum { FANOUT = 256 * 4 };

static int by_oid(const void *a, const void *b)
{
    return memcmp(((const struct fw_index_entry *)a)->oid, ((const struct fw_index_entry *)b)->oid,
                  FW_PACK_OID);
}

static void put32(struct fw_buf *out, uint32_t v)
{
    unsigned char b[4];
    fw_pack_put32(b, v);
    fw_buf_add(out, b, sizeof b);
}

int fw_index_write(struct fw_index_entry *v, size_t n, const unsigned char pack_sha[FW_PACK_OID],
                   struct fw_buf *out, struct fw_err *err)
{
    size_t start = out->len, k = 0;
    uint32_t large = 0;
    unsigned char sha[FW_PACK_OID];
    if (n)
        qsort(v, n, sizeof *v, by_oid);
    fw_buf_reserve(out, sizeof magic + FANOUT + n * (FW_PACK_OID + 16) + 2 * FW_PACK_OID);
    fw_buf_add(out, magic, sizeof magic);
    for (unsigned b = 0; b < 256; b++) {
        while (k < n && v[k].oid[0] <= b)
            k++;
        put32(out, (uint32_t)k);
    }
    for (size_t i = 0; i < n; i++)
        fw_buf_add(out, v[i].oid, FW_PACK_OID);
    for (size_t i = 0; i < n; i++)
        put32(out, v[i].crc);
    for (size_t i = 0; i < n; i++)
        put32(out, v[i].at >> 31 ? (uint32_t)1 << 31 | large++ : (uint32_t)v[i].at);
    for (size_t i = 0; i < n; i++) {
        if (!(v[i].at >> 31))
            continue;
        put32(out, (uint32_t)(v[i].at >> 32));
        put32(out, (uint32_t)v[i].at);
    }
    fw_buf_add(out, pack_sha, FW_PACK_OID);
    if (out->failed ||
        EVP_Digest(out->p + start, out->len - start, sha, NULL, EVP_sha1(), NULL) != 1)
        return fw_err_nomem(err);
    fw_buf_add(out, sha, sizeof sha);
    return out->failed ? fw_err_nomem(err) : FW_OK;
}

bool fw_index_open(const unsigned char *data, size_t n, struct fw_index *out)
{
    size_t head = sizeof magic + FANOUT, tail = 2 * FW_PACK_OID;
    if (n < head + tail || memcmp(data, magic, sizeof magic) != 0)
        return false;
    struct fw_index x = {.fanout = data + sizeof magic};
    uint32_t last = 0;
    for (int b = 0; b < 256; b++) {
        uint32_t k = fw_pack_get32(x.fanout + 4 * b);
        if (k < last)
            return false;
        last = k;
    }
    x.n = last;
    uint64_t each = (uint64_t)x.n * (FW_PACK_OID + 8);
    if (each > n - head - tail || (n - head - tail - each) % 8)
        return false;
    x.n_large = (n - head - tail - (size_t)each) / 8;
    x.oids = data + head;
    x.crcs = x.oids + x.n * FW_PACK_OID;
    x.offsets = x.crcs + x.n * 4;
    x.large = x.offsets + x.n * 4;
    *out = x;
    return true;
}

long fw_index_find(const struct fw_index *x, const unsigned char oid[FW_PACK_OID])
{
    size_t lo = oid[0] ? fw_pack_get32(x->fanout + 4 * (oid[0] - 1)) : 0;
    size_t hi = fw_pack_get32(x->fanout + 4 * oid[0]);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = memcmp(x->oids + mid * FW_PACK_OID, oid, FW_PACK_OID);
        if (c == 0)
            return (long)mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

uint64_t fw_index_at(const struct fw_index *x, size_t i)
{
    uint32_t at = fw_pack_get32(x->offsets + 4 * i);
    if (!(at >> 31))
        return at;
    at &= ~((uint32_t)1 << 31);
    return at < x->n_large ? fw_pack_get64(x->large + 8 * (size_t)at) : 0;
}
