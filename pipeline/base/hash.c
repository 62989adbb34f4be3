#define XXH_INLINE_ALL
#include "pipeline/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "pipeline/base/fs.h"

void fw_sha256_init(struct fw_sha256 *h)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }
    h->ctx = ctx;
}

void fw_sha256_add(struct fw_sha256 *h, const void *data, size_t n)
{
    if (h->ctx && EVP_DigestUpdate(h->ctx, data, n) != 1) {
        EVP_MD_CTX_free(h->ctx);
        h->ctx = NULL;
    }
}

void fw_sha256_add_str(struct fw_sha256 *h, const char *s)
{
    uint64_t n = strlen(s);
    fw_sha256_add(h, &n, sizeof n);
    fw_sha256_add(h, s, n);
}

int fw_sha256_final(struct fw_sha256 *h, char hex[FW_SHA256_HEX], struct fw_err *err)
{
    unsigned char md[32];
    int ok = h->ctx && EVP_DigestFinal_ex(h->ctx, md, NULL) == 1;
    EVP_MD_CTX_free(h->ctx);
    h->ctx = NULL;
    if (!ok)
        return fw_err_nomem(err);
    for (int i = 0; i < 32; i++) { /* a row's key each: printf would take most of an import */
        hex[2 * i] = "0123456789abcdef"[md[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[md[i] & 15];
    }
    hex[64] = '\0';
    return FW_OK;
}

int fw_sha256_bytes(const void *data, size_t n, char hex[FW_SHA256_HEX], struct fw_err *err)
{
    struct fw_sha256 h;
    fw_sha256_init(&h);
    fw_sha256_add(&h, data, n);
    return fw_sha256_final(&h, hex, err);
}

int fw_sha256_file(const char *path, char hex[FW_SHA256_HEX], struct fw_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fw_err_sys(err, errno, "cannot open %s", path);
    struct fw_sha256 h;
    fw_sha256_init(&h);
    char *buf = malloc(1 << 18);
    int rc = buf ? FW_OK : fw_err_nomem(err);
    while (rc == FW_OK) {
        ssize_t n = read(fd, buf, 1 << 18);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = fw_err_sys(err, errno, "cannot read %s", path);
        if (n <= 0)
            break;
        fw_sha256_add(&h, buf, (size_t)n);
    }
    free(buf);
    close(fd);
    char out[FW_SHA256_HEX];
    int fin = fw_sha256_final(&h, out, rc == FW_OK ? err : NULL);
    if (rc == FW_OK)
        rc = fin;
    if (rc == FW_OK)
        memcpy(hex, out, sizeof out);
    return rc;
}

struct tree_ctx {
    const char *root;
    struct fw_sha256 h;
};

static int tree_file(void *ctx, const char *rel, const struct stat *st, struct fw_err *err)
{
    struct tree_ctx *t = ctx;
    char hex[FW_SHA256_HEX];
    char *path = fw_fs_join(t->root, rel);
    int rc = path ? fw_sha256_file(path, hex, err) : fw_err_nomem(err);
    free(path);
    if (rc != FW_OK)
        return rc;
    fw_sha256_add_str(&t->h, rel);
    fw_sha256_add(&t->h, st->st_mode & 0100 ? "x" : "-", 1);
    fw_sha256_add(&t->h, hex, FW_SHA256_HEX - 1);
    return FW_OK;
}

int fw_sha256_tree(const char *path, char hex[FW_SHA256_HEX], struct fw_err *err)
{
    if (!fw_fs_is_dir(path))
        return fw_sha256_file(path, hex, err);
    struct tree_ctx t = {.root = path};
    char out[FW_SHA256_HEX];
    fw_sha256_init(&t.h);
    int rc = fw_fs_walk(path, tree_file, &t, err);
    int fin = fw_sha256_final(&t.h, out, rc == FW_OK ? err : NULL);
    if (rc == FW_OK)
        rc = fin;
    if (rc == FW_OK)
        memcpy(hex, out, sizeof out);
    return rc;
}

uint64_t fw_hash64(const void *data, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, n, seed);
}
