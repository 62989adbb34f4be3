/* Git's deltas (gitformat-pack, "deltified representation"): a target as copies out of a source and
 * bytes put in between. Pure. */
#ifndef FW_PACK_DELTA_H
#define FW_PACK_DELTA_H

#include <stdint.h>

#include "pipeline/base/buf.h"

/*
 * Appends a delta that makes `target` of `source`, both texts of lines. Made for a text of which a few
 * lines were edited, put in or taken out and the others left in their order: one pass over both, no
 * index. Any two texts give a right delta; the more they differ, the longer it is. false: it would be
 * longer than `limit` (out is then as before), or there is no memory (out->failed).
 */
bool fw_delta_make(const char *source, size_t n_source, const char *target, size_t n_target,
                   size_t limit, struct fw_buf *out);

/* The sizes a delta says its source and target have; the length of that head, 0 when it is damaged. */
size_t fw_delta_sizes(const unsigned char *delta, size_t n, uint64_t *source, uint64_t *target);
/* Writes the target (exactly n_target bytes) to out. false: the delta does not fit, in whatever way. */
bool fw_delta_apply(const unsigned char *delta, size_t n, const char *source, size_t n_source,
                    char *out, size_t n_target);

#endif
