/* Any bytes as samples with several labels, and as predictions of them: refused, or matrices of 0 and 1. */
#include <stdint.h>

#include "memory_file.h"
#include "stages/data/labelsets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(const char *given, const char *predicted)
{
    struct fw_labelsets s;
    if (fw_labelsets_load(given, predicted, &s, NULL) != FW_OK)
        return;
    for (size_t i = 0; i < s.n * s.k; i++)
        if (s.given[i] > 1 || (s.predicted && s.predicted[i] > 1))
            abort();
    fw_labelsets_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char known[] =
        "{\"id\":\"x\",\"label\":[\"a\",\"b\"]}\n{\"id\":\"y\",\"label\":[]}\n";
    char path[64], given[64];
    int fd = memory_file(data, size, path);
    int other = memory_file((const uint8_t *)known, sizeof known - 1, given);
    load(path, NULL);
    load(given, path);
    close(fd);
    close(other);
    return 0;
}
