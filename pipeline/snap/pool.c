#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/base/fs.h"
#include "pipeline/snap/view.h"

static int write_blob(struct fw_repo *r, const git_oid *oid, int fd, const char *path,
                      struct fw_err *err)
{
    git_odb_object *o = NULL;
    int rc = fw_object_read(r, oid, GIT_OBJECT_BLOB, &o, err);
    if (rc != FW_OK)
        return rc;
    const char *p = git_odb_object_data(o);
    for (size_t n = git_odb_object_size(o); n && rc == FW_OK;) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0) {
            rc = fw_err_sys(err, errno, "cannot write %s", path);
            break;
        }
        p += w;
        n -= (size_t)w;
    }
    git_odb_object_free(o);
    return rc;
}

/* A pool file is believed when it has the blob's size: it gets its name only once it is whole, and
 * a power cut can at most leave it short. */
static bool in_pool(struct fw_repo *r, const git_oid *oid, const char *path)
{
    struct stat st;
    size_t size;
    git_object_t type;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           git_odb_read_header(&size, &type, r->odb, oid) == 0 && (size_t)st.st_size == size;
}

static int pool_path(struct fw_repo *r, const git_oid *oid, char out[PATH_MAX], struct fw_err *err)
{
    char hex[FW_OID_HEX];
    fw_oid_hex(oid, hex);
    int n = snprintf(out, PATH_MAX, "%s/files/%.2s/%s", r->state_dir, hex, hex);
    return n > 0 && n < PATH_MAX - 16
               ? FW_OK
               : fw_err_set(err, FW_EINVAL, "path too long: %s", r->state_dir);
}

static int fill_pool(struct fw_repo *r, const git_oid *oid, const char *path, struct fw_err *err)
{
    char tmp[PATH_MAX + 8];
    if (in_pool(r, oid, path))
        return FW_OK;
    snprintf(tmp, sizeof tmp, "%s", path);
    *strrchr(tmp, '/') = '\0';
    int rc = fw_fs_mkdirs(tmp, err);
    if (rc != FW_OK)
        return rc;
    snprintf(tmp, sizeof tmp, "%s.XXXXXX", path);
    int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return fw_err_sys(err, errno, "cannot create a file in %s", r->state_dir);
    rc = write_blob(r, oid, fd, path, err);
    if (rc == FW_OK && fchmod(fd, 0444) != 0)
        rc = fw_err_sys(err, errno, "cannot write %s", path);
    if (close(fd) != 0 && rc == FW_OK)
        rc = fw_err_sys(err, errno, "cannot write %s", path);
    if (rc == FW_OK && rename(tmp, path) != 0)
        rc = fw_err_sys(err, errno, "cannot write %s", path);
    if (rc != FW_OK)
        unlink(tmp);
    return rc;
}

static int place_own(struct fw_repo *r, const git_oid *oid, const char *path, struct fw_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return fw_err_sys(err, errno, "cannot write %s", path);
    int rc = write_blob(r, oid, fd, path, err);
    if (close(fd) != 0 && rc == FW_OK)
        rc = fw_err_sys(err, errno, "cannot write %s", path);
    return rc;
}

/* Folders on the way to path; most are there already, so the link is tried first by the caller. */
static int make_parent(char *path, struct fw_err *err)
{
    char *slash = strrchr(path, '/');
    *slash = '\0';
    int rc = fw_fs_mkdirs(path, err);
    *slash = '/';
    return rc;
}

int fw_blob_place(struct fw_repo *r, const git_oid *oid, const char *root, const char *name,
                  bool own, struct fw_err *err)
{
    char pool[PATH_MAX];
    char *path = fw_fs_join(root, name);
    int rc = path ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && !fw_fs_rel_is_safe(name))
        rc = fw_err_set(err, FW_ECORRUPT, "'%.300s' in the snapshot leaves the dataset", name);
    if (rc == FW_OK && own) {
        rc = make_parent(path, err);
        rc = rc == FW_OK ? place_own(r, oid, path, err) : rc;
        goto out;
    }
    if (rc == FW_OK)
        rc = pool_path(r, oid, pool, err);
    if (rc == FW_OK)
        rc = fill_pool(r, oid, pool, err);
    if (rc != FW_OK || link(pool, path) == 0)
        goto out;
    if (errno == ENOENT) {
        if ((rc = make_parent(path, err)) != FW_OK || link(pool, path) == 0)
            goto out;
    }
    if (errno == EEXIST)
        goto out; /* two rows name one file */
    /* too many links to one content, or a file system without links */
    rc = fw_fs_copy(pool, path, err);
out:
    free(path);
    return rc;
}

int fw_sync_all(const char *path, struct fw_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fw_err_sys(err, errno, "cannot open %s", path);
    int rc = syncfs(fd) == 0 ? FW_OK : fw_err_sys(err, errno, "cannot sync %s", path);
    close(fd);
    return rc;
}
