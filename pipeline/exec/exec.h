/*
 * Where processes run. Local executor on libuv; the caller's loop and thread. The interface is
 * small enough for another executor behind it.
 *
 * One process: own session and group, stdin /dev/null, stdout and stderr appended to a log file,
 * events as JSON lines on descriptor 3 (a real pipe), no other descriptor. It is over when it has
 * exited and the event pipe is at its end or the drain time has passed; then whatever is left of
 * its group, and descendants that left the group, is killed, and on_exit is called exactly once,
 * after which the handle is gone.
 *
 * Descendants that left the group are told by FLYWHEEL_TOKEN, which is put into the environment,
 * and by the engine being made a subreaper on the first start (see tree.h).
 */
#ifndef FW_EXEC_EXEC_H
#define FW_EXEC_EXEC_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "pipeline/base/err.h"

enum fw_exit_kind {
    FW_EXIT_CODE,   /* exited by itself: code */
    FW_EXIT_SIGNAL, /* killed by a signal we did not send: signal */
    FW_EXIT_TIMEOUT,
    FW_EXIT_OOM,       /* over its memory limit */
    FW_EXIT_LOG_LIMIT, /* wrote more log than allowed */
    FW_EXIT_STOPPED    /* fw_exec_stop() was called */
};

struct fw_exit {
    enum fw_exit_kind kind;
    int code, signal;
    int64_t wall_ms;
    uint64_t
        max_rss; /* bytes, highest seen of the group; measured only with a memory limit, else 0 */
};

struct fw_exec;

struct fw_exec_spec {
    const char *const
        *argv; /* NULL-terminated; argv[0] is the path or a name looked up in PATH of env */
    const char *const *env; /* NULL-terminated NAME=value, the whole environment */
    const char *cwd;
    const char *log_path; /* created or appended to */
    int64_t timeout_ms;   /* 0 = none */
    int64_t grace_ms;     /* between TERM and KILL; default 5 s when 0 */
    int64_t drain_ms;     /* for the event pipe after exit; default 1 s when 0 */
    uint64_t memory;      /* bytes, whole group; 0 = none */
    uint64_t log_limit;   /* bytes; 0 = 1 GiB */
    double cpus;          /* bound to so many, rounded up; 0 or all of the machine's: not bound */
    int nice;             /* added to ours */
    /* One event object with its fields checked (event.h); borrowed. Other lines, and those longer
     * than 64 KiB, are dropped and counted; a last "message" says so. Of progress events that
     * arrive together only the last is passed on. May be NULL. */
    void (*on_event)(void *ctx, const json_t *event);
    void (*on_exit)(void *ctx, const struct fw_exit *result);
    void *ctx;
};

/* Starts; strings are copied where they are needed after return. On failure no process is left
 * behind and on_exit is not called (a closing handle may need one turn of the loop); the error
 * tells "not found", "not executable", "bad interpreter" apart. */
int fw_exec_start(uv_loop_t *loop, const struct fw_exec_spec *spec, struct fw_exec **out,
                  struct fw_err *err);
/* TERM to the group, KILL after grace. on_exit follows. Safe to call twice. */
void fw_exec_stop(struct fw_exec *x);
int fw_exec_pid(const struct fw_exec *x);

/* Ends with KILL what an engine that was itself killed left running: processes with this
 * FLYWHEEL_PROJECT (as in the request) whose engine is gone. For the start of a run, while the
 * project's lock is held, so that nothing writes into its folders any more. Blocking, a few
 * milliseconds; gives the number of processes. */
int fw_exec_end_orphans(const char *project);

/* Runs a short command to its end and collects what it prints: for `describe`. FW_OK when it was
 * started; *result says how it ended, FW_EXIT_LOG_LIMIT when it printed more than max_out bytes to
 * either. *out and *errors (stderr; may be NULL) are malloc'd, NUL-terminated and cut at max_out.
 * Blocking; makes a loop of its own. */
int fw_exec_capture(const char *const *argv, const char *const *env, const char *cwd,
                    int64_t timeout_ms, size_t max_out, char **out, size_t *out_len, char **errors,
                    struct fw_exit *result, struct fw_err *err);

/* Words of a plain command line ("cp {a} 'b c'"), NULL-terminated, one malloc block (free()). NULL
 * with FW_EINVAL when quotes do not close or it is empty, or FW_ENOTFOUND when it needs a shell
 * (|, >, $, *, ;, &&, cd, ...): then run {"/bin/sh", "-c", command}. */
char **fw_exec_split(const char *command, struct fw_err *err);

#endif
