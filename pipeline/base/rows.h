/*
 * Dataset rows: one JSON object a line, read with simdjson behind this C header.
 *
 *     struct fw_rows *rows = fw_rows_new();
 *     fw_row_parse(rows, line, len, &row, &err);      // row is borrowed until the next parse
 *     const struct fw_field *f = fw_row_get(&row, "id");
 *
 * One parser per thread. Duplicate keys in one object are an error. Bytes must be valid UTF-8; NaN
 * and Infinity are not JSON and are reported as such.
 */
#ifndef FW_BASE_ROWS_H
#define FW_BASE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "pipeline/base/err.h"

enum fw_type { FW_NULL, FW_BOOL, FW_NUMBER, FW_STRING, FW_ARRAY, FW_OBJECT };

struct fw_field {
    const char *key; /* NUL-terminated, unescaped */
    enum fw_type type;
    bool boolean;
    double number;
    const char *str; /* FW_STRING: unescaped, NUL-terminated (may hold NUL bytes inside) */
    size_t str_len;
    const char *raw; /* the value's own bytes in the line */
    size_t raw_len;
};

struct fw_row {
    const char *line;
    size_t line_len;
    const struct fw_field *fields;
    size_t n;
};

struct fw_rows;

struct fw_rows *fw_rows_new(void); /* NULL when memory is out */
void fw_rows_free(struct fw_rows *rows);

/* FW_EINVAL with a plain reason when the line is not one JSON object. err has no place; the caller
 * knows the file and line. */
int fw_row_parse(struct fw_rows *rows, const char *line, size_t len, struct fw_row *out,
                 struct fw_err *err);
/* NULL when absent. */
const struct fw_field *fw_row_get(const struct fw_row *row, const char *key);
/* The string value of a field, or NULL when absent or not a string. */
const char *fw_row_str(const struct fw_row *row, const char *key);
/* Decodes a flat array of numbers into *out (malloc'd, n values). FW_EINVAL when it is not one. */
int fw_field_numbers(const struct fw_field *field, double **out, size_t *n, struct fw_err *err);

/* Calls fn for each non-blank line of a .jsonl file with its 1-based number. Stops on non-zero and
 * returns it. Errors carry file and line. Reads in blocks: memory is one block and the longest
 * line. */
typedef int fw_row_fn(void *ctx, const struct fw_row *row, int line, struct fw_err *err);
int fw_rows_each(const char *path, fw_row_fn *fn, void *ctx, struct fw_err *err);
/* The same over bytes in memory; name is used in errors. */
int fw_rows_each_mem(const char *name, const char *data, size_t n, fw_row_fn *fn, void *ctx,
                     struct fw_err *err);

#ifdef __cplusplus
}
#endif
#endif
