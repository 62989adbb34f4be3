/* Any text as a condition on a row: refused with a place, or it can be matched. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stages/error_analysis/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char line[] =
        "{\"label\":\"a\",\"x\":1,\"y\":\"b\",\"z\":true,\"n\":null,\"l\":[1]}";
    char *text = malloc(size + 1);
    struct fw_rows *rows = fw_rows_new();
    struct fw_slice *s = NULL;
    struct fw_row row;
    struct fw_err err;
    if (!text || !rows || fw_row_parse(rows, line, sizeof line - 1, &row, &err) != FW_OK)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    if (fw_slice_parse(text, &s, &err) == FW_OK)
        fw_slice_match(s, &row);
    else if (err.code == FW_EINVAL && (err.col < 1 || (size_t)err.col > strlen(text) + 1))
        abort();
    fw_slice_free(s);
    fw_rows_free(rows);
    free(text);
    return 0;
}
