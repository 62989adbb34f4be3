/* SHA-256 (OpenSSL EVP) of bytes, files and trees, and a fast 64-bit hash (xxhash). Any thread. */
#ifndef FW_BASE_HASH_H
#define FW_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

enum { FW_SHA256_HEX = 65 }; /* 64 hex digits and the NUL */

struct fw_sha256 {
    void *ctx; /* NULL after a failure; fw_sha256_final then reports it */
};

void fw_sha256_init(struct fw_sha256 *h);
void fw_sha256_add(struct fw_sha256 *h, const void *data, size_t n);
/* A string with its length before it, so that ("ab","c") and ("a","bc") differ. */
void fw_sha256_add_str(struct fw_sha256 *h, const char *s);
/* Writes 64 hex digits + NUL; releases the context in every case. */
int fw_sha256_final(struct fw_sha256 *h, char hex[FW_SHA256_HEX], struct fw_err *err);
int fw_sha256_bytes(const void *data, size_t n, char hex[FW_SHA256_HEX], struct fw_err *err);
int fw_sha256_file(const char *path, char hex[FW_SHA256_HEX], struct fw_err *err);
/* A file's digest, or for a folder the digest over (relative path, x bit, file digest) in path
 * order. Links are an error. */
int fw_sha256_tree(const char *path, char hex[FW_SHA256_HEX], struct fw_err *err);

uint64_t fw_hash64(const void *data, size_t n, uint64_t seed);

#endif
