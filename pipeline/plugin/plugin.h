/*
 * Plugins, seen from the engine: finding them, reading what they say of themselves, writing the
 * request and the environment of a run, reading the last lines of a log. Files only; processes are
 * exec's.
 */
#ifndef FW_PLUGIN_PLUGIN_H
#define FW_PLUGIN_PLUGIN_H

#include <jansson.h>

#include "pipeline/base/buf.h"
#include "stages/contract.h"

enum { FW_PROTOCOL = 1 };

/* Where plugins are looked for, first hit wins: a name with '/' is a path relative to root; else
 * root/plugins, each folder of $FLYWHEEL_PLUGIN_PATH (relative ones below root), <exe>/plugins,
 * <exe>/../lib/flywheel/plugins. In each folder NAME itself or NAME/NAME. FW_ENOTFOUND: the hint
 * has a near name; FW_EINVAL: not executable. */
int fw_plugin_find(const char *root, const char *name, char **path /* malloc'd, absolute */,
                   struct fw_err *err);
/* All plugins found on the search path, as fw_plugin_find would: an array of {"name", "path"} in
 * the order of names; a new reference, NULL when memory is out. */
json_t *fw_plugin_list(const char *root);

/* Checks the text a plugin printed for `describe` (plugins.md): protocol, name, version, kind,
 * inputs, outputs, params, deterministic, network, code. What may be left out is filled in: inputs
 * and outputs (empty), params (none), deterministic (true), network (false), code (empty). */
int fw_plugin_parse_describe(const char *text, size_t n, json_t **out, struct fw_err *err);
/* "kind" may be a name or a list of names. */
bool fw_plugin_has_kind(const json_t *describe, enum fw_kind kind);

/* The digest of what makes up a plugin's behaviour: its own content, its name and version, and its
 * declared `code` (files or folders relative to the plugin's own folder). */
int fw_plugin_digest(const char *path, const json_t *describe, char hex[65], struct fw_err *err);

/* Writes the request of a run where the plugin reads it. Atomic; not synced to disk. */
int fw_request_write(const char *path, const json_t *request, struct fw_err *err);

/*
 * The whole environment of a run as NAME=value strings. One malloc block, NULL-terminated; NULL on
 * failure.
 *
 * From us: PATH, HOME, TMPDIR (the request's scratch folder, else ours), LANG (C.UTF-8), TZ and
 * SOURCE_DATE_EPOCH where set, and OMP_NUM_THREADS, OPENBLAS_NUM_THREADS and MKL_NUM_THREADS from
 * resources.cpus. Then what the stage declares ("NAME=value"), which wins over these but not over
 * the protocol's own: FLYWHEEL_PROTOCOL, FLYWHEEL_EVENTS_FD (3), FLYWHEEL_REQUEST,
 * FLYWHEEL_IN_NAME, FLYWHEEL_OUT_NAME, FLYWHEEL_PARAM_NAME, FLYWHEEL_MATRIX_AXIS, and FLYWHEEL_RUN,
 * _ITERATION, _STAGE, _NODE, _KIND, _SEED, _SCRATCH, _PROJECT, _TASK, _SPLIT, _DEADLINE from the
 * request. Names are upper-cased, other characters become '_'; two that become the same are
 * FW_EINVAL. Text stands as it is, everything else as compact JSON; null is left out, and so is
 * what is over 100 KiB, for the system would not start the program: it is in the request.
 *
 * request and request_path may be NULL (describe).
 */
char **fw_plugin_env(const json_t *request, const char *request_path, const char *const *declared,
                     struct fw_err *err);

/* The last `lines` lines of a log file, each cut at 500 bytes; control characters and what is not
 * UTF-8 made visible, so that no log can steer a terminal. For messages. */
int fw_log_tail(const char *path, int lines, struct fw_buf *out, struct fw_err *err);

#endif
