/*
 * Asking a plugin what it is. The answers are kept in <root>/.flywheel/describe.json, by the
 * plugin's path, size, times and inode and those of its declared code, so that a plugin that has
 * not changed is not asked again. The file may be removed at any time; where it cannot be written
 * nothing is kept. Blocking; any thread.
 */
#ifndef FW_EXEC_DESCRIBE_H
#define FW_EXEC_DESCRIBE_H

#include <jansson.h>

#include "pipeline/base/err.h"

enum { FW_DESCRIBE_MS = 10000 };

/* Finds the plugin and gives its absolute path (malloc'd) and its checked description (new
 * reference). Fits fw_describe_fn but for the context. */
int fw_describe_run(const char *root, const char *plugin, char **path, json_t **describe,
                    struct fw_err *err);
/* Asks the executable at `path`, without the kept answers. root: its working folder (NULL: ours).
 */
int fw_describe_ask(const char *root, const char *path, int64_t timeout_ms, json_t **describe,
                    struct fw_err *err);

#endif
