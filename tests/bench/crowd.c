/* For crowd.py: the time of one Dawid-Skene fit alone. bench_crowd TABLE: reads it, fits, and
 * prints the seconds of the fit and its iterations. */
#include <stdio.h>

#include "stages/relabel/aggregate.h"
#include "tests/bench/usage.h"

int main(int argc, char **argv)
{
    struct fw_annotations *a = fw_annotations_new();
    struct fw_aggregate g;
    struct fw_err err = {0};
    char text[2600];
    if (argc != 2 || !a) {
        fputs("usage: bench_crowd TABLE (crowd.py runs it)\n", stderr);
        return 2;
    }
    int rc = fw_annotations_read(a, argv[1], NULL, &err);
    if (rc == FW_OK)
        rc = fw_annotations_index(a, &err);
    double begin = now();
    if (rc == FW_OK)
        rc = fw_aggregate(a, FW_DAWID_SKENE, NULL, &g, &err);
    double seconds = now() - begin;
    if (rc != FW_OK) {
        fw_err_format(&err, text, sizeof text);
        fprintf(stderr, "%s\n", text);
        return 1;
    }
    printf("%.6f %zu\n", seconds, g.iterations);
    fw_aggregate_release(&g);
    fw_annotations_free(a);
    return 0;
}
