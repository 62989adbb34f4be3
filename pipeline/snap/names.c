#include "pipeline/snap/names.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/base/fs.h"

/* Does a component begin with ".git" or "git~", once the bytes that some file systems ignore (all
 * that is not ASCII, to be on the safe side) are left out? `git fsck` refuses such trees, and a
 * checkout of one could write into .git. */
static bool gitlike(const char *p, size_t n)
{
    char head[5] = "";
    size_t k = 0;
    for (size_t i = 0; i < n && k < 4; i++)
        if ((unsigned char)p[i] < 0x80)
            head[k++] = (char)tolower((unsigned char)p[i]);
    return !strcmp(head, ".git") || !strcmp(head, "git~");
}

int fw_name_check(const char *name, struct fw_err *err)
{
    static const char *const own[] = {"samples.jsonl", "GUIDELINES.md"};
    if (!fw_fs_rel_is_safe(name)) {
        fw_err_set(err, FW_EINVAL, "file_name '%.300s' leaves the dataset", name);
        return fw_err_hint(err, "a file_name is relative to the dataset's folder, without '..'");
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!strcasecmp(name, own[i]))
            return fw_err_set(err, FW_EINVAL,
                              "file_name '%s' is the name of one of the dataset's "
                              "own files",
                              name);
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/\\");
        if (gitlike(p, n))
            return fw_err_set(err, FW_EINVAL, "file_name '%.300s' has a part that git reserves",
                              name);
        p += n + (p[n] != '\0');
    }
    return FW_OK;
}

static const off_t MAX_FILE = (off_t)2 << 30;

int fw_read_below(const char *root, const char *rel, struct fw_buf *out, struct fw_err *err)
{
    struct stat st;
    int fd = fw_fs_open_below(root, rel, err), rc = FW_OK;
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) != 0)
        rc = fw_err_sys(err, errno, "cannot read '%s'", rel);
    else if (!S_ISREG(st.st_mode))
        rc = fw_err_set(err, FW_EINVAL, "'%s' is not a regular file", rel);
    else if (st.st_size == 0)
        rc = fw_err_set(err, FW_EINVAL, "'%s' is empty", rel);
    else if (st.st_size > MAX_FILE)
        rc = fw_err_set(err, FW_EINVAL, "'%s' is larger than 2 GB", rel);
    for (size_t left = rc == FW_OK ? (size_t)st.st_size : 0; left;) {
        char *to = fw_buf_reserve(out, left);
        ssize_t got = to ? read(fd, to, left) : 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (!to)
            rc = fw_err_nomem(err);
        else if (got < 0)
            rc = fw_err_sys(err, errno, "cannot read '%s'", rel);
        else if (got == 0)
            rc = fw_err_set(err, FW_EINVAL, "'%s' shrank while it was read", rel);
        if (rc != FW_OK)
            break;
        out->len += (size_t)got;
        out->p[out->len] = '\0';
        left -= (size_t)got;
    }
    close(fd);
    return rc;
}
