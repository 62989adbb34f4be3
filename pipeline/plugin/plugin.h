/*
 * Plugins, seen from the engine: finding them, describing them, writing the
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
 * root/plugins/NAME, each folder of $FLYWHEEL_PLUGIN_PATH, <exe>/plugins,
 * <exe>/../lib/flywheel/plugins. In each folder NAME itself or NAME/NAME. FW_ENOTFOUND lists near
 * names; FW_EINVAL: not executable. */
int fw_plugin_find(const char *root, const char *name, char **path /* malloc'd, absolute */,
                   struct fw_err *err);
/* All plugins found on the search path: an array of {"name", "path"}; a new reference. */
json_t *fw_plugin_list(const char *root);

/* Checks the text a plugin printed for `describe`: protocol, name, version, kinds, params schema.
 */
int fw_plugin_parse_describe(const char *text, size_t n, json_t **out, struct fw_err *err);
/* "kind" may be a name or a list of names. */
bool fw_plugin_has_kind(const json_t *describe, enum fw_kind kind);

/* The digest of what makes up a plugin's behaviour: its own content and its declared `code`
 * (relative to the plugin's folder). */
int fw_plugin_digest(const char *path, const json_t *describe, char hex[65], struct fw_err *err);

/* The request's environment as NAME=value strings: PATH, HOME, LANG, TMPDIR, what the stage
 * declares, OMP_NUM_THREADS from cpus, and the protocol's own from the request object
 * (FLYWHEEL_REQUEST, FLYWHEEL_IN_<NAME>, FLYWHEEL_OUT_<NAME>, FLYWHEEL_PARAM_<NAME>, FLYWHEEL_SEED,
 * ...; names upper-cased, other characters become '_'). One malloc block, NULL-terminated. */
char **fw_plugin_env(const json_t *request, const char *request_path, const char *const *declared,
                     struct fw_err *err);

/* The last `lines` lines of a log file, control characters made visible; for messages. */
int fw_log_tail(const char *path, int lines, struct fw_buf *out, struct fw_err *err);

#endif
