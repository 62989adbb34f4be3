/* Parts of the conformance suite, for conform.c alone. */
#ifndef FW_EXEC_CONFORM_CHECK_H
#define FW_EXEC_CONFORM_CHECK_H

#include "pipeline/exec/conform.h"
#include "pipeline/exec/conform_data.h"
#include "pipeline/exec/trial.h"

/* Adds a check; out of memory is remembered in c->nomem. */
void fw_conform_add(struct fw_conform *c, enum fw_verdict verdict, const char *name,
                    const char *reason, const char *detail);

/* describe: answers, the same twice, soon. Fills c->describe, or returns false. */
bool fw_conform_describe(const struct fw_conform_options *options, struct fw_conform *c);
/* The parameters' schema: defaults fit, wrong values are refused. *params: those to run with, a new
 * reference; false when there are none. */
bool fw_conform_params(const struct fw_conform_options *options, struct fw_conform *c,
                       json_t **params);
/* Fixes of a patch name samples of the dataset as they are. FW_EINVAL with the reason. */
int fw_conform_patch(const char *patch, const char *dataset, struct fw_err *err);

#endif
