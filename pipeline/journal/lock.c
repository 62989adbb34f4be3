#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/base/clock.h"
#include "pipeline/base/fs.h"
#include "pipeline/journal/journal.h"

enum { POLL_MS = 100, PATIENCE_POLLS = 2 }; /* a look by `status` lasts no longer than that */

struct fw_lock {
    int fd;
};

/* The holder says who it is; nothing depends on it, so failures do not count. */
static void say_who(int fd, const char *command)
{
    char host[256] = "", since[FW_ISO_LEN];
    gethostname(host, sizeof host - 1);
    fw_clock_iso(time(NULL), since);
    json_t *who = json_pack("{s:i,s:s,s:s?,s:s}", "pid", (int)getpid(), "host", host, "command",
                            command, "since", since);
    char *text = who ? json_dumps(who, JSON_COMPACT) : NULL;
    if (text && ftruncate(fd, 0) == 0 && pwrite(fd, text, strlen(text), 0) < 0)
        (void)!ftruncate(fd, 0);
    free(text);
    json_decref(who);
}

static int busy(int fd, const char *path, struct fw_err *err)
{
    char text[1024];
    ssize_t n = pread(fd, text, sizeof text, 0);
    json_t *who = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
    const char *host = NULL, *command = NULL, *since = NULL;
    int pid = 0;
    if (who && json_unpack(who, "{s:i,s:s,s?s,s:s}", "pid", &pid, "host", &host, "command",
                           &command, "since", &since) == 0)
        fw_err_set(err, FW_EBUSY, "the project is in use by %s (pid %d on %s, since %s)",
                   command && *command ? command : "another process", pid, host, since);
    else
        fw_err_set(err, FW_EBUSY, "the project is in use by another process, which holds %s", path);
    fw_err_hint(err, "wait until it has ended, or give --wait");
    json_decref(who);
    return FW_EBUSY;
}

static int acquire(int fd, const char *path, bool wait, struct fw_err *err)
{
    const struct timespec nap = {.tv_nsec = POLL_MS * 1000000L};
    for (int polls = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; polls++) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return fw_err_sys(err, errno, "cannot lock %s", path);
        if (!wait && polls == PATIENCE_POLLS)
            return busy(fd, path, err);
        if (nanosleep(&nap, NULL) != 0)
            return fw_err_set(err, FW_ECANCELLED, "interrupted while waiting for the project");
    }
    return FW_OK;
}

int fw_lock_take(const char *state_dir, const char *command, bool wait, struct fw_lock **out,
                 struct fw_err *err)
{
    int fd = -1, rc = fw_fs_mkdirs(state_dir, err);
    char *path = fw_fs_join(state_dir, "lock");
    struct fw_lock *lock = calloc(1, sizeof *lock);
    if (rc == FW_OK && (!path || !lock))
        rc = fw_err_nomem(err);
    if (rc == FW_OK && (fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0)
        rc = fw_err_sys(err, errno, "cannot open %s", path);
    if (rc == FW_OK)
        rc = acquire(fd, path, wait, err);
    if (rc == FW_OK) {
        say_who(fd, command);
        lock->fd = fd;
        *out = lock;
    } else {
        if (fd >= 0)
            close(fd);
        free(lock);
    }
    free(path);
    return rc;
}

bool fw_lock_held(const char *state_dir)
{
    char *path = fw_fs_join(state_dir, "lock");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    free(path);
    return held;
}

void fw_lock_release(struct fw_lock *lock)
{
    if (!lock)
        return;
    (void)!ftruncate(lock->fd, 0); /* nobody now; the file stays: removing it would race */
    close(lock->fd);
    free(lock);
}
