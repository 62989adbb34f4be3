#include "pipeline/exec/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/exec/event.h"
#include "pipeline/exec/internal.h"
#include "pipeline/exec/spawn.h"
#include "pipeline/exec/tree.h"

enum {
    GRACE_MS = 5000,
    DRAIN_MS = 1000,
    WATCH_MS = 250,
    LINGER_MS = 20, /* how often is looked whether a stopped group is gone */
    SWEEP_MS = 2,   /* how often is looked whether what was killed is gone */
    SWEEPS = 1000   /* a process in the kernel's hands may not die; do not wait for ever */
};

enum phase {
    RUNNING,
    STOPPING,  /* TERM is sent; KILL follows after the grace */
    KILLING,   /* KILL is sent */
    LINGERING, /* the leader has ended on our TERM; others of the group have the rest of the grace
                */
    DRAINING,  /* it has ended; the event pipe has not */
    SWEEPING,  /* what is left of it is being ended */
    CLOSING
};

/*
 * start → RUNNING → (STOPPING → KILLING →) child ended → (LINGERING →) DRAINING → SWEEPING →
 * CLOSING → on_exit. `timer` serves the phase: timeout, grace, linger, drain, sweep.
 */
struct fw_exec {
    uv_signal_t child;
    uv_pipe_t pipe;
    uv_timer_t timer, watch;
    int open; /* handles not closed yet */
    enum phase phase;
    struct fw_tree_group group;
    struct fw_events events;
    bool pipe_ended;
    int log_fd, err_fd;
    uint64_t log_start, err_start, log_limit, memory;
    int64_t grace_ms, drain_ms;
    uint64_t started, grace_end; /* loop milliseconds */
    int sweeps;
    struct fw_exit result;
    bool exit_known; /* the kind is ours: timeout, stopped, a limit */
    void (*on_exit)(void *ctx, const struct fw_exit *result);
    void *ctx;
};

static void on_timer(uv_timer_t *timer);

static void set_timer(struct fw_exec *x, int64_t ms)
{
    uv_update_time(x->timer.loop); /* the caller may have worked for long since the last turn */
    (void)uv_timer_start(&x->timer, on_timer, (uint64_t)(ms > 0 ? ms : 0), 0);
}

/* ---- the end ---- */

static void discard(struct fw_exec *x)
{
    if (x->log_fd >= 0)
        close(x->log_fd);
    if (x->err_fd >= 0 && x->err_fd != x->log_fd)
        close(x->err_fd);
    free(x);
}

static void on_close(uv_handle_t *handle)
{
    struct fw_exec *x = handle->data;
    if (--x->open)
        return;
    struct fw_exit result = x->result;
    void (*on_exit)(void *, const struct fw_exit *) = x->on_exit;
    void *ctx = x->ctx;
    fw_events_release(&x->events);
    discard(x);
    if (on_exit)
        on_exit(ctx, &result);
}

static void close_all(struct fw_exec *x)
{
    x->phase = CLOSING;
    uv_close((uv_handle_t *)&x->child, on_close);
    uv_close((uv_handle_t *)&x->timer, on_close);
    uv_close((uv_handle_t *)&x->watch, on_close);
    uv_close((uv_handle_t *)&x->pipe, on_close);
}

/* Looks for what is left until there is nothing. The leader stays a zombie meanwhile, so that its
 * number, which names the group, is nobody else's. */
static void sweep(struct fw_exec *x)
{
    if (x->phase != SWEEPING) {
        x->phase = SWEEPING;
        (void)kill(-x->group.pid, SIGKILL);
    }
    if (fw_tree_left(&x->group, true) > 0 && ++x->sweeps < SWEEPS) {
        set_timer(x, SWEEP_MS);
        return;
    }
    (void)waitpid(x->group.pid, NULL, 0);
    fw_tree_leave(&x->group);
    fw_events_end(&x->events);
    /* What flooded its log does not keep the disk full. */
    if (x->result.kind == FW_EXIT_LOG_LIMIT)
        (void)!ftruncate(x->log_fd, (off_t)(x->log_start + x->log_limit));
    uv_update_time(x->timer.loop);
    close_all(x);
}

static void drain(struct fw_exec *x)
{
    x->phase = DRAINING;
    if (x->pipe_ended)
        sweep(x);
    else
        set_timer(x, x->drain_ms);
}

static void linger(struct fw_exec *x)
{
    uint64_t now = uv_now(x->timer.loop);
    x->phase = LINGERING;
    if (now >= x->grace_end || fw_tree_left(&x->group, false) == 0)
        drain(x);
    else
        set_timer(x, LINGER_MS);
}

/* ---- stopping ---- */

static void kill_group(struct fw_exec *x)
{
    x->phase = KILLING;
    uv_timer_stop(&x->timer);
    (void)kill(-x->group.pid, SIGKILL);
}

static void stop(struct fw_exec *x, enum fw_exit_kind why, bool at_once)
{
    if (x->phase != RUNNING)
        return;
    x->exit_known = true;
    x->result.kind = why;
    if (at_once) {
        kill_group(x);
        return;
    }
    x->phase = STOPPING;
    (void)kill(-x->group.pid, SIGTERM);
    (void)kill(-x->group.pid, SIGCONT); /* one that is stopped would not see it */
    set_timer(x, x->grace_ms);
    x->grace_end = uv_now(x->timer.loop) + (uint64_t)x->grace_ms;
}

void fw_exec_stop(struct fw_exec *x)
{
    if (x->phase == DRAINING)
        set_timer(x, 0); /* not here: on_exit never comes from within a call */
    else
        stop(x, FW_EXIT_STOPPED, false);
}

int fw_exec_pid(const struct fw_exec *x)
{
    return x->group.pid;
}

/* ---- what happens ---- */

static void on_timer(uv_timer_t *timer)
{
    struct fw_exec *x = timer->data;
    switch (x->phase) {
    case RUNNING:
        stop(x, FW_EXIT_TIMEOUT, false);
        break;
    case STOPPING:
        kill_group(x);
        break;
    case LINGERING:
        linger(x);
        break;
    case DRAINING:
    case SWEEPING:
        sweep(x);
        break;
    case KILLING:
    case CLOSING:
        break;
    }
}

static void on_child(uv_signal_t *handle, int signum)
{
    (void)signum; /* some child has ended, maybe ours */
    struct fw_exec *x = handle->data;
    siginfo_t info = {0};
    if (x->phase > KILLING)
        return;
    int rc = waitid(P_PID, (id_t)x->group.pid, &info, WEXITED | WNOHANG | WNOWAIT);
    if (rc == 0 && info.si_pid == 0)
        return;
    uv_update_time(handle->loop);
    uv_timer_stop(&x->timer);
    uv_timer_stop(&x->watch);
    x->result.wall_ms = (int64_t)(uv_now(handle->loop) - x->started);
    bool exited = rc == 0 && info.si_code == CLD_EXITED;
    if (!x->exit_known)
        x->result.kind = exited ? FW_EXIT_CODE : FW_EXIT_SIGNAL;
    if (exited)
        x->result.code = info.si_status;
    else
        x->result.signal = rc == 0 ? info.si_status : SIGKILL;
    if (x->phase == STOPPING)
        linger(x);
    else
        drain(x);
}

static uint64_t grown(int fd, uint64_t start)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (uint64_t)st.st_size > start ? (uint64_t)st.st_size - start : 0;
}

static void on_watch(uv_timer_t *timer)
{
    struct fw_exec *x = timer->data;
    if (grown(x->log_fd, x->log_start) > x->log_limit ||
        grown(x->err_fd, x->err_start) > x->log_limit) {
        stop(x, FW_EXIT_LOG_LIMIT, true);
        return;
    }
    if (!x->memory)
        return;
    uint64_t used = fw_tree_memory(&x->group, x->memory);
    if (used > x->result.max_rss)
        x->result.max_rss = used;
    if (used > x->memory)
        stop(x, FW_EXIT_OOM, true);
}

static _Thread_local char read_buf[64 * 1024]; /* filled and emptied within one callback */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(read_buf, sizeof read_buf);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct fw_exec *x = stream->data;
    if (n > 0)
        fw_events_feed(&x->events, buf->base, (size_t)n);
    if (n >= 0)
        return;
    uv_read_stop(stream);
    x->pipe_ended = true;
    if (x->phase == DRAINING)
        set_timer(x, 0);
}

/* ---- starting ---- */

int fw_exec_raise_fd(int fd)
{
    int up = fcntl(fd, F_DUPFD_CLOEXEC, 10), e = errno;
    close(fd);
    errno = e;
    return up;
}

static int open_outputs(struct fw_exec *x, const struct fw_exec_spec *spec,
                        const struct fw_exec_fds *fds, struct fw_err *err)
{
    struct stat st;
    if (fds) {
        x->log_fd = fcntl(fds->out, F_DUPFD_CLOEXEC, 10);
        x->err_fd = fcntl(fds->err, F_DUPFD_CLOEXEC, 10);
    } else {
        int fd = open(spec->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
        if (fd < 0)
            return fw_err_sys(err, errno, "cannot open the log %s", spec->log_path);
        x->log_fd = fw_exec_raise_fd(fd);
        x->err_fd = x->log_fd;
    }
    if (x->log_fd < 0 || x->err_fd < 0)
        return fw_err_sys(err, errno, "cannot start %s", spec->argv[0]);
    x->log_start = fstat(x->log_fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    x->err_start = fstat(x->err_fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    return FW_OK;
}

/* Both ends above the standard descriptors; ours does not block. */
static int make_pipe(int ends[2], const char *what, struct fw_err *err)
{
    int e = uv_pipe(ends, UV_NONBLOCK_PIPE, 0);
    if (e)
        return fw_err_sys(err, -e, "cannot start %s", what);
    for (int i = 0; i < 2; i++)
        if (ends[i] <= 3 && (ends[i] = fw_exec_raise_fd(ends[i])) < 0)
            return fw_err_sys(err, errno, "cannot start %s", what);
    return FW_OK;
}

/* From here on the handles live, and on_close frees. */
static int open_handles(struct fw_exec *x, uv_loop_t *loop, int *pipe_end)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&x->timer, (uv_handle_t *)&x->watch,
                              (uv_handle_t *)&x->pipe, (uv_handle_t *)&x->child};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++)
        handles[i]->data = x;
    /* The first three cannot fail once their arguments are right. */
    (void)uv_timer_init(loop, &x->timer);
    (void)uv_timer_init(loop, &x->watch);
    (void)uv_pipe_init(loop, &x->pipe, 0);
    x->open = 3;
    int e = uv_signal_init(loop, &x->child);
    if (e)
        return e;
    x->open = 4;
    e = uv_signal_start(&x->child, on_child, SIGCHLD);
    if (!e && *pipe_end >= 0) {
        e = uv_pipe_open(&x->pipe, *pipe_end);
        if (!e)
            *pipe_end = -1;
        if (!e)
            e = uv_read_start((uv_stream_t *)&x->pipe, on_alloc, on_read);
    }
    return e;
}

/* The process runs but cannot be looked after: it is ended as if it had not been started. */
static void undo(struct fw_exec *x)
{
    (void)kill(-x->group.pid, SIGKILL);
    siginfo_t info;
    while (waitid(P_PID, (id_t)x->group.pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        ;
    (void)fw_tree_left(&x->group, true);
    (void)waitpid(x->group.pid, NULL, 0);
    fw_tree_leave(&x->group);
    x->on_exit = NULL;
    x->phase = CLOSING;
    uv_close((uv_handle_t *)&x->timer, on_close);
    uv_close((uv_handle_t *)&x->watch, on_close);
    uv_close((uv_handle_t *)&x->pipe, on_close);
    if (x->open == 4)
        uv_close((uv_handle_t *)&x->child, on_close);
}

static struct fw_exec *make(const struct fw_exec_spec *spec)
{
    struct fw_exec *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->log_fd = x->err_fd = -1;
    x->memory = spec->memory;
    x->log_limit = spec->log_limit ? spec->log_limit : (uint64_t)1 << 30;
    x->grace_ms = spec->grace_ms > 0 ? spec->grace_ms : GRACE_MS;
    x->drain_ms = spec->drain_ms > 0 ? spec->drain_ms : DRAIN_MS;
    x->events.on_event = spec->on_event;
    x->events.ctx = x->ctx = spec->ctx;
    x->on_exit = spec->on_exit;
    return x;
}

static int spawn(struct fw_exec *x, const struct fw_exec_spec *spec, int events, struct fw_err *err)
{
    pid_t pid;
    fw_tree_enter(&x->group, spec->cpus);
    struct fw_spawn s = {.argv = spec->argv,
                         .env = spec->env,
                         .cwd = spec->cwd,
                         .token = x->group.token,
                         .out = x->log_fd,
                         .err = x->err_fd,
                         .events = events,
                         .cpus = x->group.has_cpus ? &x->group.cpus : NULL,
                         .nice = spec->nice};
    int rc = fw_spawn(&s, &pid, err);
    if (rc == FW_OK)
        fw_tree_started(&x->group, pid);
    else
        fw_tree_leave(&x->group);
    return rc;
}

int fw_exec_start_with(uv_loop_t *loop, const struct fw_exec_spec *spec,
                       const struct fw_exec_fds *fds, uint64_t watch_ms, struct fw_exec **out,
                       struct fw_err *err)
{
    int ends[2] = {-1, -1};
    struct fw_exec *x = make(spec);
    if (!x)
        return fw_err_nomem(err);
    int rc = open_outputs(x, spec, fds, err);
    if (rc == FW_OK && !fds)
        rc = make_pipe(ends, spec->argv[0], err);
    if (rc == FW_OK)
        rc = spawn(x, spec, ends[1], err);
    if (ends[1] >= 0)
        close(ends[1]);
    if (rc != FW_OK) {
        if (ends[0] >= 0)
            close(ends[0]);
        discard(x);
        return rc;
    }
    x->pipe_ended = ends[0] < 0;
    int e = open_handles(x, loop, &ends[0]);
    if (e) {
        if (ends[0] >= 0)
            close(ends[0]);
        undo(x);
        return fw_err_sys(err, -e, "cannot start %s", spec->argv[0]);
    }
    uv_update_time(loop);
    x->started = uv_now(loop);
    if (spec->timeout_ms > 0)
        set_timer(x, spec->timeout_ms);
    (void)uv_timer_start(&x->watch, on_watch, watch_ms, watch_ms);
    *out = x;
    on_child(&x->child, SIGCHLD); /* it may have ended before the handler stood */
    return FW_OK;
}

int fw_exec_start(uv_loop_t *loop, const struct fw_exec_spec *spec, struct fw_exec **out,
                  struct fw_err *err)
{
    return fw_exec_start_with(loop, spec, NULL, WATCH_MS, out, err);
}
