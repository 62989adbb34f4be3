/*
 * An arena: many small allocations, one release. One arena per lifetime (a plan, an iteration).
 * Not thread-safe; each arena belongs to one thread at a time. Zero-initialise.
 */
#ifndef FW_BASE_ARENA_H
#define FW_BASE_ARENA_H

#include <stddef.h>

#include "pipeline/base/err.h"

struct fw_arena {
    struct fw_arena_block *head;
};

/* n zeroed bytes, aligned for any type; NULL when memory is out. n = 0 gives a valid pointer. */
void *fw_arena_alloc(struct fw_arena *a, size_t n);
/* count × size zeroed bytes; NULL on overflow or when memory is out. */
void *fw_arena_array(struct fw_arena *a, size_t count, size_t size);
char *fw_arena_strndup(struct fw_arena *a, const char *s, size_t n);
char *fw_arena_strdup(struct fw_arena *a, const char *s);
char *fw_arena_printf(struct fw_arena *a, const char *fmt, ...) FW_PRINTF(2, 3);
void fw_arena_release(struct fw_arena *a);

#endif
