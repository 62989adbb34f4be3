/*
 * Worker of near_texts.py: the groups of nearly equal lines of a file.
 *
 *   bench_near_texts LINES.txt THRESHOLD GROUPS.txt
 *
 * Writes the number of each line's group; prints the seconds of the search and the peak memory in
 * KiB, of which the lines are a part.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "stages/quality/near_texts.h"
#include "tests/bench/usage.h"

int main(int argc, char **argv)
{
    struct fw_buf data = {0};
    struct fw_err err = {0};
    struct fw_sets sets = {0};
    struct fw_links links = {0};
    size_t n = 0;
    if (argc < 4)
        return 77; /* run by near_texts.py */
    if (fw_fs_read(argv[1], 0, &data, &err) != 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    for (size_t i = 0; i < data.len; i++)
        n += data.p[i] == '\n';
    const char **texts = calloc(n + 1, sizeof *texts);
    if (!texts)
        return 1;
    char *p = data.p;
    for (size_t i = 0; i < n; i++) {
        texts[i] = p;
        p = strchr(p, '\n');
        *p++ = '\0';
    }
    double start = now();
    int rc = fw_sets_new(n, &sets, &err);
    if (rc == 0)
        rc = fw_near_texts(texts, n, strtod(argv[2], NULL), 1, &sets, &links, &err);
    printf("%.4f %ld\n", now() - start, peak_kib());
    FILE *out = rc == 0 ? fopen(argv[3], "w") : NULL;
    for (size_t i = 0; out && i < n; i++)
        fprintf(out, "%u\n", fw_sets_find(&sets, (uint32_t)i));
    if (rc != 0)
        fprintf(stderr, "%s\n", err.msg);
    if (out)
        fclose(out);
    fw_sets_release(&sets);
    fw_links_release(&links);
    fw_buf_release(&data);
    free(texts);
    return rc != 0 || !out;
}
