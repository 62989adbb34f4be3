/*
 * The plugin's side of protocol 1, for the plugins written in C here: reads $FLYWHEEL_REQUEST,
 * writes events to file descriptor $FLYWHEEL_EVENTS_FD.
 *
 *     int main(int argc, char **argv) { return fw_plugin_main(argc, argv, DESCRIBE_JSON, run); }
 *
 * run() returns FW_OK, FW_EWAITING (exit 75) or a failure (exit 1, the error goes to stderr).
 */
#ifndef FW_STAGES_REQUEST_H
#define FW_STAGES_REQUEST_H

#include <jansson.h>
#include <stdint.h>

#include "stages/contract.h"

struct fw_request {
    json_t *json;
    const char *run, *stage, *node, *kind, *scratch, *project;
    int iteration;
    uint64_t seed;
    struct fw_task_info task;
    json_t *params; /* validated, defaults filled in */
};

/* NULL when the request has no such input. Absolute path. */
const char *fw_request_in(const struct fw_request *r, const char *name);
const char *fw_request_out(const struct fw_request *r, const char *name);
double fw_request_num(const struct fw_request *r, const char *param);
const char *fw_request_str(const struct fw_request *r, const char *param); /* NULL when absent */
/* How many samples a relabel or collection stage may look at or add in this iteration, when the
 * engine divides the budget (`loop: {split: N}`); else `own`, what the stage would do by itself. */
double fw_request_quota(const struct fw_request *r, double own);
bool fw_request_bool(const struct fw_request *r, const char *param);

void fw_event_progress(double done, double total, const char *unit);
void fw_event_metric(const char *name, double value, int step);
void fw_event_message(const char *level, const char *fmt, ...) FW_PRINTF(2, 3);
void fw_event_waiting(const char *reason, int count, int poll_after_seconds);

typedef int fw_plugin_run_fn(const struct fw_request *request, struct fw_err *err);
int fw_plugin_main(int argc, char **argv, const char *describe_json, fw_plugin_run_fn *run);

#endif
