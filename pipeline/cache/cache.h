/*
 * Stage results by content: .flywheel/cache/<key>/{result.json, out/...}. A result enters only
 * complete and verified: it is built beside and renamed in. Content, never mtime. Blocking; any
 * thread. Outputs in the cache are read-only, so that no stage changes another's input.
 */
#ifndef FW_CACHE_CACHE_H
#define FW_CACHE_CACHE_H

#include <jansson.h>

#include "pipeline/base/err.h"
#include "pipeline/base/hash.h"

/* The key: SHA-256 over the canonical (sorted, compact) JSON text of what makes the result: plugin
 * digest, declared code, params, input digests by name, seed, environment, matrix. */
int fw_cache_key(const json_t *recipe, char key[FW_SHA256_HEX], struct fw_err *err);

/* FW_OK and the entry's result object (new reference), FW_ENOTFOUND, or an error. An entry that
 * does not verify (result.json torn, an output gone or of another size) counts as not found and is
 * removed. */
int fw_cache_get(const char *state_dir, const char *key, json_t **result, struct fw_err *err);
/* Moves out_dir (a folder with the outputs, on the file system of state_dir) into the cache as
 * <key>/out with its result object: {"outputs": {name: {"path": relative to the entry
 * ("out/model"), "digest": sha256}}, "recipe": ..., ...}. Outputs are synced first and may hold
 * regular files only. When the key exists already the new one is dropped. out_dir is gone
 * afterwards; on failure it is left where it was, unless the very last step failed. */
int fw_cache_put(const char *state_dir, const char *key, const char *out_dir, const json_t *result,
                 struct fw_err *err);
/* Absolute path of an output in an entry; malloc'd. */
char *fw_cache_path(const char *state_dir, const char *key, const char *rel);
/* Removes what killed processes left half-built. Only while the project's lock is held. */
int fw_cache_clean(const char *state_dir, struct fw_err *err);

#endif
