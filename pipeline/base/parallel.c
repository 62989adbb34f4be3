#include "pipeline/base/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct work {
    size_t n, grain, chunks;
    fw_chunk_fn *fn;
    void *ctx;
    atomic_size_t next;
    atomic_bool stop;
};

struct worker {
    struct work *work;
    pthread_t thread;
    bool started;
    size_t number, failed_at;
    int rc;
    struct fw_err err;
};

size_t fw_parallel_workers(void)
{
    const char *wish = getenv("FLYWHEEL_THREADS");
    long n = wish ? strtol(wish, NULL, 10) : 0;
    cpu_set_t cpus;
    if (n < 1)
        n = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    return n < 1 ? 1 : n > FW_PARALLEL_MAX ? FW_PARALLEL_MAX : (size_t)n;
}

size_t fw_parallel_chunks(size_t n, size_t grain)
{
    grain = grain ? grain : 1;
    return n / grain + (n % grain != 0);
}

static void *chunks_work(void *arg)
{
    struct worker *w = arg;
    struct work *work = w->work;
    while (!atomic_load(&work->stop)) {
        size_t i = atomic_fetch_add(&work->next, 1);
        if (i >= work->chunks)
            break;
        size_t from = i * work->grain, left = work->n - from;
        struct fw_chunk chunk = {i, from, from + (left < work->grain ? left : work->grain),
                                 w->number};
        w->rc = work->fn(work->ctx, &chunk, &w->err);
        if (w->rc != FW_OK) {
            w->failed_at = i;
            atomic_store(&work->stop, true);
        }
    }
    return NULL;
}

int fw_parallel(size_t n, size_t grain, fw_chunk_fn *fn, void *ctx, struct fw_err *err)
{
    struct work work = {.n = n, .grain = grain ? grain : 1, .fn = fn, .ctx = ctx};
    work.chunks = fw_parallel_chunks(n, grain);
    size_t threads = fw_parallel_workers();
    threads = work.chunks < threads ? work.chunks : threads;
    if (!threads)
        return FW_OK;
    struct worker *w = calloc(threads, sizeof *w);
    if (!w)
        return fw_err_nomem(err);
    for (size_t i = threads; i-- > 0;) {
        w[i].work = &work;
        w[i].number = i;
        /* What gets no thread is done by the others. */
        w[i].started = i && pthread_create(&w[i].thread, NULL, chunks_work, &w[i]) == 0;
    }
    chunks_work(&w[0]);
    const struct worker *first = &w[0];
    for (size_t i = 1; i < threads; i++) {
        if (!w[i].started)
            continue;
        pthread_join(w[i].thread, NULL);
        if (w[i].rc != FW_OK && (first->rc == FW_OK || w[i].failed_at < first->failed_at))
            first = &w[i];
    }
    int rc = first->rc;
    if (rc != FW_OK && err)
        *err = first->err;
    free(w);
    return rc;
}
