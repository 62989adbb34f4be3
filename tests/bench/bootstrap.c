/*
 * The library's side of bootstrap.py: the paired bootstrap of predictions in a NumPy array.
 *
 *   bench_bootstrap PREDICTIONS.npy CLASSES METRIC RESAMPLES SEED
 *
 * PREDICTIONS.npy: int32, (1 + 2 S) × N: the truth, then S seeds before and S seeds after. Prints
 * {"seconds", "gain", "low", "high", "sd", "peak_kb"}; the time is that of fw_compare() alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/npy.h"
#include "stages/evaluate/compare.h"
#include "tests/bench/usage.h"

enum { MOST_SEEDS = 16 };

int main(int argc, char **argv)
{
    struct fw_npy npy = {0};
    struct fw_err err = {0};
    struct fw_metric m;
    struct fw_comparison c;
    struct fw_task_info later = {FW_CLASSIFICATION, NULL, 0};
    if (argc != 6) {
        fputs("usage: bench_bootstrap PREDICTIONS.npy CLASSES METRIC RESAMPLES SEED\n", stderr);
        return 2;
    }
    int rc = fw_npy_open(argv[1], &npy, &err);
    if (rc == FW_OK)
        rc = fw_metric_parse(argv[3], &later, &m, &err);
    if (rc == FW_OK && (npy.ndim != 2 || npy.shape[0] % 2 == 0 || npy.shape[0] > 2 * MOST_SEEDS))
        rc = fw_err_set(&err, FW_EINVAL, "%s is not (1 + 2 S) × N", argv[1]);
    int *v = rc == FW_OK ? malloc((npy.n + 1) * sizeof *v) : NULL;
    if (rc == FW_OK && !v)
        rc = fw_err_nomem(&err);
    if (rc == FW_OK) {
        size_t seeds = npy.shape[0] / 2, n = npy.shape[1];
        const int *before[MOST_SEEDS], *after[MOST_SEEDS];
        for (size_t i = 0; i < npy.n; i++)
            v[i] = (int)fw_npy_at(&npy, i);
        for (size_t s = 0; s < seeds; s++) {
            before[s] = v + (1 + s) * n;
            after[s] = v + (1 + seeds + s) * n;
        }
        struct fw_truth truth = {.n = n, .k = strtoul(argv[2], NULL, 10), .klass = v};
        struct fw_scored b = {.seeds = seeds, .pred = before}, a = {.seeds = seeds, .pred = after};
        double start = now();
        rc = fw_compare(&m, &truth, &b, &a, strtoul(argv[4], NULL, 10), 0.95,
                        strtoul(argv[5], NULL, 10), &c, &err);
        double seconds = now() - start;
        if (rc == FW_OK)
            printf(
                "{\"seconds\": %.6f, \"gain\": %.9f, \"low\": %.9f, \"high\": %.9f, \"sd\": %.9f, "
                "\"peak_kb\": %ld}\n",
                seconds, c.gain, c.low, c.high, c.sd, peak_kib());
    }
    if (rc != FW_OK)
        fprintf(stderr, "error: %s\n", err.msg);
    free(v);
    fw_npy_close(&npy);
    return rc == FW_OK ? 0 : 1;
}
