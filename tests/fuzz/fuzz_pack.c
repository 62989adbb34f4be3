/* A pack and its index as they come: the first two bytes say how long the index is. Every entry that
 * the index names is read. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/pack/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    size_t n_index = (size_t)data[0] << 8 | data[1];
    if (n_index > n - 2)
        return 0;
    struct fw_mapped m = {.data = data + 2 + n_index, .size = n - 2 - n_index};
    if (m.size < FW_PACK_HEAD + FW_PACK_OID || !fw_index_open(data + 2, n_index, &m.index))
        return 0;
    struct fw_squeeze *s = fw_squeeze_new();
    struct fw_buf out = {0};
    for (size_t i = 0; s && i < m.index.n && i < 64; i++) {
        int type;
        fw_mapped_read(&m, s, fw_index_at(&m.index, i), &type, &out, NULL);
    }
    fw_buf_release(&out);
    fw_squeeze_free(s);
    return 0;
}
