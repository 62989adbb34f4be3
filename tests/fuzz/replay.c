/* Replays a corpus through a fuzz target: each file given, or each file of each folder given. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/base/fs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(void *ctx, const char *rel, const struct stat *st, struct fw_err *err)
{
    (void)st;
    struct fw_buf path = {0}, data = {0};
    fw_buf_printf(&path, "%s/%s", (const char *)ctx, rel);
    int rc = fw_fs_read(path.p, 0, &data, err);
    if (rc == FW_OK)
        LLVMFuzzerTestOneInput((const uint8_t *)(data.p ? data.p : ""), data.len);
    fw_buf_release(&path);
    fw_buf_release(&data);
    return rc;
}

int main(int argc, char **argv)
{
    struct fw_err err = {0};
    for (int i = 1; i < argc; i++) {
        if (fw_fs_walk(argv[i], replay, argv[i], &err) != FW_OK) {
            fprintf(stderr, "%s\n", err.msg);
            return 1;
        }
    }
    return 0;
}
