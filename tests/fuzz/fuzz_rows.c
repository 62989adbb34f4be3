/* Whatever the bytes: no crash; every value's own bytes lie in the line and parse again alone; an
 * edit of one field leaves the bytes of the others as they were. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/rows.h"
#include "pipeline/snap/content.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_edit(struct fw_rows *rows, const struct fw_row *row)
{
    struct fw_edits edits = {0};
    struct fw_buf line = {0};
    struct fw_row again;
    struct fw_err err = {0};
    size_t n = row->n;
    bool had_id = fw_row_get(row, "id"), had_split = fw_row_get(row, "split");
    fw_edits_set(&edits, row, "id", "\"x\"", 3);
    fw_edits_set(&edits, row, "split", "\"dev\"", 5);
    if (!fw_edits_apply(&edits, row, &line))
        abort();
    if (fw_row_parse(rows, line.p, line.len, &again, &err) != FW_OK)
        abort();
    const char *id = fw_row_str(&again, "id"), *split = fw_row_str(&again, "split");
    if (!id || strcmp(id, "x") != 0 || !split || strcmp(split, "dev") != 0 ||
        again.n != n + !had_id + !had_split)
        abort();
    fw_buf_release(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fw_rows *rows = fw_rows_new();
    struct fw_row row;
    struct fw_err err = {0};
    struct fw_content content;
    char *line = malloc(size + 1);
    memcpy(line, data, size);
    if (fw_row_parse(rows, line, size, &row, &err) == FW_OK && !memchr(line, '\n', size)) {
        for (size_t i = 0; i < row.n; i++)
            if (row.fields[i].raw < line || row.fields[i].raw_len == 0 ||
                row.fields[i].raw + row.fields[i].raw_len > line + size)
                abort();
        fw_content_of(&row, NULL, &content, &err);
        if (row.n)
            check_edit(rows, &row);
    }
    free(line);
    fw_rows_free(rows);
    return 0;
}
