/*
 * Files and folders. Every write that must survive a crash goes through fw_fs_write_atomic():
 * temporary file beside the target, fsync, rename, fsync of the folder. Blocking; any thread.
 */
#ifndef FW_BASE_FS_H
#define FW_BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "pipeline/base/buf.h"

/* Appends the whole file; max_bytes 0 = no cap, else FW_EINVAL when it is larger. */
int fw_fs_read(const char *path, size_t max_bytes, struct fw_buf *out, struct fw_err *err);
int fw_fs_write_atomic(const char *path, const void *data, size_t n, struct fw_err *err);
/* Writes all n bytes to an open file, through interruptions. 0 or an errno value. */
int fw_fs_write_all(int fd, const void *data, size_t n);
/* As fw_fs_write_atomic but for a tree that is already on disk: fsync file or folder. */
int fw_fs_sync(const char *path, struct fw_err *err);
int fw_fs_rename(const char *from, const char *to, struct fw_err *err); /* + folder fsync */
int fw_fs_mkdirs(const char *path, struct fw_err *err); /* like mkdir -p, 0777&~umask */
/* Removes a file or a tree (makes read-only folders writable first); absent is success. */
int fw_fs_remove(const char *path, struct fw_err *err);
bool fw_fs_exists(const char *path);
bool fw_fs_is_dir(const char *path);
bool fw_fs_is_executable(const char *path); /* a regular file with an x bit for us */
/* a + "/" + b, or b when b is absolute. malloc'd. NULL when memory is out. */
char *fw_fs_join(const char *a, const char *b);
/* The last path component, borrowed. */
const char *fw_fs_base(const char *path);
/* Is `rel` a safe path below a root: relative, no empty, "." or ".." component, no NUL or backslash
 * trickery, not longer than 4096? Purely textual. */
bool fw_fs_rel_is_safe(const char *rel);
/* Opens root/rel for reading without following any symlink that leaves root. fd or negative code.
 */
int fw_fs_open_below(const char *root, const char *rel, struct fw_err *err);
/* Calls fn for each regular file below root in byte order of its relative path; stops on non-zero
 * and returns that. Symlinks and other kinds are reported as an error. Hidden files are included.
 */
typedef int fw_fs_walk_fn(void *ctx, const char *rel, const struct stat *st, struct fw_err *err);
int fw_fs_walk(const char *root, fw_fs_walk_fn *fn, void *ctx, struct fw_err *err);
/* Copies one regular file (reflink or copy_file_range where the system can). Target must not exist.
 */
int fw_fs_copy(const char *from, const char *to, struct fw_err *err);

#endif
