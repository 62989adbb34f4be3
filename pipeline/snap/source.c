#include "pipeline/snap/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/fs.h"

void fw_sink_problem(const struct fw_sink *sink, const char *file, int line, const char *hint,
                     const char *fmt, ...)
{
    struct fw_err e = {0};
    char msg[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    fw_err_set(&e, FW_EINVAL, "%s", msg);
    fw_err_at(&e, file, line, 0);
    if (hint)
        fw_err_hint(&e, "%s", hint);
    sink->problem(sink->ctx, &e);
}

static bool blank(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r')
            return false;
    return true;
}

/* Reads in blocks: memory is one block and the longest line. */
static int source_jsonl(const char *path, const struct fw_sink *sink, struct fw_err *err)
{
    enum { BLOCK = 1 << 20 };
    struct fw_buf buf = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC), line = 0, rc = FW_OK;
    if (fd < 0)
        return fw_err_sys(err, errno, "cannot open %s", path);
    for (bool end = false; !end && rc == FW_OK;) {
        char *to = fw_buf_reserve(&buf, BLOCK);
        ssize_t got = to ? read(fd, to, BLOCK) : 0;
        if (!to) {
            rc = fw_err_nomem(err);
            break;
        }
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            rc = fw_err_sys(err, errno, "cannot read %s", path);
            break;
        }
        end = got == 0;
        buf.len += (size_t)got;
        size_t at = 0;
        if (line == 0 && buf.len >= 3 && memcmp(buf.p, "\xef\xbb\xbf", 3) == 0)
            at = 3;
        while (at < buf.len && rc == FW_OK) {
            const char *nl = memchr(buf.p + at, '\n', buf.len - at);
            if (!nl && !end)
                break;
            size_t len = nl ? (size_t)(nl - buf.p) - at : buf.len - at, trim = len;
            while (trim && blank(buf.p + at + trim - 1, 1))
                trim--;
            line++;
            if (trim)
                rc = sink->row(sink->ctx, buf.p + at, trim, path, line, err);
            at += len + 1;
        }
        at = at < buf.len ? at : buf.len;
        memmove(buf.p, buf.p + at, buf.len - at);
        buf.len -= at;
    }
    close(fd);
    fw_buf_release(&buf);
    return rc;
}

static bool ends_in(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n > m && strcasecmp(s + n - m, end) == 0;
}

bool fw_named_image(const char *name)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".png", ".bmp", ".pgm", ".ppm"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_in(name, ends[i]))
            return true;
    return false;
}

static int read_file(const struct fw_import_options *o, const char *path,
                     const struct fw_sink *sink, struct fw_err *err)
{
    if (ends_in(path, ".jsonl") || ends_in(path, ".ndjson"))
        return source_jsonl(path, sink, err);
    if (ends_in(path, ".csv") || ends_in(path, ".tsv"))
        return fw_source_csv(o, path, sink, err);
    fw_err_set(err, FW_EINVAL, "%s is neither .jsonl, .csv nor .tsv", path);
    return fw_err_hint(err, "import a folder, a .jsonl file or a .csv file");
}

int fw_source_read(const struct fw_import_options *o, char **base, const struct fw_sink *sink,
                   struct fw_err *err)
{
    static const char *const manifests[] = {"samples.jsonl", "metadata.jsonl", "samples.csv",
                                            "metadata.csv"};
    struct stat st;
    if (stat(o->source, &st) != 0) {
        int e = errno;
        if (e != ENOENT)
            return fw_err_sys(err, e, "cannot import %s", o->source);
        fw_err_set(err, FW_ENOTFOUND, "cannot import %s: %s", o->source, strerror(e));
        if (o->only_read)
            return FW_ENOTFOUND;
        return fw_err_hint(err, "dataset.import names the folder or file to read the data from");
    }
    if (!S_ISDIR(st.st_mode)) {
        if (!(*base = strdup(o->source)))
            return fw_err_nomem(err);
        char *slash = strrchr(*base, '/');
        if (slash)
            *(slash == *base ? slash + 1 : slash) = '\0';
        else
            memcpy(*base, ".", 2);
        return read_file(o, o->source, sink, err);
    }
    if (!(*base = strdup(o->source)))
        return fw_err_nomem(err);
    for (size_t i = 0; i < sizeof manifests / sizeof *manifests; i++) {
        char *path = fw_fs_join(o->source, manifests[i]);
        if (!path)
            return fw_err_nomem(err);
        bool there = fw_fs_exists(path);
        int rc = there ? read_file(o, path, sink, err) : FW_OK;
        free(path);
        if (there)
            return rc;
    }
    return fw_source_folders(o, sink, err);
}
