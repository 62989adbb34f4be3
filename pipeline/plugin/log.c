/* The end of a log, for messages. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/plugin/plugin.h"

enum { MOST_TAIL = 256 * 1024, MOST_LINE = 500 };

/* The length of the UTF-8 sequence at p, or 0: overlong forms, surrogates and what is above
 * U+10FFFF do not count. */
static size_t utf8(const unsigned char *p, size_t n)
{
    size_t len = p[0] < 0x80                   ? 1
                 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                               : 0;
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

static void show_line(const char *line, size_t n, struct fw_buf *out)
{
    const unsigned char *p = (const unsigned char *)line;
    while (n && p[n - 1] == '\r')
        n--;
    /* A progress bar writes over itself: what stands last is what was to be seen. */
    for (size_t i = n; i > 0; i--) {
        if (p[i - 1] != '\r')
            continue;
        p += i;
        n -= i;
        break;
    }
    size_t at = 0;
    while (at < n && at < MOST_LINE) {
        size_t len = utf8(p + at, n - at);
        bool c1 = len == 2 && p[at] == 0xc2 && p[at + 1] < 0xa0; /* also control characters */
        if (len == 0 || c1 || (p[at] < 32 && p[at] != '\t') || p[at] == 127) {
            fw_buf_printf(out, "\\x%02x", p[at]);
            len = 1; /* what follows a byte shown like this is shown by itself */
        } else {
            fw_buf_add(out, p + at, len);
        }
        at += len;
    }
    fw_buf_puts(out, at < n ? "...\n" : "\n");
}

static int read_end(const char *path, char **text, size_t *n, bool *cut, struct fw_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fw_err_sys(err, errno, "cannot open the log %s", path);
    int rc = FW_OK;
    if (fstat(fd, &st) != 0)
        rc = fw_err_sys(err, errno, "cannot read the log %s", path);
    off_t from = rc == FW_OK && st.st_size > MOST_TAIL ? st.st_size - MOST_TAIL : 0;
    *cut = from > 0;
    *n = 0;
    *text = malloc(MOST_TAIL);
    if (!*text)
        rc = fw_err_nomem(err);
    while (rc == FW_OK && *n < MOST_TAIL) {
        ssize_t got = pread(fd, *text + *n, MOST_TAIL - *n, from + (off_t)*n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = fw_err_sys(err, errno, "cannot read the log %s", path);
        if (got <= 0)
            break;
        *n += (size_t)got;
    }
    close(fd);
    return rc;
}

int fw_log_tail(const char *path, int lines, struct fw_buf *out, struct fw_err *err)
{
    char *text = NULL;
    size_t n = 0;
    bool cut = false;
    int rc = read_end(path, &text, &n, &cut, err);
    if (rc != FW_OK) {
        free(text);
        return rc;
    }
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    size_t from = n;
    for (int left = lines; from > 0 && left > 0; from--)
        if (text[from - 1] == '\n' && --left == 0)
            break;
    if (lines <= 0)
        from = n;
    for (size_t at = from; at < n;) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t len = end ? (size_t)(end - text) - at : n - at;
        if (cut && at == 0 && from == 0)
            fw_buf_puts(out, "...");
        show_line(text + at, len, out);
        at += len + 1;
    }
    free(text);
    return out->failed ? fw_err_nomem(err) : FW_OK;
}
