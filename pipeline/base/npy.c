#include "pipeline/base/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *descr;
    size_t item;
} types[] = {
    [FW_NPY_F4] = {"f4", 4}, [FW_NPY_F8] = {"f8", 8},   [FW_NPY_I1] = {"i1", 1},
    [FW_NPY_I2] = {"i2", 2}, [FW_NPY_I4] = {"i4", 4},   [FW_NPY_I8] = {"i8", 8},
    [FW_NPY_U1] = {"u1", 1}, [FW_NPY_U2] = {"u2", 2},   [FW_NPY_U4] = {"u4", 4},
    [FW_NPY_U8] = {"u8", 8}, [FW_NPY_BOOL] = {"b1", 1},
};

/* The header is a Python dict of three known keys in the form that repr() gives it. */
struct cursor {
    const char *p, *end;
};

static void skip(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t'))
        c->p++;
}

static bool eat(struct cursor *c, char ch)
{
    skip(c);
    if (c->p == c->end || *c->p != ch)
        return false;
    c->p++;
    return true;
}

static bool word(struct cursor *c, const char *w)
{
    size_t n = strlen(w);
    skip(c);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, w, n) != 0)
        return false;
    c->p += n;
    return true;
}

static bool quoted(struct cursor *c, char *out, size_t size)
{
    skip(c);
    if (c->p == c->end || (*c->p != '\'' && *c->p != '"'))
        return false;
    char q = *c->p++;
    size_t n = 0;
    while (c->p < c->end && *c->p != q && n + 1 < size)
        out[n++] = *c->p++;
    out[n] = '\0';
    return eat(c, q);
}

static int parse_descr(struct cursor *c, struct fw_npy *out, struct fw_err *err)
{
    char descr[32];
    if (!quoted(c, descr, sizeof descr))
        return fw_err_set(err, FW_EINVAL, "an array of records or of an unreadable type");
    if (descr[0] == '>')
        return fw_err_set(err, FW_EINVAL, "big-endian numbers ('%s'); save it little-endian",
                          descr);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strchr("<|=", descr[0]) && descr[0] && !strcmp(descr + 1, types[i].descr)) {
            out->type = (enum fw_npy_type)i;
            out->item = types[i].item;
            return FW_OK;
        }
    }
    return fw_err_set(err, FW_EINVAL, "elements of type '%s'; use float32", descr);
}

static int parse_shape(struct cursor *c, struct fw_npy *out, struct fw_err *err)
{
    if (!eat(c, '('))
        return fw_err_set(err, FW_EINVAL, "its header has no shape");
    out->n = 1;
    for (out->ndim = 0; !eat(c, ')');) {
        size_t v = 0;
        const char *start = c->p;
        for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++)
            if (__builtin_mul_overflow(v, 10, &v) ||
                __builtin_add_overflow(v, (size_t)(*c->p - '0'), &v))
                return fw_err_set(err, FW_EINVAL, "its shape is too large");
        if (c->p == start)
            return fw_err_set(err, FW_EINVAL, "its shape is not a list of sizes");
        if (out->ndim == 4)
            return fw_err_set(err, FW_EINVAL, "more than 4 dimensions");
        out->shape[out->ndim++] = v;
        if (__builtin_mul_overflow(out->n, v, &out->n))
            return fw_err_set(err, FW_EINVAL, "its shape is too large");
        if (!eat(c, ',')) {
            if (!eat(c, ')'))
                return fw_err_set(err, FW_EINVAL, "its shape is not a list of sizes");
            break;
        }
    }
    return FW_OK;
}

static int parse_header(struct cursor c, struct fw_npy *out, struct fw_err *err)
{
    int seen = 0;
    if (!eat(&c, '{'))
        return fw_err_set(err, FW_EINVAL, "its header is not a dictionary");
    while (!eat(&c, '}')) {
        char key[32];
        int rc = FW_OK;
        if (!quoted(&c, key, sizeof key) || !eat(&c, ':'))
            return fw_err_set(err, FW_EINVAL, "its header is not a dictionary");
        if (!strcmp(key, "descr")) {
            seen |= 1;
            rc = parse_descr(&c, out, err);
        } else if (!strcmp(key, "fortran_order")) {
            seen |= 2;
            if (word(&c, "True"))
                rc = fw_err_set(err, FW_EINVAL, "Fortran order; save it with order='C'");
            else if (!word(&c, "False"))
                rc = fw_err_set(err, FW_EINVAL, "its header has a bad fortran_order");
        } else if (!strcmp(key, "shape")) {
            seen |= 4;
            rc = parse_shape(&c, out, err);
        } else {
            rc = fw_err_set(err, FW_EINVAL, "its header has an unknown key '%s'", key);
        }
        if (rc != FW_OK)
            return rc;
        eat(&c, ',');
    }
    if (seen != 7)
        return fw_err_set(err, FW_EINVAL, "its header is not complete");
    return FW_OK;
}

int fw_npy_parse(const void *bytes, size_t n, struct fw_npy *out, struct fw_err *err)
{
    const unsigned char *b = bytes;
    struct fw_npy npy = {0};
    if (n < 10 || memcmp(b, "\x93NUMPY", 6) != 0)
        return fw_err_set(err, FW_EINVAL, "not a NumPy array file");
    size_t prefix = b[6] == 1 ? 10 : 12, len;
    if (b[6] < 1 || b[6] > 3 || n < prefix)
        return fw_err_set(err, FW_EINVAL, "NumPy format version %d is not known", b[6]);
    len = (size_t)b[8] | (size_t)b[9] << 8;
    if (prefix == 12)
        len |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (len > n - prefix)
        return fw_err_set(err, FW_EINVAL, "the file ends within its header");
    const char *text = (const char *)b + prefix;
    int rc = parse_header((struct cursor){text, text + len}, &npy, err);
    if (rc != FW_OK)
        return rc;
    size_t want;
    if (__builtin_mul_overflow(npy.n, npy.item, &want) || want > n - prefix - len)
        return fw_err_set(err, FW_EINVAL, "the file is shorter than its shape says");
    npy.data = text + len;
    *out = npy;
    return FW_OK;
}

int fw_npy_open(const char *path, struct fw_npy *out, struct fw_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fw_err_sys(err, errno, "cannot open %s", path);
    struct stat st;
    void *map = MAP_FAILED;
    int rc = FW_OK;
    if (fstat(fd, &st) != 0)
        rc = fw_err_sys(err, errno, "cannot read %s", path);
    else if (!S_ISREG(st.st_mode) || st.st_size == 0)
        rc = fw_err_set(err, FW_EINVAL, "%s: not a NumPy array file", path);
    else if ((map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
        rc = fw_err_sys(err, errno, "cannot map %s", path);
    close(fd);
    if (rc != FW_OK)
        return rc;
    rc = fw_npy_parse(map, (size_t)st.st_size, out, err);
    if (rc != FW_OK) {
        munmap(map, (size_t)st.st_size);
        fw_err_wrap(err, "%s", path);
        return rc;
    }
    out->map = map;
    out->map_len = (size_t)st.st_size;
    return FW_OK;
}

void fw_npy_close(struct fw_npy *npy)
{
    if (npy->map)
        munmap(npy->map, npy->map_len);
    memset(npy, 0, sizeof *npy);
}

#define LOAD(type)                                                                                 \
    {                                                                                              \
        type v;                                                                                    \
        memcpy(&v, p, sizeof v);                                                                   \
        return (double)v;                                                                          \
    }

double fw_npy_at(const struct fw_npy *npy, size_t i)
{
    const char *p = (const char *)npy->data + i * npy->item;
    switch (npy->type) {
    case FW_NPY_F4:
        LOAD(float)
    case FW_NPY_F8:
        LOAD(double)
    case FW_NPY_I1:
        LOAD(int8_t)
    case FW_NPY_I2:
        LOAD(int16_t)
    case FW_NPY_I4:
        LOAD(int32_t)
    case FW_NPY_I8:
        LOAD(int64_t)
    case FW_NPY_U2:
        LOAD(uint16_t)
    case FW_NPY_U4:
        LOAD(uint32_t)
    case FW_NPY_U8:
        LOAD(uint64_t)
    default:
        LOAD(uint8_t)
    }
}

void fw_npy_floats(const struct fw_npy *npy, float *out)
{
    if (npy->type == FW_NPY_F4 && npy->n) {
        memcpy(out, npy->data, npy->n * sizeof *out);
        return;
    }
    for (size_t i = 0; i < npy->n; i++)
        out[i] = (float)fw_npy_at(npy, i);
}

int fw_npy_write_floats(const char *path, const float *v, size_t n, size_t d, struct fw_err *err)
{
    char head[128];
    memset(head, ' ', sizeof head);
    memcpy(head, "\x93NUMPY\x01\x00\x76\x00", 10); /* 118 bytes of header follow */
    char dict[100];
    int len = d ? snprintf(dict, sizeof dict,
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", n, d)
                : snprintf(dict, sizeof dict,
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu,), }", n);
    memcpy(head + 10, dict, (size_t)len);
    head[sizeof head - 1] = '\n';
    size_t count = n * (d ? d : 1);
    FILE *out = fopen(path, "we");
    if (!out)
        return fw_err_sys(err, errno, "cannot write %s", path);
    int e = 0;
    if (fwrite(head, 1, sizeof head, out) != sizeof head ||
        (count && fwrite(v, sizeof *v, count, out) != count))
        e = errno ? errno : EIO;
    if (fclose(out) != 0 && !e)
        e = errno;
    return e ? fw_err_sys(err, e, "cannot write %s", path) : FW_OK;
}
