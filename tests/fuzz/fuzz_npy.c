/* Any bytes as a NumPy file: refused, or every element can be read. */
#include <stdint.h>

#include "pipeline/base/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fw_npy npy;
    struct fw_err err;
    volatile double sum = 0;
    if (fw_npy_parse(data, size, &npy, &err) != FW_OK)
        return 0;
    for (size_t i = 0; i < npy.n; i++)
        sum = sum + fw_npy_at(&npy, i);
    return 0;
}
