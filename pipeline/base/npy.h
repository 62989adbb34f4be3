/*
 * NumPy's array file format (versions 1.0 to 3.0): read as a view over bytes or a mapped file, and
 * written. Only little-endian numbers in C order, up to 4 dimensions; anything else is refused with
 * the reason. Format: numpy.lib.format, NEP 1.
 */
#ifndef FW_BASE_NPY_H
#define FW_BASE_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

enum fw_npy_type {
    FW_NPY_F4,
    FW_NPY_F8,
    FW_NPY_I1,
    FW_NPY_I2,
    FW_NPY_I4,
    FW_NPY_I8,
    FW_NPY_U1,
    FW_NPY_U2,
    FW_NPY_U4,
    FW_NPY_U8,
    FW_NPY_BOOL
};

struct fw_npy {
    enum fw_npy_type type;
    size_t item; /* bytes an element */
    size_t ndim;
    size_t shape[4];
    size_t n;         /* elements: the product of shape */
    const void *data; /* n × item bytes; not necessarily aligned */
    void *map;        /* set by fw_npy_open */
    size_t map_len;
};

/* A view of an array in memory; nothing to release. FW_EINVAL with the reason. */
int fw_npy_parse(const void *bytes, size_t n, struct fw_npy *out, struct fw_err *err);
/* Maps the file read-only; release with fw_npy_close(). FW_EINVAL names the file. */
int fw_npy_open(const char *path, struct fw_npy *out, struct fw_err *err);
void fw_npy_close(struct fw_npy *npy);
/* Element i in C order, whatever its type. i < n. */
double fw_npy_at(const struct fw_npy *npy, size_t i);
/* The whole array as float32: out has npy->n entries. */
void fw_npy_floats(const struct fw_npy *npy, float *out);
/* Writes an N × D (d > 0) or N (d = 0) array of float32, C order, version 1.0. */
int fw_npy_write_floats(const char *path, const float *v, size_t n, size_t d, struct fw_err *err);

#endif
