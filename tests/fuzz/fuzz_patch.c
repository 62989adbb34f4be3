/* Any bytes as patch.jsonl: refused, or every fix has what its op needs. */
#include <stdint.h>

#include "memory_file.h"
#include "stages/data/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memory_file(data, size, path);
    struct fw_patch *p = NULL;
    struct fw_err err;
    if (fw_patch_load(path, &p, &err) == FW_OK) {
        for (size_t i = 0; i < p->n; i++)
            if (!p->fixes[i].id && p->fixes[i].op != FW_OP_ADD && p->fixes[i].op != FW_OP_GUIDELINE)
                abort();
        for (size_t i = 0; i < p->n; i++)
            if (!(fw_fix_labels(&p->fixes[i]) >= 0) || !(fw_fix_money(&p->fixes[i]) >= 0))
                abort();
        fw_patch_free(p);
    }
    close(fd);
    return 0;
}
