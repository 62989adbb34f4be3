#include "pipeline/journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/fs.h"

struct fw_journal {
    int fd;
    off_t end;   /* of the last whole record */
    bool broken; /* a failed append could not be taken back */
    char *path;
    struct fw_buf line;
};

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? strdup("/")
           : slash       ? strndup(path, (size_t)(slash - path))
                         : strdup(".");
}

static int read_records(const char *path, json_t **records, size_t *good, size_t *size,
                        struct fw_err *err)
{
    struct fw_buf text = {0};
    int rc = fw_fs_read(path, 0, &text, err);
    if (rc == FW_OK)
        rc = fw_sum_decode_all(text.p ? text.p : "", text.len, records, good, err);
    if (rc == FW_ECORRUPT) {
        fw_err_wrap(err, "the record of the run is damaged: %s", path);
        fw_err_hint(err, "this is not what a crash leaves; restore the file, or start a new run");
    }
    *size = text.len;
    fw_buf_release(&text);
    return rc;
}

static int open_file(const char *path, bool create, struct fw_err *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    if (errno == ENOENT && !create)
        return fw_err_set(err, FW_ENOTFOUND, "no such record: %s", path);
    if (errno != ENOENT)
        return fw_err_sys(err, errno, "cannot open %s", path);
    char *dir = folder_of(path);
    int rc = dir ? fw_fs_mkdirs(dir, err) : fw_err_nomem(err);
    if (rc == FW_OK) {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        rc = fd < 0 ? fw_err_sys(err, errno, "cannot create %s", path) : fw_fs_sync(dir, err);
    }
    free(dir);
    if (rc != FW_OK && fd >= 0) {
        unlink(path);
        close(fd);
    }
    return rc == FW_OK ? fd : rc;
}

int fw_journal_open(const char *path, bool create, struct fw_journal **out, json_t **records,
                    struct fw_err *err)
{
    json_t *all = NULL;
    size_t good = 0, size = 0;
    struct fw_journal *j = calloc(1, sizeof *j);
    if (!j)
        return fw_err_nomem(err);
    int rc = FW_OK;
    j->fd = open_file(path, create, err);
    if (j->fd < 0)
        rc = j->fd;
    else if (!(j->path = strdup(path)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = read_records(path, &all, &good, &size, err);
    if (rc == FW_OK && good < size && (ftruncate(j->fd, (off_t)good) != 0 || fsync(j->fd) != 0))
        rc = fw_err_sys(err, errno, "cannot cut off the torn end of %s", path);
    if (rc != FW_OK) {
        json_decref(all);
        fw_journal_close(j);
        return rc;
    }
    j->end = (off_t)good;
    *out = j;
    if (records)
        *records = all;
    else
        json_decref(all);
    return FW_OK;
}

int fw_journal_read(const char *path, json_t **records, struct fw_err *err)
{
    size_t good, size;
    if (!fw_fs_exists(path))
        return fw_err_set(err, FW_ENOTFOUND, "no such record: %s", path);
    return read_records(path, records, &good, &size, err);
}

int fw_journal_append(struct fw_journal *j, const json_t *record, bool sync, struct fw_err *err)
{
    if (j->broken)
        return fw_err_set(err, FW_EIO, "%s cannot be written since an earlier error", j->path);
    fw_buf_clear(&j->line);
    int rc = fw_sum_encode(record, &j->line, err);
    if (rc != FW_OK)
        return rc;
    int e = fw_fs_write_all(j->fd, j->line.p, j->line.len);
    if (!e && sync && fdatasync(j->fd) != 0)
        e = errno;
    if (!e) {
        j->end += (off_t)j->line.len;
        return FW_OK;
    }
    if (ftruncate(j->fd, j->end) != 0)
        j->broken = true;
    return fw_err_sys(err, e, "cannot write %s", j->path);
}

void fw_journal_close(struct fw_journal *j)
{
    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    fw_buf_release(&j->line);
    free(j->path);
    free(j);
}
