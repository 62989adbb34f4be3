/*
 * Worker of neighbours.py: the k nearest neighbours of the rows of an array.
 *
 *   bench_neighbours IN.npy K euclidean|cosine INDEX.npy DISTANCE.npy
 *
 * Prints the seconds of the search alone and the peak memory in KiB.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/npy.h"
#include "stages/quality/neighbours.h"
#include "tests/bench/usage.h"

int main(int argc, char **argv)
{
    struct fw_npy npy = {0};
    struct fw_err err = {0};
    struct fw_neighbours nb = {0};
    if (argc < 6)
        return 77; /* run by neighbours.py */
    if (fw_npy_open(argv[1], &npy, &err) != 0 || npy.ndim != 2) {
        fprintf(stderr, "%s: %s\n", argv[1], err.msg);
        return 1;
    }
    float *x = malloc(npy.n * sizeof *x), *index = NULL;
    if (!x)
        return 1;
    fw_npy_floats(&npy, x);
    double start = now();
    int rc = fw_neighbours(x, npy.shape[0], npy.shape[1], strtoul(argv[2], NULL, 10),
                           strcmp(argv[3], "cosine") == 0 ? FW_COSINE : FW_EUCLIDEAN, &nb, &err);
    double took = now() - start;
    if (rc == 0 && (index = malloc(nb.n * nb.k * sizeof *index))) {
        for (size_t i = 0; i < nb.n * nb.k; i++)
            index[i] = (float)nb.index[i]; /* exact below 2^24 */
        rc = fw_npy_write_floats(argv[4], index, nb.n, nb.k, &err);
        if (rc == 0)
            rc = fw_npy_write_floats(argv[5], nb.distance, nb.n, nb.k, &err);
    }
    if (rc != 0)
        fprintf(stderr, "%s\n", err.msg);
    printf("%.4f %ld\n", took, peak_kib());
    fw_neighbours_release(&nb);
    fw_npy_close(&npy);
    free(x);
    free(index);
    return rc != 0;
}
