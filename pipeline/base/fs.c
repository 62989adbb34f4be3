#include "pipeline/base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int fw_fs_read(const char *path, size_t max_bytes, struct fw_buf *out, struct fw_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fw_err_sys(err, errno, "cannot open %s", path);
    struct stat st;
    int rc = FW_OK;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        fw_buf_reserve(out, (size_t)st.st_size + 1);
    size_t got = 0;
    for (;;) {
        char *to = fw_buf_reserve(out, 64 * 1024);
        if (!to) {
            rc = fw_err_nomem(err);
            break;
        }
        ssize_t n = read(fd, to, 64 * 1024);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = fw_err_sys(err, errno, "cannot read %s", path);
            break;
        }
        if (n == 0)
            break;
        got += (size_t)n;
        if (max_bytes && got > max_bytes) {
            rc = fw_err_set(err, FW_EINVAL, "%s is larger than %zu bytes", path, max_bytes);
            break;
        }
        out->len += (size_t)n;
    }
    if (out->p)
        out->p[out->len] = '\0';
    close(fd);
    return rc;
}

static int sync_parent(const char *path, struct fw_err *err)
{
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (!slash)
        snprintf(dir, sizeof dir, ".");
    else if (slash == dir)
        slash[1] = '\0';
    else
        *slash = '\0';
    return fw_fs_sync(dir, err);
}

int fw_fs_write_all(int fd, const void *data, size_t n)
{
    const char *p = data;
    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return errno;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

int fw_fs_write_atomic(const char *path, const void *data, size_t n, struct fw_err *err)
{
    char tmp[PATH_MAX];
    int len = snprintf(tmp, sizeof tmp, "%s.XXXXXX", path);
    if (len < 0 || (size_t)len >= sizeof tmp)
        return fw_err_set(err, FW_EINVAL, "path too long: %s", path);
    int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return fw_err_sys(err, errno, "cannot create a file beside %s", path);
    int e = fw_fs_write_all(fd, data, n);
    mode_t mask = umask(0);
    umask(mask);
    if (!e && fchmod(fd, 0666 & ~mask) != 0)
        e = errno;
    if (!e && fsync(fd) != 0)
        e = errno;
    if (close(fd) != 0 && !e)
        e = errno;
    if (!e && rename(tmp, path) != 0)
        e = errno;
    if (e) {
        unlink(tmp);
        return fw_err_sys(err, e, "cannot write %s", path);
    }
    return sync_parent(path, err);
}

int fw_fs_sync(const char *path, struct fw_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fw_err_sys(err, errno, "cannot open %s", path);
    int rc = FW_OK;
    if (fsync(fd) != 0 && errno != EINVAL)
        rc = fw_err_sys(err, errno, "cannot sync %s", path);
    close(fd);
    return rc;
}

int fw_fs_rename(const char *from, const char *to, struct fw_err *err)
{
    if (rename(from, to) != 0)
        return fw_err_sys(err, errno, "cannot rename %s to %s", from, to);
    return sync_parent(to, err);
}

int fw_fs_mkdirs(const char *path, struct fw_err *err)
{
    char tmp[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof tmp)
        return fw_err_set(err, FW_EINVAL, "bad folder name '%s'", path);
    memcpy(tmp, path, n + 1);
    for (char *p = tmp + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char c = *p;
        *p = '\0';
        if (mkdir(tmp, 0777) != 0 && errno != EEXIST)
            return fw_err_sys(err, errno, "cannot create folder %s", tmp);
        *p = c;
        if (!c)
            break;
    }
    if (!fw_fs_is_dir(path))
        return fw_err_sys(err, ENOTDIR, "cannot create folder %s", path);
    return FW_OK;
}

static int remove_at(int at, const char *name)
{
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM && errno != EACCES)
        return errno;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno;
    fchmod(fd, 0700);
    DIR *d = fdopendir(fd);
    if (!d) {
        int e = errno;
        close(fd);
        return e;
    }
    int e = 0;
    for (struct dirent *ent; !e && (ent = readdir(d));) {
        if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
            e = remove_at(fd, ent->d_name);
    }
    closedir(d);
    if (!e && unlinkat(at, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        e = errno;
    return e;
}

int fw_fs_remove(const char *path, struct fw_err *err)
{
    int e = remove_at(AT_FDCWD, path);
    return e ? fw_err_sys(err, e, "cannot remove %s", path) : FW_OK;
}

bool fw_fs_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool fw_fs_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool fw_fs_is_executable(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *fw_fs_join(const char *a, const char *b)
{
    struct fw_buf out = {0};
    if (b[0] != '/') {
        fw_buf_puts(&out, a);
        if (out.len && out.p[out.len - 1] != '/')
            fw_buf_putc(&out, '/');
    }
    fw_buf_puts(&out, b);
    return fw_buf_steal(&out);
}

const char *fw_fs_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool fw_fs_rel_is_safe(const char *rel)
{
    size_t n = strlen(rel);
    if (n == 0 || n > 4096 || rel[0] == '/')
        return false;
    for (const char *p = rel; *p;) {
        size_t len = strcspn(p, "/");
        if (len == 0 || len > 255 || (len == 1 && p[0] == '.') ||
            (len == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += len;
        if (*p == '/' && *++p == '\0')
            return false;
    }
    return true;
}

int fw_fs_open_below(const char *root, const char *rel, struct fw_err *err)
{
    if (!fw_fs_rel_is_safe(rel))
        return fw_err_set(err, FW_EINVAL, "path '%s' leaves the dataset folder", rel);
    char real_root[PATH_MAX], real[PATH_MAX];
    char *path = fw_fs_join(root, rel);
    if (!path)
        return fw_err_nomem(err);
    int fd = -1;
    if (!realpath(root, real_root))
        fd = fw_err_sys(err, errno, "cannot open %s", root);
    else if (!realpath(path, real))
        fd = fw_err_sys(err, errno, "cannot open %s", path);
    else {
        size_t n = strlen(real_root);
        if (strncmp(real, real_root, n) != 0 || (n > 1 && real[n] != '/'))
            fd = fw_err_set(err, FW_EINVAL, "'%s' is a link that leaves the dataset folder", rel);
        else if ((fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
            fd = fw_err_sys(err, errno, "cannot open %s", path);
    }
    free(path);
    return fd;
}

struct names {
    char **v;
    size_t n, cap;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_read(int fd, struct names *out)
{
    DIR *d = fdopendir(fd);
    if (!d)
        return errno;
    int e = 0;
    for (struct dirent *ent; !e && (ent = readdir(d));) {
        if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
            continue;
        if (out->n == out->cap) {
            size_t cap = out->cap ? out->cap * 2 : 32;
            char **v = realloc(out->v, cap * sizeof *v);
            if (!v) {
                e = ENOMEM;
                break;
            }
            out->v = v;
            out->cap = cap;
        }
        if (!(out->v[out->n] = strdup(ent->d_name)))
            e = ENOMEM;
        else
            out->n++;
    }
    closedir(d);
    return e;
}

static int walk_dir(const char *root, struct fw_buf *rel, fw_fs_walk_fn *fn, void *ctx,
                    struct fw_err *err)
{
    struct names names = {0};
    char *dir = fw_fs_join(root, rel->len ? rel->p : ".");
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int rc = FW_OK, e = fd < 0 ? (dir ? errno : ENOMEM) : names_read(fd, &names);
    if (e)
        rc = fw_err_sys(err, e, "cannot read folder %s", dir ? dir : root);
    if (names.n)
        qsort(names.v, names.n, sizeof *names.v, by_name);
    size_t base = rel->len;
    for (size_t i = 0; i < names.n && rc == FW_OK; i++) {
        rel->len = base;
        if (base)
            fw_buf_putc(rel, '/');
        fw_buf_puts(rel, names.v[i]);
        char *path = rel->failed ? NULL : fw_fs_join(root, rel->p);
        struct stat st;
        if (!path)
            rc = fw_err_nomem(err);
        else if (lstat(path, &st) != 0)
            rc = fw_err_sys(err, errno, "cannot read %s", path);
        else if (S_ISDIR(st.st_mode))
            rc = walk_dir(root, rel, fn, ctx, err);
        else if (S_ISREG(st.st_mode))
            rc = fn(ctx, rel->p, &st, err);
        else
            rc = fw_err_set(err, FW_EINVAL, "%s is neither a regular file nor a folder", path);
        free(path);
    }
    rel->len = base;
    if (rel->p)
        rel->p[base] = '\0';
    for (size_t i = 0; i < names.n; i++)
        free(names.v[i]);
    free(names.v);
    free(dir);
    return rc;
}

int fw_fs_walk(const char *root, fw_fs_walk_fn *fn, void *ctx, struct fw_err *err)
{
    struct fw_buf rel = {0};
    int rc = walk_dir(root, &rel, fn, ctx, err);
    fw_buf_release(&rel);
    return rc;
}

static int copy_bytes(int in, int out)
{
    if (ioctl(out, FICLONE, in) == 0)
        return 0;
    for (;;) {
        ssize_t n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);
        if (n == 0)
            return 0;
        if (n < 0)
            break;
    }
    if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return errno;
    char buf[1 << 16];
    for (;;) {
        ssize_t n = read(in, buf, sizeof buf);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        int e = fw_fs_write_all(out, buf, (size_t)n);
        if (e)
            return e;
    }
}

int fw_fs_copy(const char *from, const char *to, struct fw_err *err)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return fw_err_sys(err, errno, "cannot open %s", from);
    struct stat st;
    int out = -1, e = fstat(in, &st) != 0 ? errno : 0;
    if (!e && (out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777)) < 0)
        e = errno;
    if (!e)
        e = copy_bytes(in, out);
    if (out >= 0 && close(out) != 0 && !e)
        e = errno;
    close(in);
    if (e && out >= 0)
        unlink(to);
    return e ? fw_err_sys(err, e, "cannot copy %s to %s", from, to) : FW_OK;
}
