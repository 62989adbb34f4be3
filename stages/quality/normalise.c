#include "stages/quality/normalise.h"

#include <ctype.h>

/* Lower case of the two-byte letters that have a simple one; c is a code point below 0x800. */
static unsigned lower(unsigned c)
{
    if ((c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9) ||
        (c >= 0x410 && c <= 0x42f))
        return c + 0x20;
    if (c >= 0x400 && c <= 0x40f)
        return c + 0x50;
    if (c >= 0x100 && c <= 0x137 && !(c & 1))
        return c == 0x130 ? 'i' : c + 1;
    return c;
}

void fw_text_normalise(const char *text, size_t n, bool strip, struct fw_buf *out)
{
    size_t start = out->len;
    bool space = false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool nbsp = c == 0xc2 && i + 1 < n && (unsigned char)text[i + 1] == 0xa0;
        if (nbsp || c <= ' ' || c == 0x7f) {
            space = true;
            i += nbsp;
            continue;
        }
        if (strip && c < 0x80 && ispunct(c))
            continue;
        if (space && out->len > start)
            fw_buf_putc(out, ' ');
        space = false;
        if (c >= 0xc3 && c <= 0xd1 && i + 1 < n) {
            unsigned p = lower((c & 0x1fu) << 6 | ((unsigned char)text[++i] & 0x3fu));
            if (p < 0x80) {
                fw_buf_putc(out, (char)p);
            } else {
                fw_buf_putc(out, (char)(0xc0 | p >> 6));
                fw_buf_putc(out, (char)(0x80 | (p & 0x3f)));
            }
        } else {
            fw_buf_putc(out, (char)tolower(c));
        }
    }
}
