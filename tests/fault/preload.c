/*
 * LD_PRELOAD library for the fault tests: counts the calls of the program under test that change
 * the disk, and makes the N-th one the last or a failure. The engine itself has no test hooks.
 *
 *   FAULT_CALLS  which calls count: "write,sync,rename,open,mkdir,read,spawn" (any of them)
 *   FAULT_PATH   count only calls on a path that holds this text
 *   FAULT_AT     which call, from 1
 *   FAULT_DO     kill: SIGKILL before it. torn: half of the write, then SIGKILL. Else the name of
 *                an error (ENOSPC, EIO, EMFILE, EAGAIN), which that call gives
 *   FAULT_STAYS  set: every later call counted fails as well, as on a disk that is full
 *   FAULT_FIRED  a file that is made when the fault was reached
 *
 * "open" counts only opening for writing. Programs that the engine starts get an environment
 * without LD_PRELOAD, so only the engine is hit.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long count;

static bool listed(const char *call)
{
    const char *list = getenv("FAULT_CALLS"), *at = list ? strstr(list, call) : NULL;
    size_t n = strlen(call);
    return at && (at == list || at[-1] == ',') && (at[n] == ',' || !at[n]);
}

static bool about(const char *path, int fd)
{
    char link[64], target[4096];
    const char *wanted = getenv("FAULT_PATH");
    if (!path) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        /* Pipes, terminals and the null device are not the disk. */
        if (target[0] != '/' || (!strncmp(target, "/dev/", 5) && strncmp(target, "/dev/shm/", 9)))
            return false;
        path = target;
    }
    return !wanted || strstr(path, wanted);
}

static int error_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EMFILE", EMFILE}, {"EAGAIN", EAGAIN}};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (!strcmp(errors[i].name, name))
            return errors[i].number;
    return EIO;
}

/* By system calls, for open() itself is counted. */
static void fired(void)
{
    const char *path = getenv("FAULT_FIRED");
    long fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (fd >= 0)
        syscall(SYS_close, fd);
}

/* 0: go on with the call. Else it fails with errno set. data: of a write, for a torn one. */
static int fault(const char *call, const char *path, int fd, const void *data, size_t n)
{
    const char *at = getenv("FAULT_AT"), *what = getenv("FAULT_DO");
    int saved = errno;
    if (!at || !what || !listed(call) || !about(path, fd)) {
        errno = saved;
        return 0;
    }
    long k = atomic_fetch_add(&count, 1) + 1, wanted = atol(at);
    errno = saved;
    if (k < wanted || (k > wanted && !getenv("FAULT_STAYS")))
        return 0;
    fired();
    if (!strcmp(what, "torn") && data)
        syscall(SYS_write, fd, data, n / 2);
    if (!strcmp(what, "torn") || !strcmp(what, "kill"))
        raise(SIGKILL);
    errno = error_number(what);
    return -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t n)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = REAL(write);
    return fault("write", NULL, fd, data, n) ? -1 : real(fd, data, n);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    return fault("write", NULL, fd, NULL, 0) ? -1 : REAL(writev)(fd, v, n);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
    return fault("write", NULL, fd, NULL, 0) ? -1 : REAL(pwrite64)(fd, data, n, at);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
    return fault("write", NULL, fd, NULL, 0) ? -1 : REAL(pwrite)(fd, data, n, at);
}

ssize_t copy_file_range(int in, off64_t *a, int out, off64_t *b, size_t n, unsigned flags)
{
    return fault("write", NULL, out, NULL, 0) ? -1 : REAL(copy_file_range)(in, a, out, b, n, flags);
}

int ftruncate(int fd, off_t n)
{
    return fault("write", NULL, fd, NULL, 0) ? -1 : REAL(ftruncate)(fd, n);
}

int fsync(int fd)
{
    return fault("sync", NULL, fd, NULL, 0) ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
    return fault("sync", NULL, fd, NULL, 0) ? -1 : REAL(fdatasync)(fd);
}

int rename(const char *from, const char *to)
{
    return fault("rename", to, -1, NULL, 0) ? -1 : REAL(rename)(from, to);
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
    return fault("rename", to, -1, NULL, 0) ? -1 : REAL(renameat2)(a, from, b, to, flags);
}

int link(const char *from, const char *to)
{
    return fault("rename", to, -1, NULL, 0) ? -1 : REAL(link)(from, to);
}

int symlink(const char *from, const char *to)
{
    return fault("rename", to, -1, NULL, 0) ? -1 : REAL(symlink)(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    return fault("mkdir", path, -1, NULL, 0) ? -1 : REAL(mkdir)(path, mode);
}

ssize_t read(int fd, void *data, size_t n)
{
    static ssize_t (*real)(int, void *, size_t);
    if (!real)
        real = REAL(read);
    return fault("read", NULL, fd, NULL, 0) ? -1 : real(fd, data, n);
}

ssize_t pread64(int fd, void *data, size_t n, off64_t at)
{
    return fault("read", NULL, fd, NULL, 0) ? -1 : REAL(pread64)(fd, data, n, at);
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attr, char *const *argv, char *const *env)
{
    return fault("spawn", path, -1, NULL, 0)
               ? errno
               : REAL(posix_spawn)(pid, path, actions, attr, argv, env);
}

static int open_fault(const char *path, int flags)
{
    return (flags & O_ACCMODE) == O_RDONLY ? 0 : fault("open", path, -1, NULL, 0);
}

#define MODE(flags, mode)                                                                          \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                         \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        mode = va_arg(ap, mode_t);                                                                 \
        va_end(ap);                                                                                \
    }

int open(const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_fault(path, flags) ? -1 : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_fault(path, flags) ? -1 : REAL(open64)(path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_fault(path, flags) ? -1 : REAL(openat)(dir, path, flags, mode);
}
