/*
 * `flywheel plugin test`: does a plugin keep to the protocol? Runs it on a tiny flywheel of its own
 * (conform_data.h) in a temporary folder and says what it found, check by check. Blocking; makes
 * its own loop; prints nothing.
 */
#ifndef FW_EXEC_CONFORM_H
#define FW_EXEC_CONFORM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

enum fw_verdict { FW_VERDICT_OK, FW_VERDICT_FAILED, FW_VERDICT_SKIPPED };

struct fw_check {
    enum fw_verdict verdict;
    char *name;   /* "train makes a model" */
    char *reason; /* why it failed or was skipped, or a remark on success; "" = nothing to add */
    char *detail; /* the last lines of the log, or "" */
};

struct fw_conform {
    size_t n, failed;
    bool nomem; /* a check was lost; fw_conform() then says FW_ENOMEM */
    struct fw_check *checks;
    json_t *describe; /* what the plugin said of itself; NULL when it said nothing usable */
    char *folder;     /* where everything stands; removed already unless options.keep */
};

struct fw_conform_options {
    const char *path;     /* of the plugin, absolute */
    const json_t *params; /* given by the user, or NULL */
    const char *model;    /* for a plugin that evaluates but does not train, or NULL */
    int64_t timeout_ms;   /* of each run; 0 = 60 s */
    bool keep;            /* leave the folder */
};

/* FW_OK when the checks could be made, whatever they found: see failed. Zero-initialise *out and
 * release it in every case. */
int fw_conform(const struct fw_conform_options *options, struct fw_conform *out,
               struct fw_err *err);
void fw_conform_release(struct fw_conform *c);

#endif
