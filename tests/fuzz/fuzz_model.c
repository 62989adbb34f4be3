/* Any bytes as a model file. The checksum is mended first, so that the checks behind it are met; a
 * model that is accepted must encode to what it was read from and predict without harm. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "stages/train/linear.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct fw_linear *m)
{
    struct fw_matrix raw = {0}, x = {0};
    size_t start[] = {0, 1}, k = m->n_classes;
    uint32_t col[] = {0};
    float val[] = {1};
    struct fw_err err;

    if (m->ex->params.input == FW_INPUT_TEXT)
        raw = (struct fw_matrix){
            .n = 1, .dim = m->ex->raw_dim, .start = start, .col = col, .val = val};
    else if (fw_matrix_dense(&raw, 1, m->ex->raw_dim, &err) != FW_OK)
        abort();
    if (fw_extractor_apply(m->ex, &raw, &x, &err) != FW_OK)
        abort();
    if (m->task == FW_CLASSIFICATION) {
        float *p = malloc(k * sizeof *p);
        double sum = 0;
        if (!p || fw_linear_probs(m, &x, p, &err) != FW_OK)
            abort();
        for (size_t c = 0; c < k; c++)
            sum += p[c];
        if (!(fabs(sum - 1) < 1e-3))
            abort();
        free(p);
    } else {
        double v;
        if (fw_linear_values(m, &x, &v, &err) != FW_OK)
            abort();
    }
    fw_matrix_release(&x);
    if (!raw.start)
        fw_matrix_release(&raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fw_linear *m = NULL;
    struct fw_err err;
    uint8_t *file = malloc(size ? size : 1);

    if (!file)
        return 0;
    if (size)
        memcpy(file, data, size);
    if (size >= 32) {
        uint64_t n = size - 32, sum = fw_hash64(file + 32, size - 32, 1);
        memcpy(file + 16, &n, sizeof n);
        memcpy(file + 24, &sum, sizeof sum);
    }
    if (fw_linear_decode(file, size, &m, &err) == FW_OK) {
        struct fw_buf again = {0};
        if (fw_linear_encode(m, &again, &err) != FW_OK || again.len != size ||
            memcmp(again.p + 32, file + 32, size - 32) != 0)
            abort();
        fw_buf_release(&again);
        use(m);
    }
    fw_linear_free(m);
    free(file);
    return 0;
}
