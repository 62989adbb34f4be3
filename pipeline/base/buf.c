#include "pipeline/base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *fw_buf_reserve(struct fw_buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (n >= SIZE_MAX / 2 - b->len) {
        b->failed = true;
        return NULL;
    }
    if (b->len + n + 1 > b->cap) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < b->len + n + 1)
            cap *= 2;
        char *p = realloc(b->p, cap);
        if (!p) {
            b->failed = true;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->len;
}

void fw_buf_add(struct fw_buf *b, const void *data, size_t n)
{
    char *to = fw_buf_reserve(b, n);
    if (!to)
        return;
    if (n)
        memcpy(to, data, n);
    b->len += n;
    b->p[b->len] = '\0';
}

void fw_buf_puts(struct fw_buf *b, const char *s)
{
    fw_buf_add(b, s, strlen(s));
}

void fw_buf_putc(struct fw_buf *b, char c)
{
    fw_buf_add(b, &c, 1);
}

void fw_buf_printf(struct fw_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *to = n < 0 ? NULL : fw_buf_reserve(b, (size_t)n);
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void fw_buf_json_str(struct fw_buf *b, const char *s, size_t n)
{
    fw_buf_putc(b, '"');
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        fw_buf_add(b, s + from, i - from);
        from = i + 1;
        switch (c) {
        case '"':
            fw_buf_puts(b, "\\\"");
            break;
        case '\\':
            fw_buf_puts(b, "\\\\");
            break;
        case '\n':
            fw_buf_puts(b, "\\n");
            break;
        case '\t':
            fw_buf_puts(b, "\\t");
            break;
        case '\r':
            fw_buf_puts(b, "\\r");
            break;
        default:
            fw_buf_printf(b, "\\u%04x", c);
        }
    }
    fw_buf_add(b, s + from, n - from);
    fw_buf_putc(b, '"');
}

void fw_buf_html(struct fw_buf *b, const char *s)
{
    for (; *s; s++) {
        switch (*s) {
        case '&':
            fw_buf_puts(b, "&amp;");
            break;
        case '<':
            fw_buf_puts(b, "&lt;");
            break;
        case '>':
            fw_buf_puts(b, "&gt;");
            break;
        case '"':
            fw_buf_puts(b, "&quot;");
            break;
        case '\'':
            fw_buf_puts(b, "&#39;");
            break;
        default:
            fw_buf_putc(b, *s);
        }
    }
}

void fw_buf_clear(struct fw_buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->p)
        b->p[0] = '\0';
}

char *fw_buf_steal(struct fw_buf *b)
{
    fw_buf_add(b, "", 0);
    if (b->failed) {
        fw_buf_release(b);
        return NULL;
    }
    char *p = b->p;
    *b = (struct fw_buf){0};
    return p;
}

void fw_buf_release(struct fw_buf *b)
{
    free(b->p);
    *b = (struct fw_buf){0};
}
