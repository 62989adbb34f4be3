/* Any bytes as analysis.json: refused, or what readers rely on is there. */
#include <stdint.h>
#include <string.h>

#include "memory_file.h"
#include "stages/error_analysis/analysis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memory_file(data, size, path);
    json_t *root = NULL;
    const json_t *s;
    size_t i;
    struct fw_err err;
    if (fw_analysis_load(path, &root, &err) == FW_OK) {
        json_array_foreach (json_object_get(root, "slices"), i, s)
            if (!json_is_string(json_object_get(s, "slice")) ||
                !json_is_number(json_object_get(s, "worth")) ||
                (json_object_get(s, "weak") && !json_is_boolean(json_object_get(s, "weak"))))
                abort();
        json_decref(root);
    }
    close(fd);
    return 0;
}
