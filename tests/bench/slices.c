/*
 * Finding slices: fw_sliceline() over rows made from a seed, 20 features of 10 values each. Run by
 * slices.py, which runs the peer on the same rows.
 *
 *     bench_slices FILE N M VALUES LEVEL K SUPPORT    FILE: N × M bytes (values), then N (errors)
 *
 * Prints one JSON object: seconds, peak memory, and the slices as [score, rows, errors].
 */
#include <stdio.h>
#include <stdlib.h>

#include "stages/error_analysis/sliceline.h"
#include "tests/bench/usage.h"

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "run by slices.py\n");
        return 77;
    }
    size_t n = strtoull(argv[2], NULL, 10), m = strtoull(argv[3], NULL, 10);
    FILE *f = fopen(argv[1], "rb");
    uint8_t *code = malloc(n * m), *wrong = malloc(n);
    double *loss = malloc(n * sizeof *loss);
    if (!f || !code || !wrong || !loss || fread(code, 1, n * m, f) != n * m ||
        fread(wrong, 1, n, f) != n) {
        perror(argv[1]);
        return 1;
    }
    fclose(f);
    for (size_t i = 0; i < n; i++)
        loss[i] = wrong[i];
    free(wrong);
    struct fw_sliceline_input in = {.n = n, .m = m, .code = code, .loss = loss, .alpha = 0.95};
    in.max_level = strtoull(argv[5], NULL, 10);
    in.k = strtoull(argv[6], NULL, 10);
    in.min_support = strtoull(argv[7], NULL, 10);
    struct fw_sliceline_result r;
    struct fw_err err;
    double start = now();
    if (fw_sliceline(&in, &r, &err) != 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    double seconds = now() - start;
    printf("{\"seconds\": %.4f, \"kilobytes\": %ld, \"looks\": %zu, \"slices\": [", seconds,
           peak_kib(), r.looks);
    for (size_t i = 0; i < r.n; i++)
        printf("%s[%.12g, %zu, %.12g]", i ? ", " : "", r.v[i].score, r.v[i].n, r.v[i].loss);
    printf("]}\n");
    fw_sliceline_release(&r);
    free(code);
    free(loss);
    return 0;
}
