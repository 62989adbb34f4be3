/* Any bytes as predictions.jsonl: refused, or within the contract. */
#include <stdint.h>

#include "memory_file.h"
#include "stages/data/predictions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a", "b", "c"};
    static const struct fw_task_info tasks[] = {{FW_CLASSIFICATION, names, 3},
                                                {FW_REGRESSION, NULL, 0}};
    char path[64];
    int fd = memory_file(data, size, path);
    for (int t = 0; t < 2; t++) {
        struct fw_predictions *p = NULL;
        struct fw_err err;
        if (fw_predictions_load(path, &tasks[t], &p, &err) != FW_OK)
            continue;
        for (size_t i = 0; i < p->n; i++)
            if (fw_predictions_find(p, p->ids[i]) != (long)i ||
                (!t && (p->pred[i] < 0 || p->pred[i] > 2)))
                abort();
        fw_predictions_free(p);
    }
    close(fd);
    return 0;
}
