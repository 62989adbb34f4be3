/* Whatever the bytes: no crash, and what is read and written again reads back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int rewrite(void *ctx, const struct fw_csv_field *f, size_t n, int line, struct fw_err *err)
{
    (void)line;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        if (f[i].p[f[i].len] != '\0')
            abort();
        if (i)
            fw_buf_putc(ctx, ',');
        fw_csv_put(ctx, f[i].p, f[i].len, ',');
    }
    fw_buf_putc(ctx, '\n');
    return FW_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fw_buf once = {0}, twice = {0};
    struct fw_err err = {0};
    fw_buf_puts(&once, "h\n"); /* a mark that begins the text would be taken for the byte order's */
    if (fw_csv_each_mem("x", (const char *)data, size, ',', rewrite, &once, &err) == FW_OK) {
        if (fw_csv_each_mem("x", once.p, once.len, ',', rewrite, &twice, &err) != FW_OK ||
            once.len != twice.len || memcmp(once.p, twice.p, once.len) != 0)
            abort();
    }
    fw_buf_release(&once);
    fw_buf_release(&twice);
    return 0;
}
