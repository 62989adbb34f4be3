/* Any rows, split at a line "---" into reference and production: refused, or compared, and what comes
 * out keeps the contract. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stages/drift/drift.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct side {
    struct fw_drift_table *table;
    int side;
};

static int on_row(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    struct side *s = ctx;
    (void)line;
    return fw_drift_table_row(s->table, s->side, row, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct fw_drift_options options = {.split = "train"};
    struct fw_drift_input in;
    struct fw_err err = {0};
    const char *text = (const char *)data;
    const char *cut = size > 5 ? memmem(text, size, "\n---\n", 5) : NULL;
    size_t first = cut ? (size_t)(cut - text) + 1 : size, second = cut ? first + 4 : size;
    json_t *drift = NULL;
    fw_drift_defaults(&in);
    in.table = fw_drift_table_new(&options);
    if (!in.table)
        abort();
    struct side a = {in.table, FW_REFERENCE}, b = {in.table, FW_PRODUCTION};
    if (fw_rows_each_mem("a", text, first, on_row, &a, &err) == FW_OK &&
        fw_rows_each_mem("b", text + second, size - second, on_row, &b, &err) == FW_OK &&
        fw_drift_table_settle(in.table, &err) == FW_OK &&
        fw_drift_build(&in, &drift, &err) == FW_OK && fw_drift_check(drift, &err) != FW_OK)
        abort();
    json_decref(drift);
    fw_drift_table_free(in.table);
    return 0;
}
