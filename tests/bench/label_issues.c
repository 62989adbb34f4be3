/*
 * The library's side of label_issues.py: finds label issues in NumPy arrays and says how long it took.
 *
 *   bench_label_issues LABELS.npy PROBS.npy FILTER [FLAGS.npy]
 *
 * Prints {"seconds", "flagged", "peak_kb"}: the time of the analysis alone, with the matrix mapped and
 * read once before. FLAGS.npy: a float32 for each sample, 1 where it is flagged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/data/labelled.h"
#include "tests/bench/usage.h"

static int write_flags(const char *path, const bool *issue, size_t n, struct fw_err *err)
{
    float *v = malloc((n + 1) * sizeof *v);
    if (!v)
        return fw_err_nomem(err);
    for (size_t i = 0; i < n; i++)
        v[i] = issue[i];
    int rc = fw_npy_write_floats(path, v, n, 0, err);
    free(v);
    return rc;
}

int main(int argc, char **argv)
{
    struct fw_labelled l = {0};
    struct fw_err err = {0};
    enum fw_cl_filter filter;
    size_t n = 0;
    if (argc < 4 || fw_cl_filter_parse(argv[3], &filter) != FW_OK) {
        fputs("usage: bench_label_issues LABELS.npy PROBS.npy FILTER [FLAGS.npy]\n", stderr);
        return 2;
    }
    int rc = fw_labelled_arrays(argv[1], argv[2], NULL, NULL, 0, &l, &err);
    bool *issue = calloc(l.n + 1, sizeof *issue);
    double start = now();
    if (rc == FW_OK)
        rc = issue ? fw_cl_check(&l.probs, l.klass, &err) : fw_err_nomem(&err);
    if (rc == FW_OK)
        rc = fw_cl_issues(&l.probs, l.klass, filter, 1, issue, &n, &err);
    double seconds = now() - start;
    long peak = peak_kib();
    if (rc == FW_OK && argc > 4)
        rc = write_flags(argv[4], issue, l.n, &err);
    if (rc == FW_OK)
        printf("{\"seconds\": %.6f, \"flagged\": %zu, \"peak_kb\": %ld}\n", seconds, n, peak);
    else
        fprintf(stderr, "error: %s\n", err.msg);
    free(issue);
    fw_labelled_release(&l);
    return rc == FW_OK ? 0 : 1;
}
