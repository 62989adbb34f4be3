/*
 * CSV as RFC 4180 has it: records of fields, "quotes" around fields that hold separators, quotes
 * (doubled) or line ends; LF or CRLF. A byte order mark is skipped, blank lines are not records. A
 * quote inside an unquoted field is a plain character, as spreadsheets and Python read it.
 *
 * Pure but for fw_csv_each(), which reads the file. Any thread.
 */
#ifndef FW_BASE_CSV_H
#define FW_BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/buf.h"

struct fw_csv_field {
    const char *p; /* unquoted, NUL-terminated (may hold NUL bytes inside) */
    size_t len;
    bool quoted; /* "" is an empty text, nothing at all is an absent value */
};

/* One record; line is 1-based and where the record begins. Fields are valid until fn returns. A
 * non-zero return stops the reading and is returned. */
typedef int fw_csv_fn(void *ctx, const struct fw_csv_field *fields, size_t n, int line,
                      struct fw_err *err);

/* Reads all records, the header row included. name is for errors; sep is ',' or another byte.
 * FW_EINVAL with name and line: a quote never closed, text behind a closing quote. */
int fw_csv_each_mem(const char *name, const char *data, size_t size, char sep, fw_csv_fn *fn,
                    void *ctx, struct fw_err *err);
int fw_csv_each(const char *path, char sep, fw_csv_fn *fn, void *ctx, struct fw_err *err);

/* Appends one field, quoted when it must be (an empty text is written as ""). The caller writes
 * separators and line ends. */
void fw_csv_put(struct fw_buf *out, const char *text, size_t len, char sep);

#endif
