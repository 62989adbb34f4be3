/* One run of a plugin outside any flywheel: writes its request, runs it to its end, and tells how
 * it went. Blocking; makes its own loop. */
#ifndef FW_EXEC_TRIAL_H
#define FW_EXEC_TRIAL_H

#include "pipeline/base/buf.h"
#include "pipeline/exec/exec.h"
#include "stages/contract.h"

struct fw_trial_spec {
    const char *plugin;  /* absolute path */
    const char *dir;     /* made; everything of this run stands in it */
    const char *project; /* working folder and FLYWHEEL_PROJECT */
    enum fw_kind kind;
    const struct fw_task_info *task;
    const json_t *params;
    const json_t *inputs;  /* name → absolute path */
    const json_t *outputs; /* array of names; each is made as dir/out/NAME */
    int64_t timeout_ms;
    int64_t stop_after_ms; /* > 0: asked to stop after so long */
    int64_t grace_ms;      /* between the request to stop and the end by force */
};

struct fw_trial {
    struct fw_exit exit;
    char *out;             /* dir/out */
    char *log;             /* its path */
    struct fw_buf bad;     /* what was wrong with its events; empty = nothing */
    struct fw_buf waiting; /* the reason of a waiting event */
    size_t events;
};

enum { FW_EXIT_CODE_WAITING = 75 };

int fw_trial_run(const struct fw_trial_spec *spec, struct fw_trial *out, struct fw_err *err);
void fw_trial_release(struct fw_trial *t);
/* "killed by signal 11", "exit 3", "ran out of time", ... */
void fw_trial_ending(const struct fw_trial *t, struct fw_buf *out);

#endif
