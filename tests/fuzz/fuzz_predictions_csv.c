/* Any bytes as a CSV file of predictions: refused, or lines that the reader of predictions can judge. */
#include <stdint.h>

#include "memory_file.h"
#include "pipeline/base/rows.h"
#include "stages/data/predictions_csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_row(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    (void)ctx;
    (void)line;
    (void)err;
    return fw_row_get(row, "probs") ? FW_OK : FW_EINVAL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a", "b"};
    static const struct fw_task_info tasks[] = {{FW_CLASSIFICATION, names, 2},
                                                {FW_REGRESSION, NULL, 0}};
    char path[64];
    int fd = memory_file(data, size, path);
    for (int t = 0; t < 2; t++) {
        struct fw_buf lines = {0};
        struct fw_err err = {0};
        if (fw_predictions_csv(path, &tasks[t], &lines, &err) == FW_OK && lines.len)
            (void)fw_rows_each_mem("lines", lines.p, lines.len, on_row, NULL, &err);
        fw_buf_release(&lines);
    }
    close(fd);
    return 0;
}
