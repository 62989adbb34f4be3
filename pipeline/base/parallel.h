/*
 * One loop over [0, n) on all cores, in chunks whose bounds depend on n and the grain alone. A result
 * that is kept for each chunk and added up in the order of the chunks is therefore the same for any
 * number of threads.
 *
 *     double *part = calloc(fw_parallel_chunks(n, 4096), sizeof *part);
 *     fw_parallel(n, 4096, sum_work, &ctx, &err);      // writes part[chunk->index]
 *
 * Threads live for one call. Their number is that of the CPUs this process may use, or
 * $FLYWHEEL_THREADS. Calls may come from any thread and may not be nested.
 */
#ifndef FW_BASE_PARALLEL_H
#define FW_BASE_PARALLEL_H

#include <stddef.h>

#include "pipeline/base/err.h"

enum { FW_PARALLEL_MAX = 64 }; /* threads */

struct fw_chunk {
    size_t index, from, to; /* items [from, to) */
    size_t worker;          /* below fw_parallel_workers(): for scratch of a thread's own */
};

/* 0, or a negative code with its own err filled. */
typedef int fw_chunk_fn(void *ctx, const struct fw_chunk *chunk, struct fw_err *err);

/* Runs fn on each chunk of `grain` items (the last may be shorter); the caller's thread takes part.
 * After a failure no further chunk is begun; of several failures the one of the lowest chunk is
 * returned. grain 0 counts as 1. */
int fw_parallel(size_t n, size_t grain, fw_chunk_fn *fn, void *ctx, struct fw_err *err);
size_t fw_parallel_chunks(size_t n, size_t grain);
/* How many threads a call uses at most: 1..FW_PARALLEL_MAX. */
size_t fw_parallel_workers(void);

#endif
