#include "pipeline/exec/spawn.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pipeline/base/fs.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* ---- why it could not be started ---- */

/* The interpreter named by a script's first line; "" when there is none. */
static void read_interpreter(const char *path, char out[256], char head[4])
{
    char line[256] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : 0;
    if (fd >= 0)
        close(fd);
    out[0] = '\0';
    memcpy(head, line, 4);
    if (n < 3 || line[0] != '#' || line[1] != '!')
        return;
    char *p = line + 2;
    p += strspn(p, " \t");
    size_t len = strcspn(p, " \t\n");
    memcpy(out, p, len);
    out[len] = '\0';
}

static int absent(const char *path, struct fw_err *err)
{
    char interpreter[256], head[4];
    struct stat st;
    if (stat(path, &st) != 0)
        return fw_err_set(err, FW_ENOTFOUND, "cannot run %s: there is no such file", path);
    read_interpreter(path, interpreter, head);
    size_t n = strlen(interpreter);
    if (n && interpreter[n - 1] == '\r') {
        fw_err_set(err, FW_EINVAL, "cannot run %s: its lines end in CR LF", path);
        fw_err_hint(err, "convert it to Unix line ends: sed -i 's/\\r$//' %s", path);
    } else if (n) {
        fw_err_set(err, FW_EINVAL, "cannot run %s: its interpreter %s does not exist", path,
                   interpreter);
        fw_err_hint(err, "install it, or correct the first line of the script");
    } else {
        fw_err_set(err, FW_EINVAL, "cannot run %s: a library loader it needs does not exist", path);
        fw_err_hint(err, "it was built for another system; build it here");
    }
    return FW_EINVAL;
}

static int refused(const char *path, struct fw_err *err)
{
    char interpreter[256], head[4];
    if (fw_fs_is_dir(path))
        return fw_err_set(err, FW_EINVAL, "cannot run %s: it is a folder", path);
    read_interpreter(path, interpreter, head);
    if (fw_fs_is_executable(path) && interpreter[0])
        return fw_err_set(err, FW_EINVAL, "cannot run %s: its interpreter %s is not executable",
                          path, interpreter);
    fw_err_set(err, FW_EINVAL, "cannot run %s: it is not executable", path);
    if (!fw_fs_is_executable(path))
        fw_err_hint(err, "chmod +x %s", path);
    return FW_EINVAL;
}

static int no_program(const char *path, struct fw_err *err)
{
    char interpreter[256], head[4];
    read_interpreter(path, interpreter, head);
    if (memcmp(head, "\177ELF", 4) == 0)
        return fw_err_set(err, FW_EINVAL, "cannot run %s: it is a program for another machine",
                          path);
    fw_err_set(err, FW_EINVAL, "cannot run %s: it is neither a program nor a script with #!", path);
    fw_err_hint(err, "if it is a shell script, add #!/bin/sh as the first line");
    return FW_EINVAL;
}

static int explain(const char *path, const char *cwd, int e, struct fw_err *err)
{
    if (cwd && !fw_fs_is_dir(cwd))
        return fw_err_set(err, FW_ENOTFOUND, "cannot run %s: its working folder %s does not exist",
                          path, cwd);
    char *full = fw_fs_join(cwd && strchr(path, '/') ? cwd : ".", path);
    const char *shown = full && path[0] != '/' && cwd ? full : path;
    int rc;
    if (!full)
        rc = fw_err_nomem(err);
    else if (e == ENOENT || e == ENOTDIR)
        rc = absent(shown, err);
    else if (e == EACCES || e == EPERM)
        rc = refused(shown, err);
    else if (e == ENOEXEC)
        rc = no_program(shown, err);
    else
        rc = fw_err_sys(err, e, "cannot run %s", path);
    if (e == E2BIG)
        fw_err_hint(err, "its parameters or environment are too long for the system");
    else if (e == EAGAIN)
        fw_err_hint(err, "raise the limit of processes (ulimit -u), or run fewer stages at once");
    free(full);
    return rc;
}

/* ---- starting ---- */

static const char *env_get(const char *const *env, const char *name)
{
    size_t n = strlen(name);
    for (; env && *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    return NULL;
}

/* A name without '/' is looked up in PATH; relative folders in it do not count. */
static int look_up(const struct fw_spawn *s, char out[PATH_MAX], struct fw_err *err)
{
    const char *name = s->argv[0], *path = env_get(s->env, "PATH");
    bool seen = false;
    if (!name[0])
        return fw_err_set(err, FW_EINVAL, "the command is empty");
    if (strchr(name, '/')) {
        if ((size_t)snprintf(out, PATH_MAX, "%s", name) >= PATH_MAX)
            return fw_err_set(err, FW_EINVAL, "the command's path is too long");
        return FW_OK;
    }
    for (const char *p = path ? path : DEFAULT_PATH; *p; p += *p == ':') {
        size_t n = strcspn(p, ":");
        int len = *p == '/' ? snprintf(out, PATH_MAX, "%.*s/%s", (int)n, p, name) : PATH_MAX;
        p += n;
        if (len >= PATH_MAX || !fw_fs_exists(out))
            continue;
        if (fw_fs_is_executable(out))
            return FW_OK;
        seen = true;
    }
    fw_err_set(err, FW_ENOTFOUND, "cannot run '%s': %s in PATH (%s)", name,
               seen ? "what has this name is not executable" : "it is not found",
               path ? path : DEFAULT_PATH);
    fw_err_hint(err, "install it, or write its path");
    return FW_ENOTFOUND;
}

static const char **env_with_token(const struct fw_spawn *s)
{
    size_t n = 0, k = 0;
    while (s->env && s->env[n])
        n++;
    const char **env = calloc(n + 2, sizeof *env);
    if (!env)
        return NULL;
    if (s->token)
        env[k++] = s->token;
    size_t name = s->token ? strcspn(s->token, "=") + 1 : 0;
    for (size_t i = 0; i < n; i++)
        if (!s->token || strncmp(s->env[i], s->token, name) != 0)
            env[k++] = s->env[i];
    return env;
}

static int set_actions(const struct fw_spawn *s, posix_spawn_file_actions_t *fa)
{
    int e = posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDONLY, 0);
    if (!e)
        e = posix_spawn_file_actions_adddup2(fa, s->out, 1);
    if (!e)
        e = posix_spawn_file_actions_adddup2(fa, s->err, 2);
    if (!e && s->events >= 0)
        e = posix_spawn_file_actions_adddup2(fa, s->events, 3);
    if (!e)
        e = posix_spawn_file_actions_addclosefrom_np(fa, s->events >= 0 ? 4 : 3);
    if (!e && s->cwd)
        e = posix_spawn_file_actions_addchdir_np(fa, s->cwd);
    return e;
}

static int set_attr(posix_spawnattr_t *attr)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int e = posix_spawnattr_setsigdefault(attr, &all);
    if (!e)
        e = posix_spawnattr_setsigmask(attr, &none);
    if (!e)
        e = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
                                               POSIX_SPAWN_SETSIGMASK);
    return e;
}

/* The child inherits the CPU set of the thread that starts it, so it never sees another one. */
static int spawn_on_cpus(const struct fw_spawn *s, const char *path, const char **env, pid_t *pid,
                         const posix_spawn_file_actions_t *fa, const posix_spawnattr_t *attr)
{
    cpu_set_t old;
    bool moved = s->cpus && sched_getaffinity(0, sizeof old, &old) == 0 &&
                 sched_setaffinity(0, sizeof *s->cpus, s->cpus) == 0;
    int e = posix_spawn(pid, path, fa, attr, (char *const *)s->argv, (char *const *)env);
    if (moved)
        (void)sched_setaffinity(0, sizeof old, &old);
    return e;
}

int fw_spawn(const struct fw_spawn *s, pid_t *pid, struct fw_err *err)
{
    char path[PATH_MAX];
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    int rc = look_up(s, path, err);
    if (rc != FW_OK)
        return rc;
    const char **env = env_with_token(s);
    if (!env || posix_spawn_file_actions_init(&fa) != 0) {
        free(env);
        return fw_err_nomem(err);
    }
    int e = posix_spawnattr_init(&attr);
    if (!e) {
        e = set_actions(s, &fa);
        if (!e)
            e = set_attr(&attr);
        if (!e)
            e = spawn_on_cpus(s, path, env, pid, &fa, &attr);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&fa);
    free(env);
    if (e)
        return explain(path, s->cwd, e, err);
    if (s->nice > 0) /* its group is its own, so this reaches what it may have started already */
        (void)setpriority(PRIO_PGRP, (id_t)*pid, getpriority(PRIO_PROCESS, 0) + s->nice);
    return FW_OK;
}
