/* What a bench's worker says of itself: seconds and memory. */
#ifndef FW_BENCH_USAGE_H
#define FW_BENCH_USAGE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Seconds from some point in the past; only differences mean something. */
static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The most memory this process had, in KiB; -1 when it cannot be told. Not getrusage(): its figure
 * outlives exec(), so it would be the caller's. */
static inline long peak_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && kib < 0 && fgets(line, sizeof line, status))
        if (!strncmp(line, "VmHWM:", 6))
            kib = strtol(line + 6, NULL, 10);
    if (status)
        fclose(status);
    return kib;
}

#endif
