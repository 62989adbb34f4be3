/* Any bytes as drift.json: refused, or within the contract. */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "memory_file.h"
#include "stages/drift/drift.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memory_file(data, size, path);
    json_t *drift = NULL;
    struct fw_err err;
    if (fw_drift_load(path, &drift, &err) == FW_OK) {
        enum fw_severity s;
        const char *name = json_string_value(json_object_get(drift, "severity"));
        if (!name || fw_severity_parse(name, &s) != FW_OK ||
            !json_is_array(json_object_get(drift, "fields")))
            abort();
    }
    json_decref(drift);
    close(fd);
    return 0;
}
