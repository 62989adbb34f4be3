/* Any bytes as an image: decoded, or refused; then seen through the features. */
#include <stdint.h>
#include <stdlib.h>

#include "stages/train/hog.h"
#include "stages/train/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    float *gray = NULL, out[FW_LOOK_DIM];
    struct fw_err err;

    if (fw_image_load(data, size, 32, 32, &gray, &err) != FW_OK)
        return 0;
    if (fw_look(gray, 32, 32, out, &err) != FW_OK)
        abort();
    for (int i = 0; i < FW_LOOK_DIM; i++)
        if (!(out[i] >= -1e6f && out[i] <= 1e6f))
            abort();
    free(gray);
    return 0;
}
