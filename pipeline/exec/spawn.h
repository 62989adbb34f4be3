/* Starting one process, and saying in plain words why it could not be started. Not thread-bound. */
#ifndef FW_EXEC_SPAWN_H
#define FW_EXEC_SPAWN_H

#include <sched.h>
#include <sys/types.h>

#include "pipeline/base/err.h"

struct fw_spawn {
    const char *const *argv, *const *env;
    const char *cwd;       /* NULL: ours */
    const char *token;     /* "FLYWHEEL_TOKEN=..." put before env, in place of one in it */
    int out, err;          /* become 1 and 2; all three above 3 and close-on-exec */
    int events;            /* becomes 3; -1: 3 is closed */
    const cpu_set_t *cpus; /* NULL: as ours */
    int nice;              /* added to ours */
};

/*
 * posix_spawn: its cost does not grow with our memory, as fork's does (libuv 1.44 forks), and what
 * goes wrong in the child comes back as an errno. The child leads a session of its own, reads
 * nothing from stdin, has default signals and no descriptor but 0 to 3.
 */
int fw_spawn(const struct fw_spawn *spec, pid_t *pid, struct fw_err *err);

#endif
