/*
 * A growable byte buffer, always NUL-terminated when p is not NULL.
 *
 * Appending never fails on the spot: when memory runs out `failed` is set, further appends do
 * nothing, and the owner checks once at the end. Zero-initialise; release with fw_buf_release().
 */
#ifndef FW_BASE_BUF_H
#define FW_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/err.h"

struct fw_buf {
    char *p;
    size_t len, cap;
    bool failed;
};

void fw_buf_add(struct fw_buf *b, const void *data, size_t n);
void fw_buf_puts(struct fw_buf *b, const char *s);
void fw_buf_putc(struct fw_buf *b, char c);
void fw_buf_printf(struct fw_buf *b, const char *fmt, ...) FW_PRINTF(2, 3);
/* A JSON string literal with quotes; bytes are taken as valid UTF-8. */
void fw_buf_json_str(struct fw_buf *b, const char *s, size_t n);
/* Text escaped for HTML element content and double-quoted attributes. */
void fw_buf_html(struct fw_buf *b, const char *s);
/* Makes room for n more bytes; NULL when memory is out. */
char *fw_buf_reserve(struct fw_buf *b, size_t n);
void fw_buf_clear(struct fw_buf *b);
/* Hands the bytes to the caller (free()); "" allocated when empty; NULL when failed. */
char *fw_buf_steal(struct fw_buf *b);
void fw_buf_release(struct fw_buf *b);

#endif
