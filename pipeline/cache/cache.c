#include "pipeline/cache/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/fs.h"
#include "pipeline/journal/journal.h"

#define BUILDING "new."

/* result.json is one checksummed line {"result": ..., "files": {"out/model": size, ...}, "sum"}. */

int fw_cache_key(const json_t *recipe, char key[FW_SHA256_HEX], struct fw_err *err)
{
    char *text = json_dumps(recipe, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text)
        return fw_err_set(err, FW_EINVAL, "a stage's recipe cannot be written as JSON");
    int rc = fw_sha256_bytes(text, strlen(text), key, err);
    free(text);
    return rc;
}

static int cache_dir(const char *state_dir, char out[PATH_MAX], struct fw_err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/cache", state_dir);
    return n < 0 || n > PATH_MAX - 128 ? fw_err_set(err, FW_EINVAL, "path too long: %s", state_dir)
                                       : FW_OK;
}

static bool key_is_good(const char *key)
{
    return strlen(key) == FW_SHA256_HEX - 1 && strspn(key, "0123456789abcdef") == 64;
}

static int entry_dir(const char *state_dir, const char *key, char out[PATH_MAX], struct fw_err *err)
{
    if (!key_is_good(key))
        return fw_err_set(err, FW_EINVAL, "'%.80s' is no cache key", key);
    int rc = cache_dir(state_dir, out, err);
    size_t n = rc == FW_OK ? strlen(out) : 0;
    if (rc == FW_OK)
        snprintf(out + n, PATH_MAX - n, "/%s", key);
    return rc;
}

char *fw_cache_path(const char *state_dir, const char *key, const char *rel)
{
    struct fw_buf b = {0};
    fw_buf_printf(&b, "%s/cache/%s/%s", state_dir, key, rel);
    return fw_buf_steal(&b);
}

/* ---- reading ---- */

static bool outputs_are_there(const char *dir, const json_t *entry)
{
    const json_t *files = json_object_get(entry, "files");
    const json_t *outputs = json_object_get(json_object_get(entry, "result"), "outputs");
    const char *name;
    json_t *value;
    struct stat st;
    char path[PATH_MAX];
    if (!json_is_object(files))
        return false;
    json_object_foreach((json_t *)files, name, value)
    {
        snprintf(path, sizeof path, "%s/%s", dir, name);
        if (!fw_fs_rel_is_safe(name) || lstat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
            !json_is_integer(value) || st.st_size != (off_t)json_integer_value(value))
            return false;
    }
    json_object_foreach((json_t *)outputs, name, value)
    {
        const char *rel = json_string_value(json_object_get(value, "path"));
        if (!rel || !fw_fs_rel_is_safe(rel))
            return false;
        snprintf(path, sizeof path, "%s/%s", dir, rel);
        if (lstat(path, &st) != 0)
            return false;
    }
    return true;
}

/* The entry's content, or NULL when it does not verify. */
static json_t *entry_load(const char *dir)
{
    char path[PATH_MAX + 16];
    struct fw_buf text = {0};
    json_t *entry = NULL;
    snprintf(path, sizeof path, "%s/result.json", dir);
    if (fw_fs_read(path, 0, &text, NULL) == FW_OK && text.len && text.p[text.len - 1] == '\n')
        entry = fw_sum_decode(text.p, text.len - 1);
    fw_buf_release(&text);
    if (entry && outputs_are_there(dir, entry))
        return entry;
    json_decref(entry);
    return NULL;
}

int fw_cache_get(const char *state_dir, const char *key, json_t **result, struct fw_err *err)
{
    char dir[PATH_MAX];
    int rc = entry_dir(state_dir, key, dir, err);
    if (rc != FW_OK)
        return rc;
    struct stat st;
    if (lstat(dir, &st) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return fw_err_set(err, FW_ENOTFOUND, "no result with this key");
    json_t *entry = entry_load(dir);
    if (!entry) {
        rc = fw_fs_remove(dir, err);
        return rc != FW_OK ? rc : fw_err_set(err, FW_ENOTFOUND, "the stored result was damaged");
    }
    *result = json_incref(json_object_get(entry, "result"));
    json_decref(entry);
    return FW_OK;
}

/* ---- writing ---- */

struct seal {
    const char *root;
    json_t *files;
    char last[PATH_MAX]; /* the folder synced last: files come in path order */
};

/* Syncs one output, makes it read-only and notes its size. */
static int seal_file(void *ctx, const char *rel, const struct stat *st, struct fw_err *err)
{
    struct seal *seal = ctx;
    char path[PATH_MAX], name[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", seal->root, rel);
    snprintf(name, sizeof name, "out/%s", rel);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return fw_err_sys(err, errno, "cannot open %s", path);
    int rc = FW_OK;
    if (fchmod(fd, st->st_mode & 0555) != 0 || fsync(fd) != 0)
        rc = fw_err_sys(err, errno, "cannot sync %s", path);
    close(fd);
    if (rc == FW_OK &&
        json_object_set_new(seal->files, name, json_integer((json_int_t)st->st_size)) != 0)
        rc = fw_err_nomem(err);
    *strrchr(path, '/') = '\0';
    if (rc != FW_OK || strcmp(path, seal->last) == 0)
        return rc;
    memcpy(seal->last, path, strlen(path) + 1);
    for (size_t root = strlen(seal->root); rc == FW_OK && strlen(path) >= root;) {
        rc = fw_fs_sync(path, err); /* the folder and those above it that name it */
        *strrchr(path, '/') = '\0';
    }
    return rc;
}

static int write_result(const char *dir, const json_t *result, json_t *files, struct fw_err *err)
{
    char path[PATH_MAX + 16];
    struct fw_buf line = {0};
    json_t *entry = json_pack("{s:O,s:O}", "result", result, "files", files);
    snprintf(path, sizeof path, "%s/result.json", dir);
    int rc = entry ? fw_sum_encode(entry, &line, err) : fw_err_nomem(err);
    /* Needs no rename of its own, the folder is not in place yet. */
    int fd = rc == FW_OK ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
    if (rc == FW_OK && fd < 0)
        rc = fw_err_sys(err, errno, "cannot create %s", path);
    for (size_t at = 0; rc == FW_OK && at < line.len;) {
        ssize_t n = write(fd, line.p + at, line.len - at);
        if (n < 0 && errno != EINTR)
            rc = fw_err_sys(err, errno, "cannot write %s", path);
        at += n > 0 ? (size_t)n : 0;
    }
    if (rc == FW_OK && fsync(fd) != 0)
        rc = fw_err_sys(err, errno, "cannot sync %s", path);
    if (fd >= 0)
        close(fd);
    fw_buf_release(&line);
    json_decref(entry);
    return rc;
}

/* Puts the finished folder in place; when another was quicker, the new one is dropped. */
static int publish(const char *built, const char *dir, struct fw_err *err)
{
    if (rename(built, dir) == 0)
        return FW_OK;
    if (errno == ENOTEMPTY || errno == EEXIST)
        return fw_fs_remove(built, err);
    return fw_err_sys(err, errno, "cannot put a result into the cache: %s", dir);
}

static int build(const char *cache, const char *dir, const char *out_dir, const json_t *result,
                 struct fw_err *err)
{
    char built[PATH_MAX], out[PATH_MAX + 16];
    struct seal seal = {.root = out_dir, .files = json_object()};
    snprintf(built, sizeof built, "%.*s/" BUILDING "XXXXXX", PATH_MAX - 16, cache);
    if (!mkdtemp(built)) {
        json_decref(seal.files);
        return fw_err_sys(err, errno, "cannot create a folder in %s", cache);
    }
    (void)chmod(built, 0777 & ~0022);
    int rc = seal.files ? fw_fs_walk(out_dir, seal_file, &seal, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = write_result(built, result, seal.files, err);
    snprintf(out, sizeof out, "%s/out", built);
    if (rc == FW_OK && rename(out_dir, out) != 0)
        rc = fw_err_sys(err, errno, "cannot move %s into the cache", out_dir);
    if (rc == FW_OK)
        rc = fw_fs_sync(built, err);
    if (rc == FW_OK)
        rc = publish(built, dir, err);
    if (rc == FW_OK)
        rc = fw_fs_sync(cache, err);
    else
        (void)fw_fs_remove(built, NULL);
    json_decref(seal.files);
    return rc;
}

int fw_cache_put(const char *state_dir, const char *key, const char *out_dir, const json_t *result,
                 struct fw_err *err)
{
    char cache[PATH_MAX], dir[PATH_MAX];
    int rc = entry_dir(state_dir, key, dir, err);
    if (rc == FW_OK)
        rc = cache_dir(state_dir, cache, err);
    if (rc == FW_OK && !fw_fs_is_dir(cache))
        rc = fw_fs_mkdirs(cache, err);
    if (rc != FW_OK)
        return rc;
    if (fw_fs_exists(dir)) {
        json_t *there = entry_load(dir);
        rc = fw_fs_remove(there ? out_dir : dir, err);
        if (rc != FW_OK || there) {
            json_decref(there);
            return rc;
        }
    }
    return build(cache, dir, out_dir, result, err);
}

int fw_cache_clean(const char *state_dir, struct fw_err *err)
{
    char cache[PATH_MAX], path[PATH_MAX + 300];
    int rc = cache_dir(state_dir, cache, err);
    DIR *d = rc == FW_OK ? opendir(cache) : NULL;
    if (!d)
        return rc != FW_OK || errno == ENOENT ? rc
                                              : fw_err_sys(err, errno, "cannot read %s", cache);
    for (struct dirent *e; rc == FW_OK && (e = readdir(d));) {
        if (strncmp(e->d_name, BUILDING, strlen(BUILDING)) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", cache, e->d_name);
        rc = fw_fs_remove(path, err);
    }
    closedir(d);
    return rc;
}
